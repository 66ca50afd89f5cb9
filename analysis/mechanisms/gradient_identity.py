"""Check the gradient equations of He et al. 2016 (equation 5), and measure the shortcut's share."""

import pandas as pd

from analysis.claim import Check, Claim, Verdict
from analysis.claim_names import IDENTITY
from analysis.family_pairs import family_pair
from analysis.figures import gradient_identity as figure
from analysis.frame import Frame
from analysis.mechanism_texts import gradient_identity as texts
from analysis.mechanisms import depth_tests
from analysis.mechanisms.base import MEASUREMENT_KEYS, Explanation
from analysis.plain_words import describe_value
from analysis.probes import END
from degradation.counting import format_count
from degradation.metrics import ITERATION

POSITION = 4
PROBE = "identity"
TOLERANCE = 1e-10  # float64 has 16 digits; sums over a whole network lose a few
EQUATIONS = {
    ("block", False): "blocks that keep the shape",
    ("block", True): "blocks that change the shape",
    ("stage", False): "from a block to the end of its stage",
}


def build(frame: Frame, margin: float) -> Explanation | None:
    """Explain the identity, or return None if no network with shortcuts was probed."""
    table = _select_table(frame)
    if table is None:
        return None
    family = family_pair(frame.runs).residual
    share = figure.plot_share(measure_shares(table), family)
    figures = {
        "shortcut-share": (share, figure.SHARE_CAPTION),
        "identity": (figure.plot_terms(table), figure.TERMS_CAPTION),
    }
    claims, summary = judge(frame, margin), summarise(table)
    return Explanation(
        "identity",
        texts.TITLE,
        texts.write_introduction(claims, _select_shares(summary)),
        claims,
        summary,
        figures,
        texts.DETAILS,
    )


def _select_shares(summary: pd.DataFrame) -> dict[int, float]:
    """Return the shortcut's share by depth at the end of training. `summary`: see `summarise`."""
    is_shown = (summary["time_point"] == END) & (summary["form"] == "block")
    shares = summary[is_shown].set_index("depth")["shortcut_share"]
    return {int(str(depth)): float(share) for depth, share in shares.items()}


def judge(frame: Frame, _margin: float) -> list[Claim]:
    """Return the check of the equations."""
    table = _select_table(frame)
    if table is None:
        return []
    shares = measure_shares(table)
    notes = depth_tests.describe_unusable_runs(frame, shares, "shortcut_share")
    return [check_equations(table, shares, notes)]


def _select_table(frame: Frame) -> pd.DataFrame | None:
    """Return the probe's rows of the family with shortcuts, or None if there are none."""
    table = frame.probes.get(PROBE)
    if table is None:
        return None
    table = table[table["family"] == family_pair(frame.runs).residual]
    return None if table.empty else table


def measure_shares(table: pd.DataFrame) -> pd.DataFrame:
    """Average the shortcut's share over the blocks of a network.

    `table`: rows of the probe `identity`. Returns one row per run and time point with the column
    `shortcut_share`, or NaN if the share of any block is NaN.
    """
    blocks = table[table["form"] == "block"]
    shares = blocks.groupby(MEASUREMENT_KEYS)["shortcut_share"]
    return shares.agg(_mean_or_nan).reset_index()


def _mean_or_nan(values: pd.Series) -> float:
    """Return the mean, or NaN if a value is NaN."""
    return float(values.astype(float).mean(skipna=False))


def check_equations(table: pd.DataFrame, shares: pd.DataFrame, notes: list[str]) -> Check:
    """Check that both sides of every equation agree up to rounding.

    An identity needs neither an interval nor a second seed.

    Args:
        table: rows of the probe `identity`.
        shares: rows of `measure_shares`, for the evidence.
        notes: caveats to show with the evidence.
    """
    name = IDENTITY
    statement = (
        "the gradient at a block's input is the sum of the shortcut's term and the convolutions' "
        "term, up to rounding"
    )
    differences = table["relative_difference"].astype(float)
    largest, unknown_count = differences.max(), int(differences.isna().sum())
    if largest > TOLERANCE:
        verdict = Verdict.CONTRADICTED
    elif unknown_count:
        verdict = Verdict.INCONCLUSIVE
    else:
        verdict = Verdict.REPRODUCED
    decisive_line = (
        f"largest relative difference between the two sides {largest:.1e} (limit {TOLERANCE:.0e}), "
        f"over {format_count(len(table), 'equation')} in "
        f"{format_count(table['run_id'].nunique(), 'run')}"
    )
    if unknown_count:
        decisive_line += f"; unknown for {unknown_count} of them, whose gradient is 0 or not finite"
    evidence = [*_describe_equations(table), *_describe_shares(shares)]
    plain_words = describe_value(
        largest, f"Both sides of the equation differ by at most {largest:.1e} of their size."
    )
    return Check(name, statement, verdict, decisive_line, evidence, notes, plain_words=plain_words)


def _describe_equations(table: pd.DataFrame) -> list[str]:
    """Return one line per kind of equation: its largest difference."""
    lines = []
    for (form, changes_shape), rows in table.groupby(["form", "shape_change"]):
        kind = EQUATIONS[str(form), bool(changes_shape)]
        largest = rows["relative_difference"].astype(float).max()
        lines.append(f"{kind}: at most {largest:.1e}, {format_count(len(rows), 'equation')}")
    return lines


def _describe_shares(shares: pd.DataFrame) -> list[str]:
    """Return one line per depth: the shortcut's share at each time point, mean over seeds."""
    lines = []
    for depth, depth_rows in shares.groupby("depth"):
        time_points = []
        for _, group in depth_rows.groupby(ITERATION):
            mean = group["shortcut_share"].mean(skipna=False)
            time_points.append(f"{group['time_point'].iloc[0]} {100 * mean:.0f} %")
        text = ", ".join(time_points)
        lines.append(
            f"{depth} layers, the shortcut's share of the gradient (mean over blocks): {text}"
        )
    return lines


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Summarise the terms over blocks and seeds.

    Returns one row per depth, time point and form: the means of the terms' norms relative to the
    gradient's, the mean share, and the largest difference between the two sides.
    """
    rows = []
    columns = ["gradient", "by_shortcut", "by_convolutions", "shortcut_share"]
    for (family, depth, _, form), group in table.groupby(["family", "depth", ITERATION, "form"]):
        numbers = group[columns].astype(float)
        rows.append(
            {
                "family": family,
                "depth": depth,
                "time_point": group["time_point"].iloc[0],
                "form": form,
                "runs": group["run_id"].nunique(),
                "by_shortcut": (numbers["by_shortcut"] / numbers["gradient"]).mean(),
                "by_convolutions": (numbers["by_convolutions"] / numbers["gradient"]).mean(),
                "shortcut_share": numbers["shortcut_share"].mean(),
                "worst_difference": group["relative_difference"].astype(float).max(),
            }
        )
    return pd.DataFrame(rows)
