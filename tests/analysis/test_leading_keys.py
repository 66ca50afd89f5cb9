"""Which keys of a sweep lead, and which follow from them."""

import pandas as pd
import pytest

from analysis.leading_keys import select_leading_keys


def lead(**columns):
    table = {f"config.{key.replace('__', '.')}": values for key, values in columns.items()}
    return [key.removeprefix("config.") for key in select_leading_keys(pd.DataFrame(table))]


def test_optimiser_leads_what_it_determines():
    assert lead(
        optim__lr=[0.1, 0.001, 0.001],
        optim__weight_decay=[1e-4, 0.0, 0.01],
        optim__name=["sgd", "adam", "adamw"],
    ) == ["optim.name"]


def test_length_leads_the_rest_of_the_schedule():
    assert lead(
        schedule__milestones=["[200]", "[600]"],
        schedule__evaluate_every=[40, 120],
        schedule__iterations=[400, 1200],
    ) == ["schedule.iterations"]


def test_block_leads_an_option_that_only_it_has():
    columns = {"model__block": ["basic", "scaled"], "model__options__scale": ["null", 0.5]}
    assert lead(**columns) == ["model.block"]


@pytest.mark.parametrize("lr", [[0.1, 0.1, 0.2, 0.2], [0.1, 0.1, 0.1, 0.2]])
def test_crossed_keys_lead_both(lr):
    widths = [8, 16, 8, 16] if len(set(lr[:3])) > 1 else [8, 16, 32, 32]
    assert lead(optim__lr=lr, model__width=widths) == ["model.width", "optim.lr"]


def test_key_that_follows_from_two_together_does_not_lead():
    """The milestones of a step schedule move with its length; a cosine has none."""
    assert lead(
        schedule__shape=["step", "step", "cosine", "cosine"],
        schedule__iterations=[400, 800, 400, 800],
        schedule__milestones=["[200]", "[400]", "[]", "[]"],
    ) == ["schedule.shape", "schedule.iterations"]


OWN_RATES = {"optim__name": ["sgd", "sgd", "adam", "adam"], "optim__lr": [0.1, 0.2, 0.001, 0.002]}
RATES_OF_ONE = {"optim__name": ["sgd", "sgd", "adam"], "optim__lr": [0.1, 0.2, 0.001]}
OWN_DATA = {"data__name": ["digits", "digits", "cifar10"], "optim__lr": [0.1, 0.2, 0.01]}
OWN_DROPS = {
    "schedule__iterations": [100, 100, 200, 200],
    "schedule__milestones": ["[50]", "[60]", "[100]", "[120]"],
}
OWN_LENGTHS = {"data__name": ["digits", "cifar10", "cifar10"], "schedule__iterations": [1, 2, 3]}


@pytest.mark.parametrize("columns", [OWN_RATES, RATES_OF_ONE, OWN_DATA, OWN_DROPS, OWN_LENGTHS])
def test_cause_leads_beside_what_it_alone_has(columns):
    """A rate that only Adam has tells the optimiser, but does not choose it."""
    assert lead(**columns) == [key.replace("__", ".") for key in columns]
