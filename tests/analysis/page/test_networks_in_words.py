"""The first screen says what the networks of the report are, and no others."""

import pandas as pd
import pytest

from analysis.page.networks_in_words import FAMILIES_IN_WORDS, describe_networks
from degradation.config.architecture import family


def describe(*networks):
    return describe_networks(pd.DataFrame(networks, columns=["family", "shortcut"]))


def test_only_families_with_runs_are_explained():
    text = describe(("plain", "none"), ("constructed", "none"))
    assert text == (
        "Plain: without shortcuts. Constructed: a trained shallower network plus layers that"
        " change nothing."
    )
    assert describe(("residual", "A")) == "Residual: with shortcuts."
    assert "the same networks with shortcuts" in describe(("plain", "none"), ("residual", "A"))


def test_shortcuts_are_explained_where_they_differ():
    text = describe(("plain", "none"), ("residual", "A"), ("residual", "C"))
    assert text.endswith(
        "Shortcut A: the identity, padded with zeros; C: a 1x1 projection at every block."
    )
    assert "Shortcut" not in describe(("plain", "none"), ("residual", "B"))


@pytest.mark.parametrize(
    "overrides",
    [
        ["model.shortcut=none"],
        ["model.shortcut=A"],
        ["model.shortcut=none", "model.order=pre"],
        ["model.shortcut=A", "model.order=pre"],
    ],
)
def test_every_family_is_explained(compose_config, overrides):
    assert family(compose_config(*overrides).model) in FAMILIES_IN_WORDS
