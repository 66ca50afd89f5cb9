"""What every probe returns: named columns of one length."""

import math
from collections.abc import Iterable
from typing import Any

Table = dict[str, list[Any]]


def column(values: Iterable[float]) -> list[float | None]:
    """Numbers as a table and JSON hold them: None where one is not finite."""
    return [float(value) if math.isfinite(value) else None for value in values]
