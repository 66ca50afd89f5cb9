"""Stuck or slow? Iterations to reach an error, against depth (He et al. 2015, section 4.1)."""

import pandas as pd

from analysis.claim import Claim
from analysis.claims import family_pair
from analysis.columns import FINISHED_STATES
from analysis.figures import convergence as figure
from analysis.frame import Frame
from analysis.interval_censoring import GrowthFit
from analysis.lr_drops import find_common_milestones
from analysis.mechanisms.base import Explanation
from analysis.mechanisms.growth import HALF, fit_both_forms
from analysis.mechanisms.growth_form import judge_form
from analysis.mechanisms.slowing import judge_slowing
from analysis.mechanisms.time_to_threshold import list_evaluations, measure_times, summarise

POSITION = 1
TITLE = "stuck, or slow?"
INTRODUCTION = (
    "A deep plain network may be unable to learn, or it may learn slowly. He et al. 2015 (4.1) "
    "conjecture the latter: that its convergence rate is exponentially low. Here the number of "
    "iterations to reach an error, a fraction of chance error, is compared across depths. If each "
    "layer multiplies these iterations by the same factor, the growth is exponential. If they grow "
    "like a power of depth, each doubling of the depth multiplies them by the same factor. A run "
    "is evaluated only at intervals, so its time is known to lie between two evaluations. A run "
    "that never reaches the error is not excluded: its time is known to be longer than its "
    "training run (right-censored). Both forms are fitted to all runs by maximum likelihood, and "
    "the one with the higher likelihood is preferred. A learning-rate drop changes how fast a "
    "network learns, so the two forms are compared over the iterations before the first drop: a "
    "run that reaches the error later is treated as censored at that drop. Such a fit assumes that "
    "every run would eventually reach the error. It cannot distinguish a very slow network from a "
    "stuck one; only longer training can."
)


def build(frame: Frame, margin: float) -> Explanation | None:
    """Explain how the number of iterations to reach an error grows with depth.

    Returns None if no family has two depths.
    """
    runs, times = _measure(frame)
    if times.empty or times.groupby("family")["depth"].nunique().max() < 2:
        return None
    plain, milestones = family_pair(frame.runs).plain, find_common_milestones(runs)
    fits = fit_both_forms(times[times["family"] == plain], milestones)
    drawn_fits = [fit for fit in fits.values() if isinstance(fit, GrowthFit)]
    plot = figure.plot(times, drawn_fits, plain, float(HALF), milestones)
    figures = {"convergence": (plot, figure.CAPTION)}
    claims = judge(frame, margin)
    return Explanation("convergence", TITLE, INTRODUCTION, claims, summarise(times), figures)


def judge(frame: Frame, _margin: float) -> list[Claim]:
    """Return the claims: plain networks are exponentially slow, residual ones slow down less."""
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


def _measure(frame: Frame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the runs of both families, and the times of those that have finished."""
    pair = family_pair(frame.runs)
    runs = frame.runs[frame.runs["family"].isin([pair.plain, pair.residual])]
    finished_runs = runs[runs["state"].isin([*FINISHED_STATES])]
    return runs, measure_times(finished_runs, frame.curves)
