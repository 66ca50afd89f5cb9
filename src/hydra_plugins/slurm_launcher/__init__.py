"""A Hydra launcher that runs each job in a SLURM job array, by submitit."""
