"""Factors of a sweep: what is compared while everything else is equal."""

import pytest

from analysis.factors import find_factors
from tests.support.comparisons import LOW, PLAIN, join_conditions

BOTH = {"plain": PLAIN, "residual": LOW}


@pytest.fixture
def find(build_frame):
    """Return a function: configurations -> factors of runs with these configurations."""

    def find_in(*configs):
        columns = [{f"config.{key}": value for key, value in keys.items()} for keys in configs]
        return find_factors(join_conditions(build_frame, [(BOTH, config) for config in columns]))

    return find_in


def cross(widths, rates):
    return [{"model.width": width, "optim.lr": lr} for width in widths for lr in rates]


def list_strata(factor):
    return [(stratum.label, list(stratum.labels.values())) for stratum in factor.strata]


def test_runs_of_one_condition_have_no_factor(find):
    assert find({"model.width": 8}) == []


def test_crossed_keys_are_compared_within_each_other(find):
    width, rate = find(*cross([16, 8], [0.1, 0.2]))
    assert (width.key, rate.key) == ("config.model.width", "config.optim.lr")
    widths = ["width 8", "width 16"]  # by size, not by place
    assert list_strata(width) == [("learning rate 0.1", widths), ("learning rate 0.2", widths)]
    assert [len(stratum.frame.runs) for stratum in width.strata] == [24, 24]
    assert [label for label, _ in list_strata(rate)] == ["width 8", "width 16"]


def test_stratum_with_one_value_is_skipped(find):
    configs = [*cross([8, 16], [0.1]), *cross([16], [0.2])]
    width, rate = find(*configs)
    assert list_strata(width) == [("learning rate 0.1", ["width 8", "width 16"])]
    assert list_strata(rate) == [("width 16", ["learning rate 0.1", "learning rate 0.2"])]


def test_followers_are_named_where_they_vary(find):
    (factor,) = find(
        {"optim.name": "sgd", "optim.lr": 0.1, "optim.weight_decay": 1e-4},
        {"optim.name": "adam", "optim.lr": 0.001, "optim.weight_decay": 1e-4},
    )
    assert factor.key == "config.optim.name"
    assert factor.strata[0].followers == ("config.optim.lr",)


def test_factors_without_two_values_in_a_stratum_are_skipped(find):
    configs = [{"model.width": w, "optim.lr": lr} for w, lr in ((8, 0.1), (16, 0.2))]
    (factor,) = find(*configs)
    assert factor.key == "config.model.width"
    assert factor.strata[0].followers == ("config.optim.lr",)


def test_data_sets_are_strata_but_no_factor(build_frame):
    conditions = []
    for data in ("digits", "cifar10"):
        for width in (8, 16):
            columns = {"data": data, "config.data.name": data, "config.model.width": width}
            conditions.append((BOTH, columns))
    (factor,) = find_factors(join_conditions(build_frame, conditions))
    assert factor.key == "config.model.width"
    assert {stratum.data_set for stratum in factor.strata} == {"cifar10", "digits"}


def test_other_images_of_one_name_are_no_factor(find):
    assert find({"data.content": "a"}, {"data.content": "b"}) == []


def test_each_optimisers_own_rates_are_compared_within_it(find):
    pairs = [("sgd", 0.1), ("sgd", 0.2), ("adam", 0.001), ("adam", 0.002)]
    (rate,) = find(*[{"optim.name": name, "optim.lr": lr} for name, lr in pairs])
    assert rate.key == "config.optim.lr"
    assert dict(list_strata(rate)) == {
        "optimiser sgd": ["learning rate 0.1", "learning rate 0.2"],
        "optimiser adam": ["learning rate 0.001", "learning rate 0.002"],
    }
