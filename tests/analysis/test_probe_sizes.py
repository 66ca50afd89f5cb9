"""Probes of different samples are never averaged: what most runs have is shown, and the rest is named."""

from dataclasses import replace

import pandas as pd
import pytest

from analysis.figures import style
from analysis.mechanisms import explain_mechanisms
from analysis.probes import select_sample_size
from analysis.report import build
from tests.support.probe_tables import EXPLODING, LEVEL, gradient_flow_table


def sized(pictures, norms=LEVEL, seeds=(0, 1, 2)):
    """The probe of gradient flow of plain-20, of these seeds, on so many images."""
    table = gradient_flow_table({"plain": {20: {0: norms, 400: norms}}}, seeds=3)
    return table[table["seed"].isin(seeds)].assign(pictures=pictures)


@pytest.fixture
def probed(frame_of):
    style.apply()

    def made(*tables):
        frame = frame_of({"plain": {20: [1.0, 2.0, 3.0]}})
        return replace(frame, probes={"gradient_flow": pd.concat(tables, ignore_index=True)})

    return made


def test_one_size_is_kept_whole_and_nothing_is_said():
    kept, sentences = select_sample_size(sized(128))
    assert len(kept) == len(sized(128))
    assert sentences == []


@pytest.mark.parametrize("most", [64, 128, 256])
def test_the_size_that_most_runs_have_is_kept(most):
    table = pd.concat([sized(most, seeds=(0, 1)), sized(100, seeds=(2,))])
    kept, sentences = select_sample_size(table)
    assert set(kept["pictures"]) == {most}
    assert set(kept["seed"]) == {0, 1}
    assert sentences == [
        f"Only measurements on {most} images are used; excluded are those on another number of"
        " images: plain-d20-s2 (100 images)."
    ]


def test_of_two_sizes_of_equally_many_runs_the_larger_is_kept():
    kept, _ = select_sample_size(pd.concat([sized(64, seeds=(0,)), sized(128, seeds=(1,))]))
    assert set(kept["pictures"]) == {128}


def test_of_sizes_of_the_same_runs_the_one_with_most_moments_is_kept():
    late = sized(256)
    kept, sentences = select_sample_size(pd.concat([sized(128), late[late["iteration"] == 400]]))
    assert set(kept["pictures"]) == {128}
    assert not kept.duplicated(["run_id", "iteration", "block"]).any()
    assert sentences[0].endswith(
        "plain-d20-s0 (256 images), plain-d20-s1 (256 images), plain-d20-s2 (256 images)."
    )


def test_many_runs_of_another_size_are_counted():
    others = [sized(64 + seed, seeds=(seed,)) for seed in range(3)]
    other = sized(50, seeds=(0, 1, 2))
    _, sentences = select_sample_size(pd.concat([*others, other]))
    assert "plain-d20-s2 (66 images)." in sentences[0]
    _, sentences = select_sample_size(
        pd.concat([sized(64), *others[1:], other.assign(pictures=51), other.assign(pictures=52)])
    )
    assert sentences[0].endswith(" and 5 more.")


def test_a_run_of_another_size_changes_no_number_and_is_named(probed):
    """On another sample its gradients explode, which would contradict the claim."""
    alone = explain_mechanisms(probed(sized(128, seeds=(0, 1))), 2.0)
    mixed = explain_mechanisms(
        probed(sized(128, seeds=(0, 1)), sized(32, EXPLODING, seeds=(2,))), 2.0
    )
    (before,), (after,) = (
        [one for one in found if one.name == "gradient-flow"] for found in (alone, mixed)
    )
    pd.testing.assert_frame_equal(before.table, after.table)
    assert after.claims[0].verdict is before.claims[0].verdict
    assert after.claims[0].decisive == before.claims[0].decisive
    sentence = (
        "Only measurements on 128 images are used; excluded are those on another number of images:"
        " plain-d20-s2 (32 images)."
    )
    assert after.introduction.endswith(sentence)
    assert after.claims[0].notes == [
        sentence,
        "1 of 3 runs without this probe: plain-d20-s2 (done)",
    ]
    assert sentence not in before.introduction


def test_the_terminal_says_which_runs_are_not_shown(probed, tmp_path):
    frame = probed(sized(128, seeds=(0, 1)), sized(32, seeds=(2,)))
    report = build(frame, tmp_path, "mine", "", {"digits": 2.0})
    assert "plain-d20-s2 (32 images)." in report.format_verdicts()
    assert "plain-d20-s2 (32 images)." in report.page.read_text()
