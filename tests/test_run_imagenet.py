"""An ImageNet run end to end, on a small synthetic data set: streaming, plateaus, ten crops."""

import numpy as np
import pytest
from PIL import Image

from degradation.data.folders import list_images
from degradation.records.schema import METRICS_FILE, State
from degradation.run import train
from degradation.sweep.runs import locate_run

OVERRIDES = [
    "data=imagenet", "data.stream.crop=64", "data.stream.scale=[70,90]",
    "data.stream.test_scale=70", "data.stream.train_evaluated=6", "data.validation=2",
    "model=imagenet_residual", "model.depth=18", "model.width=4",
    "schedule=imagenet", "schedule.iterations=6", "schedule.evaluate_every=2",
    "schedule.snapshots=[]", "schedule.plateau.patience=1", "schedule.plateau.improvement=100",
    "optim.lr=0.1", "optim.batch_size=4",
]  # fmt: skip


@pytest.fixture
def images(tmp_path):
    generator = np.random.default_rng(0)
    for split, count in (("train", 5), ("val", 3)):
        for name in ("n01440764", "n01443537"):
            (tmp_path / "data" / split / name).mkdir(parents=True)
            for index in range(count):
                pixels = generator.integers(0, 256, (80 + index, 96, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / "data" / split / name / f"{index}.JPEG")
    yield tmp_path / "data"
    list_images.cache_clear()


@pytest.fixture
def tiny_imagenet(compose_config, images, tmp_path):
    def compose_tiny(root, *overrides):
        common = [
            f"data.root={images}",
            f"record_root={tmp_path / root}",
            "tracking=disabled",
            "device=cpu",
        ]
        return compose_config(*OVERRIDES, *common, *overrides)

    return compose_tiny


def test_imagenet_run_records_crops_and_plateaus(tiny_imagenet):
    config = tiny_imagenet("runs", "data.stream.workers=0")
    assert train(config) is State.DONE
    record = locate_run(config).record
    rows = record.valid_prefix(METRICS_FILE)
    assert [row["iteration"] for row in rows] == [2, 4, 6]
    assert all(
        {"test/error", "validation/error", "test/ten_crop_error", "test/ten_crop_top5_error"}
        <= set(row)
        for row in rows
    )
    # no evaluation makes 100 points of progress, so the second one is a plateau
    assert [row["schedule/plateaus"] for row in rows] == [0, 1, 1]
    assert [row["lr"] for row in rows] == pytest.approx([0.1, 0.1, 0.01])
    data = record.read_metadata()["data"]
    assert len(data.pop("checksum")) == 64
    assert data == {
        "name": "imagenet",
        "classes": 2,
        "train": 8,
        "test": 6,
        "validation": 2,
        "commonest": 4,
    }


@pytest.mark.slow
def test_number_of_workers_changes_no_bit(tiny_imagenet):
    alone, two = (
        tiny_imagenet("alone", "data.stream.workers=0"),
        tiny_imagenet("two", "data.stream.workers=2"),
    )
    assert locate_run(alone).run_id == locate_run(two).run_id
    for config in (alone, two):
        train(config)
    assert locate_run(alone).record.read(METRICS_FILE) == locate_run(two).record.read(METRICS_FILE)
