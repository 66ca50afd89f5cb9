"""The base class of every error that a user can fix, and how other exceptions are reported."""


class UserError(Exception):
    """An error that a user can fix.

    Its message is one line that names the key or the file, the problem, and what to do. Commands
    print it without a traceback and exit with status 1 (`degradation.cli`).
    """


def format_exception_line(error: BaseException) -> str:
    """Return the type of an exception and the first line of its message."""
    return f"{type(error).__name__}: {error}".splitlines()[0]
