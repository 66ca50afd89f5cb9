"""The error that unreadable, missing or wrong data raises."""

from degradation.errors import UserError


class DataError(UserError):
    """A data file is missing, truncated or not what it should be.

    The message names the file, the problem and what to do.
    """
