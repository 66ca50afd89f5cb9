"""A key that the optimiser does not read is named in a warning, once, if somebody has set it."""

import pytest

from degradation.sweep import jobs

WARNINGS = [
    (["optim=adam", "optim.momentum=0.5"], ["optim.momentum: 0.5", "adam"]),
    (["optim=adamw", "optim.momentum_form=caffe"], ["optim.momentum_form: 'caffe'", "adamw"]),
    (["optim=sgd", "optim.beta1=0.8"], ["optim.beta1: 0.8", "sgd"]),
    (["optim.name=sgd", "optim.epsilon=1e-4"], ["optim.epsilon: 0.0001", "sgd"]),
    (["optim=adam", "optim.beta1=0.8", "optim.momentum=0.9", "optim.lr=0.1"], None),
    (["optim=sgd", "optim.momentum=0.5", "optim.momentum_form=caffe"], None),
    (["optim=adamw", "optim.weight_decay=0.1", "optim.decay=weights"], None),
]


@pytest.mark.parametrize(("overrides", "warning"), WARNINGS)
def test_key_without_effect_is_named_once(tiny, caplog, overrides, warning):
    jobs._warn_once.cache_clear()
    for seed in (0, 1):
        jobs.check_before_training(tiny(f"seed={seed}", *overrides))
    lines = [" has no effect with optim.name=".join(warning)] if warning else []
    assert caplog.messages == lines
