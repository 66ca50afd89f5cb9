"""Options of a block: checked, swept without a plus, and part of the run id where they matter."""

import pytest

from degradation.config import ConfigError, block_options
from degradation.run_id import hashed_values
from degradation.sweep.runs import expand_runs

SCALED = "model.block=scaled"
SCALE = "model.options.shortcut_scale"


def hashed_model(config):
    return hashed_values(config, "")["model"]


def list_ids(*overrides):
    return [run.run_id for run in expand_runs(list(overrides))]


def test_missing_options_have_their_defaults(compose_config):
    model = compose_config(SCALED, f"{SCALE}=0.5").model
    assert block_options(model) == {"residual_scale": 1.0, "shortcut_scale": 0.5}


def test_record_holds_all_options(compose_config):
    config = compose_config(SCALED)
    assert hashed_model(config)["options"] == {"residual_scale": 1.0, "shortcut_scale": 1.0}


def test_networks_without_options_hash_none(compose_config):
    assert "options" not in hashed_model(compose_config())


def test_shortcuts_options_are_absent_without_shortcuts(compose_config):
    config = compose_config("model=plain", SCALED, f"{SCALE}=0.5")
    assert hashed_model(config)["options"] == {"residual_scale": 1.0}


def test_equal_numbers_give_one_id():
    assert len(set(list_ids(SCALED, f"{SCALE}=0,0.0,-0.0,0e3"))) == 1
    assert list_ids(SCALED, f"{SCALE}=1") == list_ids(SCALED)


def test_options_are_swept_like_any_key():
    assert len(set(list_ids(SCALED, f"{SCALE}=0,0.5,1", "seed=0,1"))) == 6


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.options.scale=1", "model.options.scale: is not an option of model.block=scaled"),
        (f"{SCALE}=yes", f"{SCALE}: 'yes' is not allowed; allowed: a number, such as 1.0"),
        (f"{SCALE}=true", f"{SCALE}: true is not allowed; allowed: a number, such as 1.0"),
        (f"{SCALE}=nan", f"{SCALE}: nan is not allowed; allowed: a number, such as 1.0"),
        (f"{SCALE}=[1]", "model.options: "),
    ],
)
def test_bad_option_is_refused(compose_config, override, message):
    with pytest.raises(ConfigError) as error:
        compose_config(SCALED, override)
    assert str(error.value).startswith(message)
    assert "; allowed: " in str(error.value)


def test_unknown_option_lists_the_known_ones(compose_config):
    with pytest.raises(ConfigError, match=r"allowed: residual_scale=1\.0, shortcut_scale=1\.0"):
        compose_config(SCALED, "model.options.alpha=1")
    with pytest.raises(ConfigError, match=r"of model\.block=basic; allowed: none"):
        compose_config("model.options.alpha=1")
