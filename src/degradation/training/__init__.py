"""Training: the trainer, its optimizer, schedule and evaluation, and several processes."""
