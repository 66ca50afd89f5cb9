"""CONTRIBUTING.md, "An optimiser" and "The shape of a schedule": registered, with presets."""

import pytest

from degradation.config import ConfigError
from degradation.registry import OPTIMIZERS, SHAPES
from degradation.run_id import hashed_values
from tests.support.recipes import added_module, read_recipe

OPTIMIZER, OPTIM = "src/degradation/optimizers/rmsprop.py", "conf/optim/rmsprop.yaml"
SHAPE, SCHEDULE = "src/degradation/schedules/inverse_sqrt.py", "conf/schedule/inverse_sqrt.yaml"


@pytest.fixture(autouse=True)
def _recipes(conf, tmp_path):
    optimizer, shape = read_recipe("An optimiser"), read_recipe("The shape of a schedule")
    (conf.parent / OPTIM).write_text(optimizer[OPTIM])
    (conf.parent / SCHEDULE).write_text(shape[SCHEDULE])
    with (
        added_module(OPTIMIZER, optimizer[OPTIMIZER], tmp_path),
        added_module(SHAPE, shape[SHAPE], tmp_path),
    ):
        yield
    OPTIMIZERS.unregister("rmsprop")
    SHAPES.unregister("inverse_sqrt")


def test_new_optimiser_and_shape_train(short, train_and_load):
    config = short("optim=rmsprop", "schedule=inverse_sqrt", "optim.lr=0.01")
    frame = train_and_load(config)
    assert frame.excluded == ()
    (run,) = frame.runs.to_dict("records")
    assert (run["state"], run["config.optim.name"]) == ("done", "rmsprop")
    assert run["last_lr"] == pytest.approx(0.01 / 3**0.5)  # that of the third update


def test_id_covers_the_keys_that_the_optimiser_reads(short):
    def hashed_optim(*overrides):
        return hashed_values(short("optim=rmsprop", *overrides), "")["optim"]

    assert hashed_optim("optim.beta1=0.5", "optim.momentum=0") == hashed_optim()
    assert hashed_optim("optim.beta2=0.9") != hashed_optim()


def test_shape_without_drops_refuses_milestones(short):
    with pytest.raises(ConfigError, match=r"^schedule\.milestones: \[1\] is not allowed; .* \[\]"):
        short("schedule=inverse_sqrt", "schedule.milestones=[1]")
