"""A Hydra launcher: a SLURM job array, by submitit."""
