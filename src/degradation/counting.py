"""Numbers of things in messages: `1 run`, `2 runs`, `10,000 runs`."""


def format_count(count: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun; `plural` defaults to the noun with an s."""
    if count != 1:
        noun = plural or f"{noun}s"
    return f"{count:,} {noun}"
