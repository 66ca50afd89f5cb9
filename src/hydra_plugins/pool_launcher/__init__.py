"""A Hydra launcher: a process a job on one machine, handed out over slots of cores or GPUs."""
