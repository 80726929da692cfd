"""Methods that judge: a critique, a mark or an order for answers that are there."""
