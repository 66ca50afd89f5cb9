"""A swept key that changes no run is reported; so is an option that only some blocks have."""

import pytest

from degradation.config import ConfigError
from degradation.sweep.expand import expand_configs
from degradation.sweep.ineffective_keys import list_ineffective_keys

SCALED = ["model.block=scaled", "model.options.shortcut_scale=0,0.5,1"]


@pytest.mark.fast_cases(2)
@pytest.mark.parametrize(
    ("overrides", "ineffective"),
    [
        (["model=plain", "seed=0,1", "optim.beta1=0.5,0.8"], {"optim.beta1": 2}),
        (["model=plain", *SCALED], {"model.options.shortcut_scale": 3}),
        (["model=plain,residual", *SCALED], {}),
        (["model=plain", "seed=0,1"], {}),
    ],
)
def test_key_without_effect_is_found(overrides, ineffective):
    assert list_ineffective_keys(expand_configs(overrides)) == ineffective


def test_key_without_effect_is_one_line(caplog):
    expand_configs(["model=plain", "schedule=constant", "schedule.factor=0.2,0.3"])
    line = (
        "schedule.factor: has no effect on the runs of this sweep; its 2 values give the same run"
    )
    assert caplog.messages == [line]


def test_option_of_some_blocks_suggests_two_sweeps():
    line = (
        r"^model\.options\.residual_scale: is not an option of model\.block=basic; allowed: none;"
        r" .* several commands, .* --records"
    )
    with pytest.raises(ConfigError, match=line):
        expand_configs(["model.block=scaled,basic", "model.options.residual_scale=0.5,1"])
