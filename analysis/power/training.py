"""The claims about the training error: under the truth that was seen, under none of it, at exactly the margin."""

from collections.abc import Iterator

import numpy as np

from analysis.claim import Verdict
from analysis.claims import judge
from analysis.power import runs
from analysis.power.published import Nets, Normal
from analysis.power.simulation import AS_SEEN, NO_EFFECT, Case, verdict_of


def training_cases(seen: Nets, margin: float) -> Iterator[Case]:
    """Degradation, no degradation, the fix. Where nothing degrades, a deep net varies as the shallowest does."""
    shallow = {family: min(depths.items())[1] for family, depths in seen.items()}
    flat = {family: dict.fromkeys(depths, shallow[family]) for family, depths in seen.items()}
    deepest = {family: max(depths) for family, depths in seen.items()}
    rising = {
        depth: shallow["plain"].shifted(margin * place)
        for depth, place in _places(seen["plain"]).items()
    }
    above = {
        depth: shallow["residual"].shifted(margin if depth > min(seen["residual"]) else 0.0)
        for depth in seen["residual"]
    }
    one_above = seen["residual"] | {deepest["residual"]: shallow["residual"].shifted(margin)}
    alike = {depth: normal.shifted(margin) for depth, normal in seen["residual"].items()}
    truths: dict[str, list[tuple[str, Nets]]] = {
        "degradation": [
            (AS_SEEN, seen),
            (NO_EFFECT, flat),
            (f"evenly up to {margin:g} points at the deepest", seen | {"plain": rising}),
        ],
        "no degradation": [
            (AS_SEEN, seen),
            (NO_EFFECT, flat),
            (f"{margin:g} points above the shallowest at every depth", seen | {"residual": above}),
            (f"{margin:g} points at the deepest, else as seen", seen | {"residual": one_above}),
        ],
        "the fix": [
            (AS_SEEN, seen),
            (NO_EFFECT, seen | {"plain": seen["residual"]}),
            (f"{margin:g} points at every depth", seen | {"plain": alike}),
        ],
    }
    for name, of_claim in truths.items():
        for truth, nets in of_claim:

            def draw(
                generator: np.random.Generator, name: str = name, nets: Nets = nets
            ) -> Verdict:
                return verdict_of(judge(runs.frame(nets, generator).runs, margin), name)

            yield Case(name, truth, draw)


def _places(depths: dict[int, Normal]) -> dict[int, float]:
    """0 at the shallowest, 1 at the deepest, evenly between."""
    return {depth: index / (len(depths) - 1) for index, depth in enumerate(sorted(depths))}
