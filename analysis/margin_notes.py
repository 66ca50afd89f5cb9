"""What a report says about a margin that its data set does not have by default."""

from collections.abc import Mapping

from degradation.config import ConfigError, default_margin


def describe_chosen_margins(margins: Mapping[str, float]) -> list[str]:
    """Return a note for each data set whose claims have another margin than in conf/.

    A margin that is chosen after the results proves nothing, so a reader must see that it was
    chosen.

    Args:
        margins: the margin of each data set, in points of training error.
    """
    notes = []
    for name, margin in sorted(margins.items()):
        default = _find_default(name)
        if default not in (None, margin):
            notes.append(
                f"the margin was chosen for this report: {margin:g} points of training error,"
                f" instead of the {default:g} of {name}"
            )
    return notes


def _find_default(name: str) -> float | None:
    try:
        return default_margin(name)
    except ConfigError:  # a record may name a data set that this code does not have
        return None
