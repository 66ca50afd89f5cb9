"""Train plain and residual networks at many depths and record what happens (He et al. 2015)."""
