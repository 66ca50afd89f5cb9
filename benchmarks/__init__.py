"""Benchmarks that anybody can run (`make bench`): the suite against the plain PyTorch recipe.

docs/performance.md explains the parts and has the table. Nothing imports this package.
"""
