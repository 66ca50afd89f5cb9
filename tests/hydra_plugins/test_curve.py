"""The table of errors that a sweep has reached so far."""

from hydra_plugins.sweep_launcher._curve import Curve, CurvePoint


def build(*points):
    curve = Curve()
    for point in points:
        curve.add(CurvePoint(*point))
    return curve


def test_table_has_the_mean_of_each_series_at_each_position():
    curve = build(("plain", 20, 0), ("plain", 20, 1), ("plain", 56, 0), ("residual", 56, 0))
    curve.update(CurvePoint("plain", 20, 0), 1.0)
    curve.update(CurvePoint("plain", 20, 1), 2.0)
    curve.update(CurvePoint("residual", 56, 0), 90.0)
    curve.update(CurvePoint("residual", 56, 0), 12.34)
    assert [line.split() for line in curve.format_lines()] == [
        ["error", "so", "far,", "%", "20", "56"],
        ["plain", "1.5", "-"],
        ["residual", "-", "12.3"],
    ]


def test_no_table_without_errors():
    curve = build(("plain", 20, 0))
    assert curve.format_lines() == []
    curve.update(CurvePoint("plain", 20, 0), float("nan"))
    assert curve.format_lines() == []


def test_jobs_that_differ_otherwise_have_no_mean():
    """Two widths of one network and seed: their mean would say nothing."""
    curve = build(("plain", 20, 0), ("plain", 20, 0))
    curve.update(CurvePoint("plain", 20, 0), 1.0)
    assert curve.format_lines() == []
