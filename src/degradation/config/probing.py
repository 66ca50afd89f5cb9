"""The probes by name, and when each is taken of a record. What they measure is in degradation.probes."""

from dataclasses import dataclass

START, SNAPSHOTS, END = "start", "snapshots", "end"


@dataclass(frozen=True)
class ProbeKind:
    at: tuple[str, ...]  # the moments at which it is taken afterwards
    split: str = "train"  # of the pictures that it sees
    needs_shortcuts: bool = False


PROBES: dict[str, ProbeKind] = {
    "gradient_flow": ProbeKind((START, SNAPSHOTS, END)),
    "responses": ProbeKind((START, SNAPSHOTS, END)),
    "identity": ProbeKind((START, SNAPSHOTS, END), needs_shortcuts=True),
    "shattering": ProbeKind((START, END)),
    "lesions": ProbeKind((END,), split="test"),
    "paths": ProbeKind((START, END), needs_shortcuts=True),
}


def fits(name: str, shortcut: str) -> bool:
    """Can this probe be taken of networks with this shortcut?"""
    return shortcut != "none" or not PROBES[name].needs_shortcuts
