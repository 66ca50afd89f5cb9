"""Bad values of every key end in one line that names the key, what was wrong and what is allowed.

The table must have every key of the schema: one that is added without a bad value fails here.
"""

import re
import types
from dataclasses import is_dataclass
from functools import cache
from typing import get_args, get_type_hints

import pytest
from hydra import compose, initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from degradation import config as schema
from degradation.cli import format_error
from degradation.config import CONF, Config
from degradation.config.errors import is_single_line
from degradation.errors import UserError

# the words beside which a part is there that is null by default
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
# what a key is not given, beside values of another type; a value goes up to the next space
BAD = {
    "name": "../x a/b . '' a:b 'a\nb' 'a\x1b[2Jb' " + "n" * 101,
    "seed": "-1 9223372036854775808 1e400",
    "device": "tpu CUDA ''",
    "threads": "0 -1 1000000",
    "allow_device_change": "maybe",
    "record_root": "'' 'a\nb' 'a\x00b' " + "r" * 300,
    "training_error": "best",
    "data.name": "mnist ../digits",
    "data.root": "'' 'a\nb' 'a\x00b'",
    "data.size": "0 -8 1000000",
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
    "model.depth": "21 2 0 -20 600000002",
    "model.width": "0 -16 100000",
    "model.new_channels": "before",
    "model.bottleneck_stride": "2x2",
    "model.initialisation": "zero",
    "model.bn_parts": "0 3",
    "model.bn_statistics": "none",
    "model.grown_from": "21 7 0",
    "optim.lr": "0 -1 nan inf",
    "optim.momentum": "1 -0.1 nan",
    "optim.momentum_form": "nesterov",
    "optim.weight_decay": "-1 nan inf",
    "optim.decay": "none",
    "optim.batch_size": "0 -1 10000000000",
    "schedule.iterations": "0 -1 10000000000",
    "schedule.milestones": "[200,400] [300,200] [0] [200,200] [a] [200,null]",
    "schedule.factor": "0 -1 nan inf",
    "schedule.evaluate_every": "0 -1",
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
# a value that is bad beside others, and the key that is named
TOGETHER = [
    ("data=imagenet data.root=x data.stream=null", "data.stream"),
    ("data=imagenet data.root=null", "data.root"),
    ("data=cifar10 data.root=null", "data.root"),
    ("data=imagenet data.root=x data.normalisation=pixel", "data.normalisation"),
    ("data.size=4", "data.size"),
    ("data=cifar10 data.size=16", "data.size"),
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


def leaves(kind: type, place: str = "") -> dict[str, object]:
    """Dotted key -> type, of everything that the schema has."""
    found: dict[str, object] = {}
    for name, hint in get_type_hints(kind).items():
        inner = next((one for one in get_args(hint) if is_dataclass(one)), hint)
        found |= leaves(inner, f"{place}{name}.") if is_dataclass(inner) else {place + name: hint}
    return found


SCHEMA = leaves(Config)


def values(text: str) -> list[str]:
    """At spaces, but for those inside of quotes."""
    return re.findall(r"'[^']*'|\S+", text)


def wrong_types(key: str) -> list[str]:
    hint = SCHEMA[key]
    may_be_null = isinstance(hint, types.UnionType)
    inner = next(one for one in get_args(hint) if one is not type(None)) if may_be_null else hint
    given = (
        values(TYPES[inner.__name__])
        if isinstance(inner, type) and not get_args(inner)
        else ["x", "3", "{a:1}"]
    )
    return [one for one in given if not (one == "null" and may_be_null)]


VALUES = [
    (key, value) for key in BAD for value in dict.fromkeys([*values(BAD[key]), *wrong_types(key)])
]


@cache
def composed(words):
    schema.register()
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        return compose("config", list(words))


def refusal(*words):
    """What Hydra or we say of these words; the groups among them are composed once for all cases."""
    groups = tuple(word for word in words if (CONF / word.partition("=")[0]).is_dir())
    cfg = composed(groups).copy()
    given = OverridesParser.create().parse_overrides([word for word in words if word not in groups])
    try:
        ConfigLoaderImpl._apply_overrides_to_config(given, cfg)
        schema.read(cfg)
    except (UserError, HydraException) as error:
        return format_error(error)
    return f"{words} are taken"


def check_line(line, named):
    assert line.startswith(named), line
    assert "allowed" in line
    assert is_single_line(line)
    assert len(line) < 1100


def test_the_value_of_an_environment_variable_is_not_told(monkeypatch):
    monkeypatch.setenv("A_KEY_OF_MINE", "0123secret")
    line = refusal("seed=${oc.env:A_KEY_OF_MINE}")
    check_line(line, "seed: does not resolve (")
    assert "secret" not in line


def test_every_key_of_the_schema_has_a_bad_value():
    assert set(BAD) == set(SCHEMA)


def test_there_are_as_many_cases_as_are_promised():
    assert (
        len(VALUES) + len(TOGETHER) > 400
    )  # beside those in test_bad_commands and data/test_bad_data


@pytest.mark.parametrize("key", SCHEMA)
def test_a_bad_value_is_refused_with_its_key_and_what_is_allowed(key):
    context = next((c for p, c in CONTEXTS.items() if key.startswith(p)), "").split()
    for value in dict.fromkeys([*values(BAD[key]), *wrong_types(key)]):
        line = refusal(*context, f"{key}={value}")
        assert re.match(rf"{re.escape(key)}(\[\d\]|\.a)?: ", line), (value, line)
        check_line(line, key)


@pytest.mark.parametrize(("words", "key"), TOGETHER)
def test_what_is_bad_beside_other_values_is_refused(words, key):
    check_line(refusal(*words.split()), f"{key}: ")
