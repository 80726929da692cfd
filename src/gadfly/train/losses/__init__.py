"""Losses: pure functions of log-probabilities, masks and weights, one published objective per file.

Import from the module that holds the loss: each loads torch, this package does not.
"""
