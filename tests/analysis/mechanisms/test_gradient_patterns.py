"""The patterns that the text names: only what a bound shows."""

from analysis.mechanism_texts.gradient_flow import Pattern
from analysis.mechanisms.gradient_flow import MAX_SPAN, measure_spans
from analysis.mechanisms.gradient_patterns import classify_gradients
from tests.support.probe_tables import EXPLODING, LEVEL, gradient_flow_table

VANISHING = EXPLODING[::-1]


def classify(norms, **keys):
    table = gradient_flow_table({"plain": {20: {0: LEVEL, 400: norms}}}, **keys)
    start, end = classify_gradients(measure_spans(table), MAX_SPAN)
    assert (start.depth, start.iteration, end.iteration) == (20, 0, 400)
    return end


def test_direction_of_growth_names_the_pattern():
    assert classify(LEVEL).pattern is Pattern.HEALTHY
    assert classify(EXPLODING).pattern is Pattern.EXPLODING
    assert classify(EXPLODING).reaches_start
    assert classify(VANISHING).pattern is Pattern.VANISHING
    assert not classify(VANISHING).reaches_start


def test_uncertain_span_has_no_pattern():
    """Three seeds whose spans are 10, 100 and 1,000 have a mean at the limit."""
    wide = classify([1.0, 1.0, 1.0, 0.1], seeds=3, spread=10.0)
    assert wide.pattern is Pattern.UNKNOWN
    assert wide.reaches_start  # the first norm is never smaller than the last


def test_gradient_of_zero_has_no_pattern():
    zero = classify([0.0, 1.0, 1.0, 1.0])
    assert zero.pattern is Pattern.UNKNOWN
    assert not zero.reaches_start
