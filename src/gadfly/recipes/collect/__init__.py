"""Methods that make training rows: they answer, and what they recorded becomes what a model learns."""
