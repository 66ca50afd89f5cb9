"""A sweep: which runs a command line stands for, what each still needs, and what they cost."""
