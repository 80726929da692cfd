"""Other people's published numbers, computed again from their raw records with our metrics.

One file a data set, none of which imports another. Each has a constant `REPRODUCTION`.
"""
