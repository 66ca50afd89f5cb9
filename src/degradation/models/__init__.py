"""Networks: blocks, shortcuts, BN statistics, complexity and the solution by construction."""
