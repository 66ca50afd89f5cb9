"""The headline of a report: true for every outcome, with numbers that the runs have."""

import re
from itertools import product

import pytest
from scipy.stats import ttest_ind

from analysis.claim import Verdict
from analysis.claims import judge
from analysis.condition_claims import judge_condition
from analysis.headline import write_headline
from analysis.sections import Section
from tests.support.frames import join_frames

WORSE = {20: [1.0, 1.2, 1.1], 56: [57.0, 59.0, 58.0]}
FLAT = {20: [0.3, 0.5, 0.4], 56: [0.3, 0.2, 0.4]}
WIDE = {20: [2.0, 9.0, 3.0], 56: [5.0, 30.0, 20.0]}
BETTER = {20: [57.0, 59.0, 58.0], 56: [1.0, 1.2, 1.1]}
UNTRAINED = {20: [89.0, 88.5, 89.9], 56: [90.0, 89.0, 89.5]}
SHAPES = {
    "worse": WORSE,
    "flat": FLAT,
    "wide": WIDE,
    "better": BETTER,
    "untrained": UNTRAINED,
    "deepest untrained": WORSE | {110: [89.0, 88.5, 89.9]},
    "one depth": {56: [30.0, 31.0, 32.0]},
    "one seed": {20: [1.0], 56: [50.0]},
    "absent": {},
}
# Each shape beside networks that degrade, that do not, and that are absent.
PARTNERS = ("worse", "flat", "absent")
PAIRS = sorted(
    {(a, b) for a, b in product(SHAPES, repeat=2) if {a, b} & {*PARTNERS}} - {("absent", "absent")}
)
# Words that state what a verdict must have shown.
RISES = re.compile(r"(?:^|\. )(?:Plain networks|Networks with shortcuts) get worse")
FALLS_SHORT = re.compile(r"(?:Plain networks|Networks with shortcuts|With shortcuts they) do not")


def write_text(frame, sections):
    headline = write_headline(frame, sections)
    return f"{headline.first} {headline.others}".strip()


def build_section(frame, margin=2.0, title=""):
    run_ids = tuple(frame.runs["run_id"])
    claims = judge(frame.runs, margin)  # no number is published for digits
    return Section(title, margin, claims, {}, run_ids=run_ids)


def head(frame, margin=2.0):
    """Return the headline of a frame of one condition without drawing the report."""
    return write_text(frame, [build_section(frame, margin)])


def build(build_frame, plain, residual):
    errors = {"plain": plain, "residual": residual}
    return build_frame({family: depths for family, depths in errors.items() if depths})


def set_state(frame, run_id, state):
    runs = frame.runs
    runs.loc[runs["run_id"] == run_id, "state"] = state
    if state != "diverged":
        runs.loc[runs["run_id"] == run_id, "training_error"] = float("nan")


def test_paper_is_reproduced(build_frame):
    assert head(build(build_frame, WORSE, FLAT)) == (
        "Plain networks get worse on their own training set as they get deeper: 1.1 % training"
        " error at 20 layers, 58 % at 56. With shortcuts they do not get worse by 2 points or more:"
        " 0.4 % and 0.3 %."
    )


def test_untrained_network_is_named_and_no_degradation(build_frame):
    text = head(build(build_frame, SHAPES["deepest untrained"], FLAT))
    assert "58 % at 56 (at 110 layers they do no better than chance)" in text
    assert "89 %" not in text


@pytest.mark.fast_cases(22)
@pytest.mark.parametrize(("plain", "residual"), PAIRS)
def test_words_match_the_verdicts(build_frame, plain, residual):
    """Every claim in words has its verdict, every verdict its words, and numbers are means."""
    frame = build(build_frame, SHAPES[plain], SHAPES[residual])
    section = build_section(frame)
    rises, absence, fix = (claim.verdict for claim in section.claims)
    text = write_text(frame, [section])
    sentences = re.split(r"(?<=\.) (?=[A-Z])", text)
    of_plain = next((s for s in sentences if "lain networks" in s), "")
    of_residual = next((s for s in sentences if "ith shortcuts" in s and s != of_plain), "")
    assert bool(RISES.search(of_plain)) == (rises is Verdict.REPRODUCED)
    assert bool(FALLS_SHORT.search(of_plain)) == (rises is Verdict.CONTRADICTED)
    assert bool(RISES.search(of_residual)) == (absence is Verdict.CONTRADICTED)
    assert bool(FALLS_SHORT.search(of_residual)) == (absence is Verdict.REPRODUCED)
    if "shortcuts lower the" in text and "not settled" not in text:
        assert fix is Verdict.REPRODUCED
    if "shortcuts do not lower" in text:
        assert fix is Verdict.CONTRADICTED
    assert_percentages_are_means(text, frame)


def assert_percentages_are_means(text, frame):
    means = frame.runs.groupby(["family", "depth"])["training_error"].mean()
    for number in re.findall(r"([\d.]+) %", text):
        half_unit = 0.501 * 10 ** -len(number.partition(".")[2])
        assert any(abs(mean - float(number)) <= half_unit for mean in means), number


def test_small_rise_is_called_less_than_the_margin(build_frame):
    rising = {20: [1.0, 1.2, 1.1], 56: [1.3, 1.5, 1.4]}
    text = head(build(build_frame, rising, FLAT))
    assert text.startswith("Plain networks do not get worse by 2 points or more on their own")


def test_close_errors_are_told_apart(build_frame):
    """On CIFAR the margin is 0.5: 24.6 and 25.4 % are no longer both 25 %."""
    plain = {20: [24.59, 24.60, 24.61], 56: [25.39, 25.40, 25.41]}
    assert "24.6 % training error at 20 layers, 25.4 % at 56" in head(
        build(build_frame, plain, {}), 0.5
    )


def test_one_depth_leads_with_the_gain(build_frame):
    text = head(build(build_frame, {56: [50.0, 52.0]}, {56: [1.0, 2.0]}))
    assert text.startswith("At 56 layers shortcuts lower the training error from 51 % to 1.5 %.")
    assert "Degradation is not tested: needs 2 depths of plain networks, has 1." in text


def test_one_family_says_what_is_lacking(build_frame):
    assert head(build(build_frame, WORSE, {})).endswith(
        "There are no networks with shortcuts to compare with."
    )
    assert head(build(build_frame, {}, FLAT)).endswith(
        "There are no plain networks to compare with."
    )


def test_networks_that_fail_are_not_said_not_to_get_worse(build_frame):
    """Two depths are alike, and two deeper ones are at chance: that may be degradation."""
    plain = {20: FLAT[20], 32: FLAT[56]} | dict.fromkeys((56, 110), UNTRAINED[20])
    text = head(build(build_frame, plain, FLAT))
    assert text.startswith(
        "Plain networks do not get worse by 2 points or more on their own training set from 20 to"
    )
    assert "(at 56 and 110 layers they do no better than chance)" in text
    assert "as they get deeper" not in text


@pytest.mark.parametrize(
    ("family", "state", "sentence"),
    [
        ("residual", "failed", "No run of networks with shortcuts has finished yet (6 failed)."),
        ("plain", "missing", "No run of plain networks has finished yet (6 missing)."),
    ],
)
def test_unfinished_networks_are_not_absent(build_frame, family, state, sentence):
    frame = build(build_frame, WORSE, FLAT)
    for run_id in frame.runs.loc[frame.runs["family"] == family, "run_id"]:
        set_state(frame, run_id, state)
    assert sentence in head(frame)
    assert "There are no" not in head(frame)


@pytest.mark.parametrize(
    ("depth", "error", "words"),
    [
        (32, 61.0, "from 20 to 56 layers: 1.1 % training error at 20 layers, 1.2 % at 56."),
        (32, 61.0, "In between the mean is higher: 61.0 % at 32 layers."),
        (44, 3.3, "In between the mean is higher: 3.3 % at 44 layers."),
    ],
)
def test_worse_depth_in_between_is_named(build_frame, depth, error, words):
    plain = {20: [1.0, 1.2, 1.1], depth: [error] * 3, 56: [1.2, 1.3, 1.1]}
    text = head(build(build_frame, plain, {}))
    assert text.startswith("Plain networks do not get worse by 2 points or more")
    assert words in text
    assert "as they get deeper" not in text


def test_rise_within_the_margin_in_between_is_not_denied(build_frame):
    """The claim is about every depth: 32 layers are worse, certainly, but by less than 2 points."""
    residual = {20: [1.0, 1.0, 1.05], 32: [1.9, 1.95, 1.9], 56: [0.0, 1.9, 0.6]}
    text = head(build(build_frame, WORSE, residual))
    assert "With shortcuts they do not get worse by 2 points or more" in text
    # the mean falls, but a rise that shows is not excluded either
    uncertain = {20: [1.0, 1.0, 1.05], 32: [0.9, 0.95, 0.9], 56: [0.0, 0.9, 0.6]}
    assert "they do not get worse by 2 points or more" in head(build(build_frame, WORSE, uncertain))
    falling = {20: [1.0, 1.0, 1.05], 32: [0.9, 0.95, 0.9], 56: [0.5, 0.6, 0.55]}
    assert "With shortcuts they do not:" in head(build(build_frame, WORSE, falling))


def test_repeated_seeds_are_not_averaged(build_frame):
    plain, residual = build(build_frame, WORSE, {}), build(build_frame, {}, FLAT)
    repeated = join_frames([plain, plain], "ab")
    assert "%" not in head(repeated)
    text = head(join_frames([repeated, residual], "xy"))
    assert "58 %" not in text
    assert "0.4 % at 20 layers, 0.3 % at 56" in text


def test_shortcuts_that_raise_the_error_are_reported(build_frame):
    section = build_section(build(build_frame, FLAT, WORSE))
    assert section.claims[2].plain_words.startswith(
        "At 56 layers shortcuts raise the training error by 58 points"
    )
    text = head(build(build_frame, FLAT, WORSE))
    assert "At 56 layers shortcuts raise the training error from 0.3 % to 58 %." in text
    alike = head(build(build_frame, FLAT, FLAT))
    assert "raise" not in alike


def test_absence_is_said_with_the_highest_bound(build_frame):
    """The mean of 32 layers is higher, but the bound of 56 layers is, for its spread."""
    residual = {20: [1.0] * 3, 32: [2.4] * 3, 56: [0.0, 1.5, 2.9]}
    runs = build(build_frame, WORSE, residual)
    claim = build_section(runs, 6.0).claims[1]
    assert claim.verdict is Verdict.REPRODUCED
    difference = ttest_ind(residual[56], residual[20], equal_var=False, alternative="less")
    bound = difference.confidence_interval(0.95).high
    assert f"at most {bound:.1f} points worse" in claim.plain_words
    assert "(56 layers: +0.5 points on average)" in claim.plain_words


def test_condition_without_a_finished_run_comes_last(build_frame):
    parts = [build(build_frame, WORSE, {}), build(build_frame, FLAT, {})]
    for run_id in parts[0].runs["run_id"]:
        set_state(parts[0], run_id, "missing")
    frame = join_frames(parts, "ab")
    sections = [
        Section(
            f"data set {prefix}",
            2.0,
            judge_condition(part, 2.0),
            {},
            run_ids=tuple(f"{prefix}:{run_id}" for run_id in part.runs["run_id"]),
        )
        for prefix, part in zip("ab", parts, strict=True)
    ]
    text = write_text(frame, sections)
    assert text.startswith("Data set b: Plain networks do not get worse")
    assert "Data set a: no run has finished yet (6 missing)." in text


def test_other_families_have_no_claims(build_frame):
    assert head(build_frame({"mine": WORSE})).startswith("The runs are neither of plain networks")


def test_no_finished_run_is_no_finding(build_frame):
    frame = build(build_frame, {20: [1.0, 2.0]}, {})
    set_state(frame, "plain-d20-s0", "missing")
    set_state(frame, "plain-d20-s1", "failed")
    assert head(frame) in (
        "No run has finished yet (1 missing and 1 failed).",
        "No run has finished yet (1 failed and 1 missing).",
    )


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("diverged", "Of 12 runs, 1 diverged and counts as chance."),
        ("failed", "Of 12 runs, 1 failed."),
        ("partial", "Of 12 runs, 1 has not finished."),
    ],
)
def test_runs_that_end_otherwise_are_counted(build_frame, state, words):
    frame = build(build_frame, WORSE, FLAT)
    set_state(frame, "plain-d56-s0", state)
    text = head(frame)
    assert text.endswith(words)
    if state != "diverged":
        assert text.startswith("No verdict yet on whether plain networks get worse")


def test_other_training_errors_are_called_so(build_frame):
    frame = build(build_frame, WORSE, FLAT)
    object.__setattr__(frame, "error_kind", "running")
    assert "1.1 % running training error at 20 layers" in head(frame)


def test_conditions_without_a_comparison_are_named(build_frame):
    parts = [build(build_frame, WORSE, {}), build(build_frame, FLAT, {})]
    frame = join_frames(parts, ["a", "b"])
    sections = []
    for prefix, part in zip("ab", parts, strict=True):
        run_ids = tuple(f"{prefix}:{run_id}" for run_id in part.runs["run_id"])
        claims = judge_condition(part, 2.0)
        sections.append(Section(f"data set {prefix}", 2.0, claims, {}, run_ids=run_ids))
    text = write_text(frame, sections)
    assert text.startswith("Data set a: Plain networks get worse")
    assert "Data set b: Plain networks do not get worse" in text
    assert write_text(frame, sections * 2).endswith("And 2 more conditions.")
