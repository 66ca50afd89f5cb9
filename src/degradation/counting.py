"""Numbers of things in messages: `1 run`, `2 runs`, `10,000 runs`."""


def format_count(count: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun; `plural` defaults to the noun with an s."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"
