"""CONTRIBUTING.md, "A data set in code": a registered reader, and its values in conf/data."""

import pytest

from degradation.data.datasets import load_dataset
from degradation.registry import DATASETS
from tests.support.recipes import added_module, read_recipe

READER, VALUES = "src/degradation/data/stripes.py", "conf/data/stripes.yaml"


@pytest.fixture(autouse=True)
def _stripes(conf, tmp_path):
    recipe = read_recipe("A data set in code")
    (conf.parent / VALUES).write_text(recipe[VALUES])
    with added_module(READER, recipe[READER], tmp_path):
        yield
    DATASETS.unregister("stripes")


def test_new_data_set_is_trained_on(short, train_and_load):
    config = short("data=stripes")
    dataset = load_dataset(config.data)
    assert (len(dataset.train), len(dataset.test), dataset.classes) == (200, 100, 2)
    frame = train_and_load(config)
    assert frame.excluded == ()
    (run,) = frame.runs.to_dict("records")
    assert (run["state"], run["iteration"], run["data"]) == ("done", 3, "stripes")
    assert run["chance"] == 50


def test_new_data_set_holds_images_out(short, train_and_load):
    frame = train_and_load(short("data=stripes", "data.validation=50"))
    assert frame.runs["validation/error"].between(0, 100).all()
