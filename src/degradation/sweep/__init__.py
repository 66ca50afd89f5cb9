"""Sweeps: the runs that a command line expands to, what each still needs, and what they cost."""
