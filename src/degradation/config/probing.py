"""The probes by name, and when each is taken of a record. What they measure is in degradation.probes."""

from dataclasses import dataclass

AT_START, AT_SNAPSHOTS, AT_END = "start", "snapshots", "end"


@dataclass(frozen=True)
class ProbeKind:
    at: tuple[str, ...]  # the moments at which it is taken afterwards
    split: str = "train"  # of the pictures that it sees
    needs_shortcuts: bool = False


PROBE_KINDS: dict[str, ProbeKind] = {
    "gradient_flow": ProbeKind((AT_START, AT_SNAPSHOTS, AT_END)),
    "responses": ProbeKind((AT_START, AT_SNAPSHOTS, AT_END)),
    "identity": ProbeKind((AT_START, AT_SNAPSHOTS, AT_END), needs_shortcuts=True),
    "shattering": ProbeKind((AT_START, AT_END)),
    "lesions": ProbeKind((AT_END,), split="test"),
    "paths": ProbeKind((AT_START, AT_END), needs_shortcuts=True),
}


def fits(name: str, shortcut: str) -> bool:
    """Can this probe be taken of networks with this shortcut?"""
    return shortcut != "none" or not PROBE_KINDS[name].needs_shortcuts
