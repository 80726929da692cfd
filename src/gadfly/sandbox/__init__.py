"""Running code that a model wrote, kept apart from everything else."""
