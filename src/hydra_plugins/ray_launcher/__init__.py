"""A Hydra launcher that runs each job as a task of a Ray cluster."""
