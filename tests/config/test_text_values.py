"""Text keys hold the text that was typed, wherever it was typed, even if it looks like a number."""

import shutil
from typing import Any

import pytest
import yaml

from degradation.config import (
    CONF,
    ConfigError,
    compose_overrides,
    composition,
    initialise_hydra,
    quote_text,
)
from degradation.config.schema import KEYS
from degradation.sweep.expand import expand_configs

# what Hydra's grammar or YAML reads as a number or a truth value, and what resembles it
NUMBER_LIKE = ["2026_01_15", "1e5", "0x10", "1_000", "yes", "true", "007", "1.0", "-1_0", "inf"]
# keys whose text is one of a list of names, which no number resembles
FREE_TEXT_KEYS = ["name", "record_root", "data.root", "tracking.project", "tracking.entity"]


def select(config, key):
    for name in key.split("."):
        config = getattr(config, name)
    return config


@pytest.fixture
def conf_with(tmp_path, monkeypatch):
    """A function: content of conf/experiment/mine.yaml -> None; Hydra then reads this conf/."""

    def write(content):
        shutil.copytree(CONF, tmp_path / "conf")
        (tmp_path / "conf/experiment/mine.yaml").write_text(f"# @package _global_\n{content}")
        monkeypatch.setattr(composition, "CONF", tmp_path / "conf")

    return write


@pytest.mark.fast_cases(4)
@pytest.mark.parametrize("text", NUMBER_LIKE)
def test_typed_text_is_kept_in_a_name_and_in_paths(compose_config, text):
    overrides = [f"{key}={text}" for key in FREE_TEXT_KEYS]
    config = compose_config("data=image_folder", *overrides)
    assert [select(config, key) for key in FREE_TEXT_KEYS] == [text] * len(FREE_TEXT_KEYS)


def test_typed_text_is_kept_in_a_sweep():
    configs = expand_configs([f"name={','.join(NUMBER_LIKE)}"])
    assert [config.name for config in configs] == NUMBER_LIKE
    configs = expand_configs(["tracking.project=choice(1_0,'1.50')", "name='2_0',b"])
    texts = [(config.tracking.project, config.name) for config in configs]
    assert texts == [("1_0", "2_0"), ("1_0", "b"), ("1.50", "2_0"), ("1.50", "b")]


def test_typed_text_is_kept_in_a_section(compose_config):
    config = compose_config("tracking={project: 1_0, entity: 1e5}")
    assert (config.tracking.project, config.tracking.entity) == ("1_0", "1e5")


@pytest.mark.parametrize(
    "text",
    [*NUMBER_LIKE[:4], *(pytest.param(text, marks=pytest.mark.slow) for text in NUMBER_LIKE[4:])],
)
def test_text_of_an_experiment_file_is_kept(conf_with, text):
    conf_with(f"name: {text}\ndata:\n  root: {text}\ntracking: {{entity: {text}}}\n")
    (config,) = expand_configs(["experiment=mine"])
    assert [config.name, config.data.root, config.tracking.entity] == [text] * 3


def test_text_of_an_experiments_grid_is_kept(conf_with):
    conf_with(
        "hydra:\n  mode: MULTIRUN\n  sweeper:\n    params:\n"
        "      name: 2026_01_15,1.50\n      record_root: 1_0\n      seed: 1_0,11\n"
    )
    configs = expand_configs(["experiment=mine"])
    assert [config.name for config in configs] == ["2026_01_15", "2026_01_15", "1.50", "1.50"]
    assert {config.record_root for config in configs} == {"1_0"}
    assert [config.seed for config in configs] == [10, 11, 10, 11]


def test_option_named_like_a_number_is_found(conf_with, tmp_path):
    conf_with("name: mine\n")
    (tmp_path / "conf/experiment/mine.yaml").rename(tmp_path / "conf/experiment/2026_01.yaml")
    (config,) = expand_configs(["experiment=2026_01"])
    assert config.name == "mine"


def test_edited_file_is_read_again(conf_with, tmp_path):
    """Each file is parsed once; a text of the same length is noticed too."""
    conf_with("name: first\n")
    assert expand_configs(["experiment=mine"])[0].name == "first"
    file = tmp_path / "conf/experiment/mine.yaml"
    file.write_text(file.read_text().replace("first", "other"))
    assert expand_configs(["experiment=mine"])[0].name == "other"


def test_composed_values_are_no_part_of_the_parsed_file(conf_with):
    conf_with("name: mine\n")
    for _ in range(2):
        with initialise_hydra():
            composed = compose_overrides("config", ["experiment=mine"])
            assert composed.name == "mine"
            composed.name = "changed"


def test_typed_text_is_kept_in_a_launchers_keys():
    overrides = ["hydra/launcher=slurm", "hydra.launcher.account=12_34", "hydra.sweep.dir=1_0"]
    numbers = ["hydra.launcher.timeout_min=1_0", "hydra.launcher.wait=false"]
    with initialise_hydra():
        composed = compose_overrides("config", quote_text(overrides + numbers), True)
    launcher = composed.hydra.launcher
    assert (launcher.account, composed.hydra.sweep.dir) == ("12_34", "1_0")
    assert (launcher.timeout_min, launcher.wait) == (10, False)


def test_null_is_null_unless_it_is_quoted(compose_config):
    assert compose_config("tracking.entity=null").tracking.entity is None
    assert compose_config("tracking.entity='null'").tracking.entity == "null"
    with pytest.raises(ConfigError, match=r"^name: "):
        compose_config("name=NULL")


@pytest.mark.parametrize(
    "override",
    ["seed=1_0", "optim.lr=1e-2", "data.flip=true", "name=range(1,3)", "name=a_1", "name='1_0'",
     "model.depth=8,14", "=3", "schedule.milestones=[1_0]", "name=2026-01-15"],
)  # fmt: skip
def test_other_values_are_not_quoted(override):
    assert quote_text([override]) == [override]


def test_every_text_key_is_covered():
    """The schema has no other type that holds text, apart from the options of a block."""
    types = {key.type for key in KEYS.values() if "str" in str(key.type)}
    assert types == {str, list[str], dict[str, Any]}
    for name, key in KEYS.items():
        if key.type is str:
            assert quote_text([f"{name}=1_0"]) == [f"{name}='1_0'"]


def test_numbers_of_files_are_read_as_yaml_reads_them(conf_with):
    conf_with("seed: 1_0\noptim: {lr: 1e-2}\n")
    (config,) = expand_configs(["experiment=mine"])
    assert config.seed == yaml.safe_load("1_0") == 10
    assert config.optim.lr == 0.01
