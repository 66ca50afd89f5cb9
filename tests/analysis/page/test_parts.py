"""The parts of the page: badges, evidence, terms, formulas, pictures and the table of runs."""

import base64
import io
import math
import re
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest
from PIL import Image

import analysis.page
from analysis.claim import Check, Claim, Finding, Verdict, training_error_difference
from analysis.difference_line import DifferenceLine
from analysis.estimates import Difference
from analysis.evidence import compare_groups
from analysis.mechanism_texts import gradient_identity
from analysis.page.badges import build_badge
from analysis.page.evidence_table import arrange_evidence
from analysis.page.figure_images import PagePictures, embed_picture
from analysis.page.formulas import typeset, write_math
from analysis.page.glossary import TERMS, Glossary
from analysis.page.overview import list_concerns, list_facts
from analysis.page.run_table import MAX_RUNS, build_run_table


@pytest.mark.parametrize(
    ("claim", "tone"),
    [
        (Claim("c", "", Verdict.REPRODUCED, ""), "reproduced"),
        (Claim("c", "", Verdict.CONTRADICTED, ""), "contradicted"),
        (Claim("c", "", Verdict.INCONCLUSIVE, ""), "inconclusive"),
        (Claim("c", "", Verdict.NOT_TESTED, ""), "not-tested"),
        (Claim("c", "", Verdict.REPRODUCED, "", is_negligible=True), "inconclusive"),
        (Finding("f", "", Verdict.REPRODUCED, "", answer="differs"), "answered"),
        (Finding("f", "", Verdict.INCONCLUSIVE, ""), "inconclusive"),
        (Check("k", "", Verdict.REPRODUCED, ""), "answered"),
        (Check("k", "", Verdict.CONTRADICTED, ""), "contradicted"),
    ],
)
def test_badge_says_the_outcome_in_words_and_colour(claim, tone):
    badge = build_badge(claim)
    assert (badge.words, badge.tone) == (claim.outcome, tone)
    assert badge.symbol


def make_runs(errors):
    return pd.DataFrame({"seed": range(len(errors)), "training_error": errors, "error_step": 0.0})


def decided_by(lines, label, bound_count=1):
    """Return a claim with this evidence that rests on the difference with this label."""
    decides = {"deciding_label": label, "bound_count": bound_count}
    return Claim("c", "", Verdict.REPRODUCED, f"worst case, {label}: +1", lines, **decides)


def test_lines_of_differences_become_rows_of_a_table():
    deep, shallow = make_runs([5.0, 7.0, 6.0]), make_runs([1.0, 2.0, 1.0])
    difference = training_error_difference(deep, shallow)
    fewer = make_runs([1.0, 2.0])
    unpaired = training_error_difference(deep, fewer)
    lines = [
        compare_groups("56 minus 20 layers", difference, deep, shallow),
        compare_groups("56 minus 8 layers", unpaired, deep, fewer, "this network is untrained"),
        "trend 0.9",
    ]
    evidence = arrange_evidence(decided_by(lines, "56 minus 20 layers"))
    first, second = evidence.rows
    assert (first.label, first.mean, first.decides) == ("56 minus 20 layers", "+4.67", True)
    assert first.lower == f"{difference.lower:+.2f}"
    assert first.interval == f"{difference.low:+.2f} to {difference.high:+.2f}"
    assert first.paired
    assert second.label == "56 minus 8 layers (this network is untrained)"
    assert (second.paired, second.decides) == ("", False)
    assert (evidence.lines, evidence.decisive_line) == (["trend 0.9"], "")


def test_only_the_row_that_decides_is_marked():
    equal = Difference(1.0, 0.1, 4.0)
    lines = [DifferenceLine(f"{depth} minus 8 layers", equal) for depth in (20, 120)]
    rows = arrange_evidence(decided_by(lines, "120 minus 8 layers")).rows
    assert [row.decides for row in rows] == [False, True]


def test_decisive_line_stays_if_the_table_lacks_its_bound():
    line = DifferenceLine("56 minus 20 layers", Difference(1.0, 0.1, 4.0))
    assert arrange_evidence(decided_by([line], line.label, bound_count=2)).decisive_line
    assert arrange_evidence(decided_by([line], "another")).decisive_line
    # The numbers of another line say nothing about this one.
    claim = Claim("c", "", Verdict.REPRODUCED, "12 fractions, bound 3", ["3 runs of 12 seeds"])
    assert arrange_evidence(claim).decisive_line == "12 fractions, bound 3"
    assert arrange_evidence(claim, shown="12 fractions, bound 3").decisive_line == ""
    repeated = Claim("c", "", Verdict.NOT_TESTED, "needs 2 seeds", ["needs 2 seeds"])
    assert arrange_evidence(repeated, shown="needs 2 seeds").lines == []
    assert arrange_evidence(repeated).lines == ["needs 2 seeds"]


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("x_(l+1)", "<msub><mi>x</mi><mrow><mi>l</mi><mo>+</mo><mn>1</mn></mrow></msub>"),
        ("n/2", "<mfrac><mi>n</mi><mn>2</mn></mfrac>"),
        ("2^n", "<msup><mn>2</mn><mi>n</mi></msup>"),
        ("F'^T", "<msup><mi>F</mi><mrow><mo>&#8242;</mo><mi>T</mi></mrow></msup>"),
    ],
)
def test_formulas_become_mathml(formula, expected):
    markup = write_math(formula)
    assert expected in markup
    ElementTree.fromstring(str(markup))


@pytest.mark.parametrize("text", ["census.py --all", "a_", "(x", "x)", "", "a < <b>&"])
def test_what_is_no_formula_is_shown_as_escaped_code(text):
    markup = str(write_math(text))
    assert markup.startswith("<code>")
    assert "<b>" not in markup


def test_every_formula_of_the_mechanisms_is_typeset():
    html = typeset(gradient_identity.DETAILS)
    formulas = gradient_identity.DETAILS.count("`") // 2
    assert html.count("<math") == formulas >= 4
    assert "<code>" not in html


def test_each_term_is_explained_once_per_part():
    glossary = Glossary()
    text = "Seeds <b>: a seed, and a margin"
    html = glossary.explain(text)
    assert re.findall(r'popovertarget="term-([\w-]+)"', html) == ["seed", "margin"]
    assert "&lt;b&gt;" in html
    assert "popovertarget" not in glossary.explain("seed")
    assert glossary.begin_part() == ""
    assert "popovertarget" in glossary.explain("seed")
    assert sorted(glossary.used) == ["margin", "seed"]


def test_terms_of_the_first_screen_are_defined_without_each_other():
    names = {term.name for term in TERMS}
    assert {"plain", "residual", "clean", "margin", "bound", "seed"} <= names
    assert all(len(term.definition.split()) <= 45 for term in TERMS)


def test_picture_is_lighter_and_keeps_its_colours(tmp_path):
    path = tmp_path / "figure.png"
    figure = Image.effect_noise((3200, 800), 90).convert("RGBA")
    figure.paste((255, 255, 255, 0), (0, 0, 800, 800))  # transparent
    figure.paste((213, 94, 0, 255), (200, 200, 400, 400))  # the colour of plain networks
    figure.save(path)
    contents = base64.b64decode(embed_picture(path).removeprefix("data:image/webp;base64,"))
    picture = Image.open(io.BytesIO(contents))
    assert (picture.mode, picture.size) == ("RGB", (1440, 360))
    assert len(contents) < path.stat().st_size / 3
    assert picture.getpixel((20, 20)) == (255, 255, 255)
    differences = zip(picture.getpixel((135, 135)), (213, 94, 0), strict=True)
    assert all(abs(actual - expected) <= 6 for actual, expected in differences)


def test_pictures_beyond_the_budget_are_not_embedded(tmp_path):
    path = tmp_path / "figure.png"
    Image.new("RGB", (10, 10)).save(path)
    narrow = {"figure": Image.new("RGB", (5, 10))}
    pictures = PagePictures(tmp_path, narrow, remaining=1)
    assert pictures.embed("figure").startswith("data:")
    assert pictures.embed("figure") == pictures.embed_narrow("figure") == ""


def test_table_of_many_runs_is_bounded_and_failures_come_first(build_frame):
    count = MAX_RUNS + 5
    errors = [float(number % 80) for number in range(count)]
    frame = build_frame({"plain": {20: errors}}, ended_at=math.nan, seconds=1.0)
    frame.runs.loc[count - 1, ["state", "ended_at", "reason"]] = ["failed", 7, "no memory"]
    table = build_run_table(frame.runs.assign(condition=""), with_condition=False)
    assert (len(table.rows), table.total) == (MAX_RUNS, count)
    assert table.rows[0][:2] == [f"plain-d20-s{count - 1}", "failed at iteration 7: no memory"]
    few = build_run_table(frame.runs.head(3).assign(condition="width 4"), with_condition=True)
    assert [row[1] for row in few.rows] == ["width 4"] * 3


def test_quiet_line_says_data_runs_seeds_device_time_and_date(build_frame):
    columns = {"seconds": 90.0, "end_time": 1_795_708_381.0}
    frame = build_frame({"plain": {20: [1.0, 2.0], 56: [3.0, 4.0]}}, **columns)
    assert list_facts(frame) == [
        "scikit-learn's handwritten digits (8x8 pixels, 10 classes)",
        "4 runs",
        "2 seeds",
        "cpu",
        "6 min of training, summed over runs",
        "clean training error",
        "last run finished on 26 November 2026",
    ]
    assert list_concerns(frame) == []
    frame.runs.loc[0, "state"] = "failed"
    frame.runs.loc[1, "code"] = "outdated"
    frame.runs["end_time"] = 1e300  # no calendar has it
    assert list_concerns(frame) == ["1 run failed", "1 run trained by older code"]
    assert list_facts(frame)[1] == "3 of 4 runs done"
    assert not any("last run" in fact for fact in list_facts(frame))


def test_images_of_ones_own_are_described_as_far_as_known(build_frame):
    frame = build_frame({"plain": {20: [1.0]}}, data="image_folder", chance=200 / 3)
    frame.runs["train_images"] = 180
    frame.runs["error_step"] = 100 / 5120  # of the running error: it is averaged over batches
    assert list_facts(frame)[0] == (
        "the user's own images (180 training images, chance error 66.7 %)"
    )
    frame.runs["config.data.size"] = 32
    assert list_facts(frame)[0].startswith("the user's own images (32x32 pixels, 180 training")


def test_resized_images_are_described_by_both_sides(build_frame):
    frame = build_frame({"plain": {20: [1.0, 2.0]}}, data="cifar10")
    frame.runs["config.data.size"] = 16
    text = "CIFAR-10 (photographs of 32x32 pixels, 10 classes, resized to 16x16 pixels"
    assert list_facts(frame)[0].startswith(text)
    frame.runs["config.data.size"] = [16, None]  # a sweep over the size
    assert "resized" not in list_facts(frame)[0]


def read_variables(block):
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6})", block))


def luminance(colour):
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    channels = [int(digits[start : start + 2], 16) / 255 for start in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first, second):
    bright, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def test_text_has_a_contrast_of_at_least_4_5_in_light_and_dark():
    style = (Path(analysis.page.__file__).parent / "style.css").read_text()
    light = read_variables(style[: style.index("@media")])
    dark = light | read_variables(style[style.index("@media") : style.index("* { box-sizing")])
    assert light["surface"] != dark["surface"]
    for colours in (light, dark):
        for name in ("ink", "muted", "link"):
            for back in ("surface", "panel"):
                assert contrast(colours[name], colours[back]) >= 4.5, (name, back)
        for tone in ("reproduced", "contradicted", "inconclusive", "answered"):
            assert contrast(colours[tone], colours[f"{tone}-back"]) >= 4.5, tone
