"""Loops that make a model better by what it says itself: each call is one round."""
