"""The base class of every error that a user can fix; all other exceptions are bugs and keep their traceback."""


class UserError(Exception):
    """An error that a user can fix: one line that names the key or file, the problem, and what to do.

    The commands print the message without a traceback and exit with status 1 (`degradation.cli`).
    """
