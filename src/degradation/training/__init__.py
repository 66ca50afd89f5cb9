"""Training: the trainer, its optimizer, schedule and evaluation, in one process or several."""
