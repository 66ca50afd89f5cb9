"""The line of `make plan` that says what would be trained."""

import pytest

from degradation.sweep.expand import expand_configs
from degradation.sweep.settings import describe_settings


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (
            ["experiment=quick"],
            "30 runs on digits, 400 iterations of 128 images, learning rate 0.01, device=cpu",
        ),
        # an option that replaces what the experiment chooses: not the paper's 64,000 iterations
        (
            ["experiment=paper", "schedule=cosine", "seed=0", "model.depth=20"],
            "2 runs on cifar10, 400 iterations of 128 images, learning rate 0.1, device=auto",
        ),
        (
            ["schedule.iterations=100,2000", "optim.lr=0.1,0.2,0.3,0.4,0.5,0.6"],
            "12 runs on digits, 100 or 2,000 iterations of 128 images,"
            " learning rate 0.1 or 0.2 or 0.3 or 0.4 or 2 more, device=auto",
        ),
    ],
)
def test_settings_are_those_of_the_runs(overrides, line):
    assert describe_settings(expand_configs(overrides)) == line
