"""The page of a report: one HTML file that contains its figures and loads nothing else."""
