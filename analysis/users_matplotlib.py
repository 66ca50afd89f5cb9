"""Imports matplotlib with the user's settings, for the functions that a user calls from Python.

Reports are drawn without these settings (`analysis.figures.matplotlib_import`). The first import of
matplotlib decides, so this module must be imported before any figure. If the user's settings cannot
be used, the figures are drawn without them.
"""

from contextlib import suppress

with suppress(Exception):  # such as a backend that is not installed here
    import matplotlib  # noqa: F401
