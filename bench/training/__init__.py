"""Trainers on a model of a million parameters: each does what its paper says, in minutes of one core."""
