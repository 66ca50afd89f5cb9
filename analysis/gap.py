"""Why a claim cannot be tested, and the runs that this is about."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Gap:
    """What a claim lacks to be tested.

    Attributes:
        text: the reason, without the runs that it is about.
        runs: these runs, as a list in words, or empty text.
        is_family_absent: whether the runs lack a family altogether.
    """

    text: str
    runs: str = ""
    is_family_absent: bool = False

    def __str__(self) -> str:
        """Return the whole line of evidence."""
        return f"{self.text}: {self.runs}" if self.runs else self.text


Reason = Gap | str  # a text if there is nothing else to know about it
