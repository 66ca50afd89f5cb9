"""Stuck or slow? Iterations to reach an error, against depth (He et al. 2015, section 4.1)."""

import numpy as np
import pandas as pd

from analysis.claim import Claim, Verdict
from analysis.claim_names import EXPONENTIAL_SLOWING
from analysis.family_pairs import family_pair
from analysis.figures import convergence as figure
from analysis.finished_runs import select_finished
from analysis.frame import Frame
from analysis.interval_censoring import GrowthFit
from analysis.lr_drops import find_common_milestones
from analysis.mechanism_texts import convergence as texts
from analysis.mechanism_texts.wording import find_verdict
from analysis.mechanisms.base import Explanation
from analysis.mechanisms.growth import HALF, fit_both_forms
from analysis.mechanisms.growth_form import judge_form
from analysis.mechanisms.slowing import judge_slowing
from analysis.mechanisms.time_to_threshold import list_evaluations, measure_times, summarise
from degradation.records.schema import State

POSITION = 1


def build(frame: Frame, margin: float) -> Explanation | None:
    """Explain how the number of iterations to reach an error grows with depth.

    Returns None if no family has two depths.
    """
    runs, times = _measure(frame)
    if times.empty or times.groupby("family")["depth"].nunique().max() < 2:
        return None
    pair, milestones = family_pair(frame.runs), find_common_milestones(runs)
    plain = pair.plain
    claims = judge(frame, margin)
    drawn_fits: list[GrowthFit] = []
    if find_verdict(claims, EXPONENTIAL_SLOWING) is not Verdict.NOT_TESTED:
        fits = fit_both_forms(times[times["family"] == plain], milestones)
        drawn_fits = [fit for fit in fits.values() if isinstance(fit, GrowthFit)]
    plot = figure.plot(times, drawn_fits, plain, float(HALF), milestones)
    figures = {"convergence": (plot, figure.CAPTION)}
    plain_times = times[times["family"] == plain]
    diverged_depths = _find_diverged_depths(runs[runs["family"] == plain])
    return Explanation(
        "convergence",
        texts.TITLE,
        texts.write_introduction(claims, pair, _find_reached(plain_times), diverged_depths),
        claims,
        summarise(times),
        figures,
        texts.DETAILS,
        texts.list_lead(claims, pair),
    )


def judge(frame: Frame, _margin: float) -> list[Claim]:
    """Return the claims: plain networks slow down exponentially, residual ones less."""
    runs, times = _measure(frame)
    pair, families = family_pair(frame.runs), set(runs["family"])
    claims = []
    if pair.plain in families:
        evaluations = list_evaluations(runs, frame.curves)
        plain_times = times[times["family"] == pair.plain]
        claims.append(judge_form(runs, plain_times, evaluations, pair.plain))
    if pair.residual in families:
        claims.append(judge_slowing(runs, times, pair))
    return claims


def _find_reached(times: pd.DataFrame) -> dict[int, list[bool]]:
    """Return, by depth, whether each run reaches half of chance error."""
    to_half = times[times["threshold"] == float(HALF)]
    return {
        int(str(depth)): np.isfinite(rows["by"]).tolist()
        for depth, rows in to_half.groupby("depth")
    }


def _find_diverged_depths(runs: pd.DataFrame) -> list[int]:
    """Return the depths at which every run has diverged."""
    groups = select_finished(runs).groupby("depth")["state"]
    return [int(str(depth)) for depth, states in groups if (states == State.DIVERGED).all()]


def _measure(frame: Frame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the runs of both families, and the times of those that have finished."""
    pair = family_pair(frame.runs)
    runs = frame.runs[frame.runs["family"].isin([pair.plain, pair.residual])]
    finished_runs = select_finished(runs)
    return runs, measure_times(finished_runs, frame.curves)
