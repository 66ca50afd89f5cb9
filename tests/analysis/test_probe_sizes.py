"""Measurements on samples of different sizes are never averaged.

The size that most runs have is selected, and the other runs are named.
"""

from dataclasses import replace

import pandas as pd
import pytest

from analysis.figures import style
from analysis.mechanisms import explain_mechanisms
from analysis.probes import select_sample_size
from analysis.report import build
from tests.support.probe_tables import EXPLODING, LEVEL, gradient_flow_table


def measured_on(images, norms=LEVEL, seeds=(0, 1, 2)):
    """Return the gradient flow of plain-20 for these seeds, measured on this many images."""
    table = gradient_flow_table({"plain": {20: {0: norms, 400: norms}}}, seeds=3)
    return table[table["seed"].isin(seeds)].assign(pictures=images)


def concat(*tables):
    return pd.concat(tables, ignore_index=True)


@pytest.fixture
def probed(build_frame):
    """Tables of gradient flow -> a frame of three plain runs with these rows."""
    style.apply()

    def build_probed_frame(*tables):
        frame = build_frame({"plain": {20: [1.0, 2.0, 3.0]}})
        return replace(frame, probes={"gradient_flow": concat(*tables)})

    return build_probed_frame


def test_one_sample_size_is_selected_silently():
    selected, sentences = select_sample_size(measured_on(128))
    assert len(selected) == len(measured_on(128))
    assert sentences == []


@pytest.mark.parametrize("images", [64, 128, 256])
def test_sample_size_of_most_runs_is_selected(images):
    table = concat(measured_on(images, seeds=(0, 1)), measured_on(100, seeds=(2,)))
    selected, sentences = select_sample_size(table)
    assert set(selected["pictures"]) == {images}
    assert set(selected["seed"]) == {0, 1}
    assert sentences == [
        f"Only measurements on {images} images are used. Runs measured on a different number"
        " of images are excluded: plain-d20-s2 (100 images)."
    ]


def test_larger_of_two_equally_frequent_sizes_is_selected():
    table = concat(measured_on(64, seeds=(0,)), measured_on(128, seeds=(1,)))
    selected, _ = select_sample_size(table)
    assert set(selected["pictures"]) == {128}


def test_size_with_more_time_points_is_selected():
    late = measured_on(256)
    late = late[late["iteration"] == 400]
    selected, sentences = select_sample_size(concat(measured_on(128), late))
    assert set(selected["pictures"]) == {128}
    assert not selected.duplicated(["run_id", "iteration", "block"]).any()
    assert sentences[0].endswith(
        "plain-d20-s0 (256 images), plain-d20-s1 (256 images), plain-d20-s2 (256 images)."
    )


def test_three_excluded_runs_are_named_and_the_rest_counted():
    others = [measured_on(64 + seed, seeds=(seed,)) for seed in range(3)]
    other = measured_on(50)
    _, sentences = select_sample_size(concat(*others, other))
    assert "plain-d20-s2 (66 images)." in sentences[0]
    more = (other.assign(pictures=51), other.assign(pictures=52))
    _, sentences = select_sample_size(concat(measured_on(64), *others[1:], *more))
    assert sentences[0].endswith(" and 5 more.")


def test_run_of_another_size_changes_no_number(probed):
    """On the other sample the gradients explode, which would contradict the claim."""

    def explain(*tables):
        explanations = explain_mechanisms(probed(*tables), 2.0)
        (flow,) = [
            explanation for explanation in explanations if explanation.name == "gradient-flow"
        ]
        return flow

    same_size = measured_on(128, seeds=(0, 1))
    before = explain(same_size)
    after = explain(same_size, measured_on(32, EXPLODING, seeds=(2,)))
    pd.testing.assert_frame_equal(before.table, after.table)
    assert after.claims[0].verdict is before.claims[0].verdict
    assert after.claims[0].decisive_line == before.claims[0].decisive_line
    sentence = (
        "Only measurements on 128 images are used. Runs measured on a different number of images"
        " are excluded: plain-d20-s2 (32 images)."
    )
    assert after.details.endswith(sentence)
    assert after.claims[0].notes == [
        sentence,
        "1 of 3 runs lack this probe: plain-d20-s2 (done)",
    ]
    assert sentence not in before.details


@pytest.mark.slow
def test_report_names_runs_of_another_size(probed, tmp_path):
    frame = probed(measured_on(128, seeds=(0, 1)), measured_on(32, seeds=(2,)))
    report = build(frame, tmp_path, "mine", "", {"digits": 2.0})
    assert "plain-d20-s2 (32 images)." in report.page.read_text()
