"""The probes by name, and when each is taken of a record. What they measure is in degradation.probes."""

from dataclasses import dataclass

AT_START, AT_SNAPSHOTS, AT_END = "start", "snapshots", "end"


@dataclass(frozen=True)
class ProbeSpec:
    at: tuple[str, ...]  # the moments at which it is taken afterwards
    split: str = "train"  # of the pictures that it sees
    needs_shortcuts: bool = False


PROBE_SPECS: dict[str, ProbeSpec] = {
    "gradient_flow": ProbeSpec((AT_START, AT_SNAPSHOTS, AT_END)),
    "responses": ProbeSpec((AT_START, AT_SNAPSHOTS, AT_END)),
    "identity": ProbeSpec((AT_START, AT_SNAPSHOTS, AT_END), needs_shortcuts=True),
    "shattering": ProbeSpec((AT_START, AT_END)),
    "lesions": ProbeSpec((AT_END,), split="test"),
    "paths": ProbeSpec((AT_START, AT_END), needs_shortcuts=True),
}


def is_applicable(name: str, shortcut: str) -> bool:
    """Can this probe be taken of networks with this shortcut?"""
    return shortcut != "none" or not PROBE_SPECS[name].needs_shortcuts
