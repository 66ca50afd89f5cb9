"""CONTRIBUTING.md, "A new block": a registered class, and a preset in conf/model."""

import pytest

from degradation.config import ConfigError
from degradation.models.complexity import measure_complexity
from degradation.registry import BLOCKS
from tests.support.recipes import added_module, read_recipe

CLASS, PRESET = "src/degradation/models/squeeze_excitation.py", "conf/model/se.yaml"


@pytest.fixture(autouse=True)
def _se_block(conf, tmp_path):
    recipe = read_recipe("A new block")
    (conf.parent / PRESET).write_text(recipe[PRESET])
    with added_module(CLASS, recipe[CLASS], tmp_path):
        yield
    BLOCKS.unregister("se")


@pytest.mark.fast_cases(1)
@pytest.mark.parametrize("shortcut", ["A", "none"])
def test_new_block_is_trained(short, train_and_load, shortcut):
    frame = train_and_load(short("model=se", f"model.shortcut={shortcut}"))
    assert frame.excluded == ()
    (run,) = frame.runs.to_dict("records")
    assert run["state"] == "done"
    assert run["iteration"] == 3
    assert run["config.model.block"] == "se"


def test_new_block_constrains_the_depth(short):
    with pytest.raises(ConfigError, match=r"model\.depth: 9 is not allowed; allowed: 6n\+2"):
        short("model=se", "model.depth=9")


def test_new_block_counts_its_parameters(short):
    basic = measure_complexity(short("model.block=basic").model, 1, 8, 10)
    gated = measure_complexity(short("model=se").model, 1, 8, 10)
    gates = sum(2 * width * (width // 4) for width in (4, 8, 16))  # one block per stage
    assert gated.parameters - basic.parameters == gates
