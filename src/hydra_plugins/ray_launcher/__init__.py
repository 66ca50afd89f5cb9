"""A Hydra launcher: tasks of a Ray cluster."""
