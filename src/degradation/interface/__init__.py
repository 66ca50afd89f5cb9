"""What `import degradation` offers besides the analysis: training, and trained networks."""
