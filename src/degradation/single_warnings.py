"""Warnings that are logged once per process, however many runs of a sweep cause them."""

import logging
from functools import cache

log = logging.getLogger(__name__)


@cache
def warn_once(message: str) -> None:
    """Log a warning, once per process."""
    log.warning("%s", message)
