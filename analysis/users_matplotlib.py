"""Imports matplotlib with the user's settings, for what a user calls from Python.

Reports are drawn without them (`analysis.figures.matplotlib_import`), and whoever imports
matplotlib first decides: import this before any figure. Settings that cannot be used are left to
the figures, which do without.
"""

from contextlib import suppress

with suppress(Exception):  # such as a backend that is not installed here
    import matplotlib  # noqa: F401
