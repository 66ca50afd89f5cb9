"""Turn records into tables, verdicts and figures. Does not import torch."""
