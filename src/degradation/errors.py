"""The base class of every error that a user can fix; other exceptions are bugs."""


class UserError(Exception):
    """An error that a user can fix.

    Its message is one line that names the key or the file, the problem, and what to do. Commands
    print it without a traceback and exit with status 1 (`degradation.cli`).
    """
