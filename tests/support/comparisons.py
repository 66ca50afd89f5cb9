"""What the tests of comparisons share: errors by depth, and claims at the edge of their bounds."""

from analysis.comparisons import judge_each_comparison
from tests.support.frames import join_frames

# Training errors in percent, by depth and seed.
PLAIN = {20: [1.5, 1.7, 1.6], 56: [51.0, 53.0, 50.0]}
LOW = {20: [0.9, 0.7, 0.8], 56: [0.7, 0.5, 0.4]}
HIGH = {20: [9.0, 9.5, 9.2], 56: [40.0, 41.0, 40.5]}


def join_conditions(build_frame, conditions):
    """Return one frame of (errors by family and depth, columns) pairs.

    The run ids begin with the number of their pair.
    """
    frames = [build_frame(errors, **columns) for errors, columns in conditions]
    return join_frames(frames, range(len(frames)))


def judge_comparisons(frame, margin=2.0):
    """Return the claims of all comparisons by name."""
    judged = judge_each_comparison(frame, {"digits": margin})
    return {claim.name: claim for _title, claims in judged for claim in claims}


def judge_around(frame, name, bound, below, above):
    """Assert a claim's verdicts with the margin just below and just above a bound.

    Returns the claim's decisive lines at both.
    """
    claims = [judge_comparisons(frame, bound + offset)[name] for offset in (-1e-6, 1e-6)]
    assert [claim.verdict for claim in claims] == [below, above]
    return [claim.decisive_line for claim in claims]


def constructed_frame(build_frame, errors, start=(1.5, 1.7, 1.6)):
    """Return constructed networks with these errors by depth, beside the plain ones of PLAIN.

    `start` is the training error of each seed before training; by default the parent's.
    """
    frame = build_frame({"plain": PLAIN, "constructed": errors})
    constructed = frame.runs["family"] == "constructed"
    at_start = [start[seed] for seed in frame.runs.loc[constructed, "seed"]]
    frame.runs.loc[constructed, "training_error_at_start"] = at_start
    return frame
