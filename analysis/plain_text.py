"""Numbers and lists as a sentence has them, for a reader who knows no statistics."""

from collections.abc import Sequence

NO_DECIMAL_FROM = 10.0  # percent or points; smaller numbers have a decimal
SMALL_BELOW = 0.095  # still smaller ones have two
TINY_BELOW = 0.0095  # and these three: one error in 50,000 images is 0.002 %
ZERO_BELOW = 0.0005


def capitalise_first(text: str) -> str:
    """Return the text with its first letter in upper case, and the others as they are."""
    return text[:1].upper() + text[1:]


def format_amount(value: float) -> str:
    """Format the size of a number of percent or points: `57`, `1.1`, `0.04`, `0.002`."""
    size = abs(value)
    if size < ZERO_BELOW:
        return "0"
    if size < TINY_BELOW:
        return f"{size:.3f}"
    if size >= NO_DECIMAL_FROM - 0.05:
        return f"{size:.0f}"
    return f"{size:.2f}" if size < SMALL_BELOW else f"{size:.1f}"


def format_change(value: float) -> str:
    """Format a change in points with its sign: `+57`, `-0.3`, `0`."""
    amount = format_amount(value)
    if not float(amount):
        return "0"
    return f"{'-' if value < 0 else '+'}{amount}"


def format_percents(values: Sequence[float]) -> list[str]:
    """Format percentages that are compared with each other: `1.1 %`, `58 %`.

    If they are close, all of them have a decimal, so that a difference is seen.
    """
    is_wide = max(values) - min(values) >= NO_DECIMAL_FROM
    texts = []
    for value in values:
        is_whole = value >= NO_DECIMAL_FROM - 0.05
        text = f"{value:.1f}" if is_whole and not is_wide else format_amount(value)
        texts.append(f"{text} %")
    return texts


def keep_numbers(text: str) -> str:
    """Return a text in which no line ends between a number and its percent sign."""
    return text.replace(" %", "\u00a0%")


def end_sentence(text: str) -> str:
    """Return a text with a full stop at its end, unless it ends a sentence already."""
    return text if text.endswith((".", "?", "!", ":")) else f"{text}."


def join_words(words: Sequence[str]) -> str:
    """Return `a`, `a and b`, or `a, b and c`."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def write_reason(reason: str) -> str:
    """Return why a claim is not decided as a sentence."""
    return end_sentence(capitalise_first(reason))
