"""Published objectives, one file each: fields are hyper-parameters, the formula is in `losses`."""
