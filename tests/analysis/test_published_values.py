"""The published numbers, written out a second time."""

import pytest

from analysis.published_values import SOURCES, find_published

PLAIN_34 = ("plain", "none", 34)
RESIDUAL_34 = [("residual", shortcut, 34) for shortcut in "ABC"]
BOTTLENECKS = [("residual", "B", depth) for depth in (50, 101, 152)]


def find_one(family, depth, source, metric="test/error", **fields):
    """Return the one published value of a CIFAR-10 network."""
    (value,) = find_published(
        data="cifar10", family=family, depth=depth, source=source, metric=metric, **fields
    )
    return value


@pytest.mark.parametrize(
    ("depth", "error", "millions"),
    [
        (20, 8.75, 0.27),
        (32, 7.51, 0.46),
        (44, 7.17, 0.66),
        (56, 6.97, 0.85),
        (110, 6.61, 1.7),
        (1202, 7.93, 19.4),
    ],
)
def test_table_6(depth, error, millions):
    assert find_one("residual", depth, "H15", best=False).value == error
    parameters = find_one("residual", depth, "H15", "parameters").value
    assert parameters == pytest.approx(millions * 1e6)


def test_table_6_has_mean_and_best_of_110_layers():
    mean = find_one("residual", 110, "H15", best=False)
    best = find_one("residual", 110, "H15", best=True)
    assert (mean.sd, mean.runs) == (0.16, 5)
    assert (best.value, best.runs) == (6.43, 5)


def test_training_error_of_1202_layers_is_a_bound():
    value = find_one("residual", 1202, "H15", "train/clean_error")
    assert (value.value, value.low, value.high) == (None, None, 0.1)


@pytest.mark.parametrize(
    ("depth", "parameters", "millions"),
    [
        (20, 269722, 40.6),
        (32, 464154, 68.9),
        (44, 658586, 97.2),
        (56, 853018, 125.5),
        (110, 1727962, 252.9),
        (1202, 19421274, 2829.0),
    ],
)
def test_plain_and_residual_have_equal_complexity(depth, parameters, millions):
    """Option A has no parameters; `millions` of multiply-adds."""
    for family in ("plain", "residual"):
        assert find_one(family, depth, "G", "parameters").value == parameters
        multiply_adds = find_one(family, depth, "G", "multiply_adds").value
        assert multiply_adds == pytest.approx(millions * 1e6)


@pytest.mark.parametrize(
    ("depth", "numbers", "by_eye", "text"),
    [
        (20, (None, 9, 9.5), True, "~9 to 9.5"),
        (32, (10, None, None), True, "~10"),
        (44, (12, None, None), True, "~12"),
        (56, (None, 13, 13.5), True, "~13 to 13.5"),
        (110, (None, 60, None), False, "above 60"),  # the caption says so
    ],
)
def test_figure_6_is_read_by_eye(depth, numbers, by_eye, text):
    value = find_one("plain", depth, "H15")
    assert (value.value, value.low, value.high) == numbers
    assert value.by_eye is by_eye
    assert value.format() == text


@pytest.mark.parametrize(
    ("family", "depth", "training", "test"),
    [
        ("plain", 20, 0.74, 9.69),
        ("plain", 32, 0.79, 10.04),
        ("plain", 44, 2.76, 11.56),
        ("plain", 56, 3.33, 13.07),
        ("residual", 20, 0.40, 8.04),
        ("residual", 32, 0.12, 7.79),
        ("residual", 44, 0.05, 7.51),
        ("residual", 56, 0.04, 7.46),
    ],
)
def test_first_reproduction(family, depth, training, test):
    assert find_one(family, depth, "P1", "train/augmented_error").value == training
    assert find_one(family, depth, "P1").value == test
    assert len(find_published(source="P1")) == 16


@pytest.mark.parametrize(
    ("family", "depth", "mean", "sd"),
    [
        ("plain", 20, 9.78, 0.13),
        ("plain", 56, 12.95, 0.22),
        ("residual", 20, 8.51, 0.22),
        ("residual", 56, 7.40, 0.27),
        ("residual", 110, 7.14, 0.20),
    ],
)
def test_second_reproduction(family, depth, mean, sd):
    value = find_one(family, depth, "P2")
    assert (value.value, value.sd, value.runs) == (mean, sd, 5)
    assert len(find_published(source="P2")) == 5


def test_warmup_of_the_second_reproduction_is_noted():
    assert "never returned to 0.1" in find_one("residual", 110, "P2").note


@pytest.mark.parametrize(
    ("family", "depth", "training", "validation"),
    [
        ("plain", 20, 0.87, 8.80),
        ("plain", 32, 1.07, 10.40),
        ("plain", 44, 3.33, 11.44),
        ("plain", 56, 5.16, 11.96),
        ("residual", 20, 0.42, 7.92),
        ("residual", 32, 0.17, 7.44),
        ("residual", 44, 0.08, 7.06),
        ("residual", 56, 0.05, 6.58),
    ],
)
def test_third_reproduction_has_no_test_error(family, depth, training, validation):
    value = find_one(family, depth, "P3", "validation/error")
    assert (value.value, value.runs) == (validation, 1)
    assert value.note == "validation error, trained on 45,000 images"
    assert find_one(family, depth, "P3", "train/running_error").value == training
    assert len(find_published(source="P3")) == 16
    assert find_published(source="P3", metric="test/error") == []


@pytest.mark.parametrize(
    ("family", "depth", "training", "test"),
    [
        ("plain", 20, 1.21, 8.84),
        ("plain", 32, 1.54, 10.18),
        ("plain", 44, 2.79, 11.58),
        ("plain", 56, 4.36, 11.70),
        ("residual", 20, 1.13, 9.14),
        ("residual", 32, 0.43, 8.32),
        ("residual", 44, 0.24, 8.22),
        ("residual", 56, 0.11, 6.68),
        ("residual", 110, 0.05, 6.68),
    ],
)
def test_fourth_reproduction_names_its_deviations(family, depth, training, test):
    value = find_one(family, depth, "P4")
    assert (value.value, value.runs) == (test, 1)
    clips = (family, depth) == ("plain", 56)
    assert value.note == ("183 epochs, gradients clipped" if clips else "183 epochs")
    assert find_one(family, depth, "P4", "train/running_error").value == training
    assert len(find_published(source="P4")) == 18


def imagenet_errors(where, metric):
    values = find_published(data="imagenet", where=where, metric=metric)
    return {(value.family, value.shortcut, value.depth): value.value for value in values}


def test_table_2():
    assert imagenet_errors("table 2", "test/ten_crop_error") == {
        ("plain", "none", 18): 27.94,
        ("plain", "none", 34): 28.54,
        ("residual", "A", 18): 27.88,
        ("residual", "A", 34): 25.03,
    }


@pytest.mark.parametrize(
    ("metric", "errors"),
    [
        ("test/ten_crop_error", [28.54, 25.03, 24.52, 24.19, 22.85, 21.75, 21.43]),
        ("test/ten_crop_top5_error", [10.02, 7.76, 7.46, 7.40, 6.71, 6.05, 5.71]),
    ],
)
def test_table_3(metric, errors):
    networks = [PLAIN_34, *RESIDUAL_34, *BOTTLENECKS]
    expected = dict(zip(networks, errors, strict=True))
    assert imagenet_errors("table 3", metric) == expected


@pytest.mark.parametrize(
    ("fields", "billions"),
    [
        ({"source": "H15", "family": "residual"}, [1.8, 3.6, 3.8, 7.6, 11.3]),
        ({"source": "G", "stride": "1x1"}, [3.86, 7.57, 11.28]),
        ({"source": "G", "stride": "3x3"}, [4.09, 7.80, 11.51]),
        ({"source": "G", "depth": 34, "shortcut": "B"}, [3.66]),
    ],
)
def test_imagenet_multiply_adds_depend_on_the_stride(fields, billions):
    values = find_published(data="imagenet", metric="multiply_adds", **fields)
    assert [value.value / 1e9 for value in values] == pytest.approx(billions)


def test_every_number_has_a_source_and_a_place():
    values = find_published()
    assert all(value.source in SOURCES and value.where for value in values)
    assert len(set(values)) == len(values)
