"""The optimisers: one file and one registration each, PyTorch's classes built from `optim`."""
