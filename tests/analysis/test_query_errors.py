"""A query that is wrong, or selects nothing, is answered by what to type instead."""

import pandas as pd
import pytest

from analysis.query_errors import describe_invalid_query, list_values

RUNS = pd.DataFrame(
    {
        "family": ["plain", "residual"],
        "depth": [20, 56],
        "optim.lr": [0.1, 0.1],
        "test/error": [7.0, None],
        "model.block": ["my_blocks:SE@0123456789ab", "basic"],
    }
)


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("optim.lr > 0.01", "optim.lr needs backticks: `optim.lr`"),
        ("test/error < 7", "test/error needs backticks: `test/error`"),
        ("depht == 20", "depht: no such column (did you mean depth?)"),
        ("`optim.rl` == 1", "optim.rl: no such column (did you mean `optim.lr`?)"),
        ("lr == 0.1", "lr: no such column (did you mean `optim.lr`?)"),
        ("block == 'basic'", "block: no such column (did you mean `model.block`?)"),
        ("family == plain", "plain is text, which needs quotes: family == 'plain'"),
        ("xyz == 'depht'", "xyz: no such column;"),
    ],
)
def test_wrong_name_is_explained(query, problem):
    with pytest.raises((NameError, AttributeError)) as caught:
        RUNS.eval(query)
    message = describe_invalid_query(query, RUNS, caught.value)
    if problem.endswith(";"):  # nothing to suggest
        assert message.startswith(f"{problem} columns (")
        assert message.endswith("family, depth, optim.lr, test/error, model.block")
    else:
        assert message == problem
    assert "BACKTICK" not in message


@pytest.mark.parametrize(
    "query", ["depth = 20", "family = 'plain' and depth == 20", "(depth=20) or `optim.lr` == 0.1"]
)
def test_single_equals_sign_is_explained(query):
    error = ValueError("whatever pandas says")
    assert describe_invalid_query(query, RUNS, error) == "use == to compare, not ="


@pytest.mark.parametrize(
    "query",
    [
        "depth === 20",
        "family == 'a = b'",
        "depth >= 20 and depth <= 56 and depth != 32",
        "family.str.contains('p', case=False)",
        "family.str.contains(('p'), case=False) + 1",
    ],
)
def test_other_mistake_lists_no_columns(query):
    assert describe_invalid_query(query, RUNS, ValueError("two\nlines")) == "two lines"


@pytest.mark.parametrize(
    ("query", "values"),
    [
        ("`model.block` == 'SE'", "model.block: 'basic', 'my_blocks:SE@0123456789ab'"),
        ("depth.isin([8]) and `test/error` > 9", "depth: 20, 56; test/error: 7.0, no value"),
        ("family.str.startswith('depth')", "family: 'plain', 'residual'"),
    ],
)
def test_values_of_the_columns_of_a_query_are_listed(query, values):
    assert list_values(query, RUNS) == values
