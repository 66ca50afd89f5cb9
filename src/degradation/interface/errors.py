"""Every error that a user can fix is a UserError, with the line that the commands print."""

from collections.abc import Iterator
from contextlib import contextmanager

from degradation.cli import format_error, is_user_error
from degradation.errors import UserError


@contextmanager
def user_errors() -> Iterator[None]:
    """Within the context, errors of the system and of Hydra become UserError; bugs pass.

    The original error is suppressed: the line says what to do, and a notebook would show both.
    """
    try:
        yield
    except UserError as error:
        raise error from None
    except Exception as error:
        if not is_user_error(error):
            raise
        raise UserError(format_error(error)) from None
