"""The error raised for missing, unreadable or invalid data."""

from degradation.errors import UserError


class DataError(UserError):
    """A data file is missing, unreadable or invalid.

    The message names the file, the problem and what to do.
    """
