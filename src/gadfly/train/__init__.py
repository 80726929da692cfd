"""Training rows: made from rollouts, cleaned, and written in the formats that trainers read."""
