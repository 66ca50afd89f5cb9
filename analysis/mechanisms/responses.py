"""Are the residual functions small? Standard deviations of layer responses (He et al. 2015, 4.2 and figure 7)."""

import pandas as pd

from analysis.claim import Claim, Verdict, decide, not_tested
from analysis.claims import FamilyPair, family_pair
from analysis.columns import UNTRAINED_WITHIN_POINTS
from analysis.figures import responses as figure
from analysis.frame import Frame, group_by_depth
from analysis.mechanisms import depth_tests
from analysis.mechanisms.base import Explanation
from analysis.probes import END, INITIALISATION
from analysis.requirements import missing_requirements
from analysis.statistics import Difference

TITLE = "are the residual functions small?"
INTRODUCTION = (
    "A residual block adds F(x) to its input x. If the best mapping of a block is near the identity, F has little left "
    "to do, and its signal should be weak. A plain block has to make its whole output anew, so its signal cannot be "
    "weak. He et al. 2015 (4.2) measure this by the response of each 3x3 layer: what batch normalisation (BN) gives, "
    "before the ReLU and before the addition (in pre-activation nets, where BN comes first, what the convolution "
    "gives). The measure is its standard deviation over pictures, channels and positions. They report weaker responses "
    "in residual nets than in plain ones, and weaker ones the deeper the residual net: with more blocks, each changes "
    "the signal less. BN sets every deviation to its learned scale, which starts at 1. So where BN "
    "follows each layer, all layers start at 1, and only training moves them. Weight decay alone draws each scale a "
    "little below 1. A very large response need not be a useful one: a step along an exploded gradient throws the "
    "parameters of BN far away."
)
CAPTION = (
    "Standard deviation of each 3x3 layer's response at the end of training, as in figure 7 of He et al. 2015. "
    "Top: layers in their order, from the picture on. Bottom: the same values sorted, largest first. A line a depth "
    "(mean over seeds; the band spans all runs). Where BN follows each layer, every layer was at 1 (dotted) at "
    "initialisation, so the distance from that line is what training has done. Right: the mean over a run's layers "
    "against depth (every run a point, the mean with Student's 95 % interval), below for the nets with shortcuts "
    "alone, on a scale of its own, since their change may be small. Residual below plain means weaker responses, a "
    "falling residual line means weaker with depth. The scale is logarithmic where the values span more than a factor "
    "of 10."
)
# The margin of both claims, which are about a size. BN starts each deviation at 1, so this is a twentieth of what there
# is. A difference that is surely there and surely smaller contradicts them: it is negligible.
SMALL = 0.05


def build(frame: Frame, _margin: float) -> Explanation | None:
    table = frame.probes.get("responses")
    if table is None:
        return None
    table = table[table["kernel"] == 3]
    if table.empty:
        return None
    values = means_of(table)
    at_end = values[values["moment"] == END]
    pair = family_pair(frame.runs)
    residual = caveats(frame, at_end, pair.residual)
    claims = [
        weaker(at_end, pair, [*caveats(frame, at_end, pair.plain), *residual]),
        weaker_with_depth(at_end, pair.residual, residual),
    ]
    figures = (
        {}
        if at_end.empty
        else {"responses": (figure.plot(table[table["moment"] == END], at_end), CAPTION)}
    )
    return Explanation("responses", TITLE, INTRODUCTION, claims, summary(values), figures)


def means_of(table: pd.DataFrame) -> pd.DataFrame:
    """A row a run and moment: the mean deviation over its layers; NaN where that of a layer is."""
    keys = ["family", "depth", "seed", "run_id", "iteration", "moment"]
    layers = table.astype({"deviation": float}).groupby(keys)["deviation"]
    return layers.mean().where(layers.count() == layers.size()).reset_index()


def weaker(values: pd.DataFrame, pair: FamilyPair, notes: list[str]) -> Claim:
    """Plain minus residual: a Welch lower bound above the margin at every depth that both have.

    Contradicted where it is below the margin at any, with Holm's correction for their number (`decide`).
    """
    name = "weaker responses"
    statement = (
        f"{pair.residual} nets end with standard deviations of layer responses that are smaller than those of"
        f" {pair.plain} nets, by more than {SMALL:g}"
    )
    families = {family: group_by_depth(values, family) for family in (pair.plain, pair.residual)}
    if reasons := missing_requirements(families, depths=1, shared=True, kind="probed"):
        return not_tested(name, statement, reasons)
    plain, residual = (
        depth_tests.groups_of(values, family, "deviation") for family in (pair.plain, pair.residual)
    )
    gaps = depth_tests.gaps(plain, residual)
    found = decide(gaps, "above", SMALL)
    decisive = f"{pair.plain} minus {pair.residual}, at worst {depth_tests.at_worst(gaps, found)} (margin {SMALL:g})"
    if found.verdict is Verdict.CONTRADICTED:
        decisive += _size(gaps[found.worst])
    evidence = [
        f"{depth} layers: {_mean(plain[depth])} {pair.plain}, {_mean(residual[depth])} {pair.residual};"
        f" {pair.plain} minus {pair.residual} {depth_tests.format_interval(one)}"
        for depth, one in gaps.items()
    ]
    return Claim(name, statement, found.verdict, decisive, evidence, notes)


def _size(difference: Difference) -> str:
    """What a difference that contradicts the claim is: nearly none, or one to the other side."""
    if difference.mean <= -SMALL:
        return ": the other way round"
    return ": negligible" if abs(difference.mean) < SMALL else ""


def weaker_with_depth(values: pd.DataFrame, family: str, notes: list[str]) -> Claim:
    """A falling trend over depths and a Welch upper bound of deepest minus shallowest below minus the margin."""
    name = "weaker with depth"
    statement = (
        f"the deeper a {family} net, the smaller the standard deviations of its layer responses at the end, by more"
        f" than {SMALL:g} from the shallowest to the deepest"
    )
    if reasons := missing_requirements(
        {family: group_by_depth(values, family)}, depths=2, kind="probed"
    ):
        return not_tested(name, statement, reasons)
    groups = depth_tests.groups_of(values, family, "deviation")
    found = depth_tests.decreasing_trend(groups, SMALL)
    decisive = f"{found.decisive} (margin {SMALL:g})"
    if found.verdict is Verdict.CONTRADICTED:
        fallen = found.difference
        decisive += _size(-fallen)
    means = [f"{depth} layers: {_mean(one)}" for depth, one in groups.items()]
    evidence = [*found.evidence, f"means over seeds: {', '.join(means)}"]
    return Claim(name, statement, found.verdict, decisive, evidence, notes)


def _mean(values: list[float]) -> str:
    return f"{sum(values) / len(values):.4f}"


def caveats(frame: Frame, values: pd.DataFrame, family: str) -> list[str]:
    """Untrained runs among others: what a layer of a net that has learned nothing answers is of no trained net."""
    values = values[values["family"] == family]
    probed = frame.runs[frame.runs["run_id"].isin(values["run_id"])]
    untrained = [
        f"{int(part.sum())} of {len(part)} runs of {family}-{depth} are untrained (within {UNTRAINED_WITHIN_POINTS:g} points"
        " of chance), and count"
        for depth, part in probed.groupby("depth")["untrained"]
        if part.any()
    ]
    return [*untrained, *depth_tests.caveats(frame, values, "deviation")]


def summary(values: pd.DataFrame) -> pd.DataFrame:
    """A row a family and depth: the mean over layers and seeds at initialisation and at the end, the runs' range."""
    rows = []
    for (family, depth), part in values.groupby(["family", "depth"]):
        start, end = (
            part.loc[part["moment"] == moment, "deviation"] for moment in (INITIALISATION, END)
        )
        rows.append(
            {
                "family": family,
                "depth": depth,
                "runs": part["run_id"].nunique(),
                "deviation_initialisation": start.mean(),
                "deviation_end": end.mean(),
                "deviation_end_least": end.min(),
                "deviation_end_most": end.max(),
            }
        )
    return pd.DataFrame(rows)
