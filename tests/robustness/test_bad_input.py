"""A bad value of any key ends in one line that names the key, what is wrong and what is allowed.

Every key of the schema must have a bad value here, so adding a key without one fails a test.
"""

import re
from dataclasses import is_dataclass
from functools import cache
from typing import get_args, get_origin

import pytest
from hydra import compose
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from degradation.cli import format_error
from degradation.config import CONF, initialise_hydra, read
from degradation.config.errors import is_single_line
from degradation.config.schema import KEYS
from degradation.errors import UserError

# overrides that set the section, which is null by default
CONTEXTS = {
    "data.stream": "data=imagenet data.root=/",
    "schedule.warmup": "schedule=paper",
    "schedule.plateau": "schedule=imagenet",
    "model.grown_from": "model=plain",
}
TYPES = {
    "int": "x 1.5 true [1] null",
    "float": "x true [1] null",
    "bool": "perhaps 1.5 [true] null",
    "str": "[a] {a:1}",
}
# values that a key refuses, besides those of another type, separated by spaces
BAD = {
    "name": "../x a/b . '' a:b 'a\nb' 'a\x1b[2Jb' " + "n" * 101,
    "seed": "-1 9223372036854775808 1e400",
    "device": "tpu CUDA ''",
    "threads": "0 -1 1000000",
    "allow_device_change": "maybe",
    "retrain_outdated": "maybe",
    "record_root": "'' 'a\nb' 'a\x00b' '~' '~/runs' " + "r" * 300,
    "training_error": "best",
    "report.titles": "none Neutral ''",
    "data.name": "mnist ../digits",
    "data.root": "'' 'a\nb' 'a\x00b'",
    "data.size": "0 -8 1000000",
    "data.resize": "nearest Area ''",
    "data.pad": "-1 100000",
    "data.flip": "perhaps",
    "data.normalisation": "imagenet",
    "data.normalise": "never",
    "data.validation": "-1",
    "data.margin": "-1 101 nan inf",
    "data.stream.crop": "0 -1 100000",
    "data.stream.scale": "[200,480] [480,256] [256] [] [1,2,3]",
    "data.stream.colour": "-1 nan inf",
    "data.stream.test_scale": "200 0",
    "data.stream.ten_crop": "perhaps",
    "data.stream.train_evaluated": "0",
    "data.stream.workers": "-1 100000",
    "model.layout": "resnext",
    "model.shortcut": "D a",
    "model.order": "both",
    "model.block": "wide",
    "model.network": "vgg a:b:c x@y:z resnet:",
    "model.options": "{alpha:1} {alpha:[1]} {alpha:null}",
    "model.depth": "21 2 0 -20 600000002",
    "model.width": "0 -16 100000",
    "model.new_channels": "before",
    "model.bottleneck_stride": "2x2",
    "model.initialisation": "zero",
    "model.bn_parts": "0 3",
    "model.bn_statistics": "none",
    "model.grown_from": "21 7 0",
    "optim.name": "Adam rmsprop ''",
    "optim.lr": "0 -1 nan inf",
    "optim.beta1": "1 -0.1 nan",
    "optim.beta2": "1 -0.1 nan",
    "optim.epsilon": "0 -1 nan inf",
    "optim.momentum": "1 -0.1 nan",
    "optim.momentum_form": "nesterov",
    "optim.weight_decay": "-1 nan inf",
    "optim.decay": "none",
    "optim.batch_size": "0 -1 10000000000",
    "schedule.iterations": "0 -1 10000000000",
    "schedule.milestones": "[200,400] [300,200] [0] [200,200] [a] [200,null]",
    "schedule.shape": "linear Cosine ''",
    "schedule.factor": "0 -1 nan inf",
    "schedule.linear_warmup": "-1 10000000000 nan",
    "schedule.evaluate_every": "0 -1",
    "schedule.augmented_every": "0 -1 50",
    "schedule.snapshots": "[400] [-1] [3,2]",
    "schedule.warmup.lr": "0 inf nan",
    "schedule.warmup.below": "-1 0 nan",
    "schedule.warmup.window": "0",
    "schedule.warmup.max_iterations": "0 40000",
    "schedule.warmup.from_depth": "0 -1",
    "schedule.plateau.patience": "0",
    "schedule.plateau.improvement": "-1 nan",
    "precision.dtype": "fp16 float32",
    "precision.channels_last": "perhaps",
    "precision.deterministic": "perhaps",
    "cuda_graphs": "perhaps",
    "probes.training": "[gradients] [responses,responses] responses",
    "probes.early": "0",
    "probes.afterwards": "[landscape] lesions",
    "probes.batch_size": "1",
    "probes.test_pictures": "0",
    "landscape.line": "4 1",
    "landscape.square": "1 2 10001",
    "landscape.reach": "0 -1 nan",
    "landscape.pictures": "0",
    "landscape.seed": "-1",
    "landscape.depths": "[0] [deep] 20",
    "landscape.seeds": "[-1] 0",
    "landscape.parts": "0 1000000",
    "landscape.part": "8 -1",
    "tracking.mode": "cloud",
    "tracking.project": "a/b '' 'a\nb'",
    "tracking.entity": "a/b '' 'a\nb' 'a\x00b'",
    "tracking.init_timeout": "0 -1 nan 1e9",
    "tracking.system_metrics": "perhaps",
}
# overrides that are bad together, and the key that the message names
TOGETHER = [
    ("data=imagenet data.root=x data.stream=null", "data.stream"),
    ("data=imagenet data.root=null", "data.root"),
    ("data=cifar10 data.root=null", "data.root"),
    ("data=imagenet data.root=x data.normalisation=pixel", "data.normalisation"),
    ("data.size=4", "data.size"),
    ("data=cifar10 data.size=33", "data.size"),
    ("data=fashion_mnist data.size=29", "data.size"),
    ("data=imagenet data.root=x data.size=16", "data.size"),
    ("model=imagenet_residual model.depth=50", "model.depth"),
    ("model=imagenet_residual model.block=bottleneck", "model.depth"),
    ("model=constructed model.depth=14", "model.grown_from"),
    ("model=constructed model.depth=56 model.shortcut=A", "model.grown_from"),
    ("model=constructed model.depth=56 model.order=pre", "model.grown_from"),
    (
        "schedule=paper schedule.warmup.below=null schedule.warmup.max_iterations=null",
        "schedule.warmup.max_iterations",
    ),
    ("model.dpth=3", "model.dpth"),
    ("+model.dpth=3", "model.dpth"),
    ("nosuch=3", "nosuch"),
    ("+nosuch=3", "nosuch"),
    ("modle.depth=3", "modle"),
    ("~model.depth", "model.depth"),
    ("data.root=???", "data.root"),
    ("name=${nosuch}", "name"),
    ("seed=${oc.env:NO_SUCH_VARIABLE}", "seed"),
    ("data.stream=3", "data.stream"),
]


def split_values(text: str) -> list[str]:
    """Split at spaces, except inside quotes."""
    return re.findall(r"'[^']*'|\S+", text)


def list_wrong_types(name: str) -> list[str]:
    """Return values of types that the key does not have."""
    key = KEYS[name]
    if get_origin(key.type) is dict:
        return ["x", "3", "[a]", "null"]
    if get_args(key.type):  # a list
        return ["x", "3", "{a:1}"]
    values = split_values(TYPES[key.type.__name__])
    return [value for value in values if not (value == "null" and key.is_nullable)]


def list_bad_values(name: str) -> list[str]:
    return list(dict.fromkeys([*split_values(BAD[name]), *list_wrong_types(name)]))


# the keys that hold values, not sections
LEAVES = [name for name, key in KEYS.items() if not is_dataclass(key.type)]


@cache
def compose_groups(groups):
    with initialise_hydra():
        return compose("config", list(groups))


def refusal(*overrides):
    """Return the message about these overrides. Config groups are composed once for all cases."""
    groups = tuple(text for text in overrides if (CONF / text.partition("=")[0]).is_dir())
    cfg = compose_groups(groups).copy()
    others = [text for text in overrides if text not in groups]
    parsed = OverridesParser.create().parse_overrides(others)
    try:
        ConfigLoaderImpl._apply_overrides_to_config(parsed, cfg)
        read(cfg)
    except (UserError, HydraException) as error:
        return format_error(error)
    return f"{overrides} are accepted"


def assert_names_key(line, beginning):
    assert line.startswith(beginning), line
    assert "allowed" in line
    assert is_single_line(line)
    assert len(line) < 1100


def test_value_of_an_environment_variable_is_not_printed(monkeypatch):
    monkeypatch.setenv("A_KEY_OF_MINE", "0123secret")
    line = refusal("seed=${oc.env:A_KEY_OF_MINE}")
    assert_names_key(line, "seed: does not resolve (")
    assert "secret" not in line


def test_every_key_of_the_schema_has_a_bad_value():
    assert set(BAD) == set(LEAVES)


def test_there_are_more_than_400_cases():
    """Besides those in test_bad_commands.py and test_bad_data.py."""
    assert sum(len(list_bad_values(name)) for name in BAD) + len(TOGETHER) > 400


@pytest.mark.parametrize("name", LEAVES)
def test_bad_value_is_refused_with_key_and_allowed_values(name):
    contexts = [context for section, context in CONTEXTS.items() if name.startswith(section)]
    context = contexts[0].split() if contexts else []
    for value in list_bad_values(name):
        line = refusal(*context, f"{name}={value}")
        assert re.match(rf"{re.escape(name)}(\[\d\]|\.a|\.alpha)?: ", line), (value, line)
        assert_names_key(line, name)


@pytest.mark.parametrize(("overrides", "name"), TOGETHER)
def test_values_that_are_bad_together_are_refused(overrides, name):
    assert_names_key(refusal(*overrides.split()), f"{name}: ")
