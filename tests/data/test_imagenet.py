"""ImageNet read from disk: neither workers nor interruptions change a batch."""

import multiprocessing
import tempfile
from itertools import islice

import numpy as np
import pytest
import torch
from PIL import Image

from degradation.config import ConfigError
from degradation.data.datasets import load_dataset
from degradation.data.errors import DataError
from degradation.data.fingerprint import data_fingerprint
from degradation.data.folders import list_images
from degradation.data.image_views import augment_view
from degradation.data.random_streams import TrainingOrder
from degradation.data.streaming import StreamingLoader
from tests.support.training_batches import draw_batch_indices, training_batches

CPU = torch.device("cpu")
SIZES = [(30, 24), (24, 40), (25, 25), (50, 21), (22, 22), (26, 33)]
SMALL = (
    "data.stream.crop=16",
    "data.stream.scale=[18,24]",
    "data.stream.test_scale=20",
    "data.stream.workers=0",
    "data.validation=0",
)


def draw_noise(size, mode="RGB"):
    pixels = np.random.default_rng(size).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels).convert(mode)


@pytest.fixture
def root(tmp_path):
    """Two classes, 8 training and 4 test images of several sizes and colour modes."""
    list_images.cache_clear()
    for split, count in (("train", 4), ("val", 2)):
        for label, name in enumerate(("n01", "n02")):
            folder = tmp_path / split / name
            folder.mkdir(parents=True)
            for index in range(count):
                image = draw_noise(SIZES[(index + label) % len(SIZES)])
                image.save(folder / f"{name}_{index}.JPEG")
    draw_noise((28, 24), "L").save(tmp_path / "train/n01/n01_1.JPEG")
    draw_noise((24, 28), "CMYK").save(tmp_path / "train/n02/n02_2.JPEG")
    draw_noise((24, 28), "P").save(tmp_path / "train/n02/n02_3.png")
    (tmp_path / "train/n02/n02_3.JPEG").unlink()
    return tmp_path


@pytest.fixture
def build_loader(root, compose_config):
    """A function overrides -> StreamingLoader of the folder `root`."""

    def build(*overrides):
        config = compose_config(
            "data=imagenet", f"data.root={root}", *SMALL, "optim.batch_size=3", *overrides
        )
        return StreamingLoader(load_dataset(config.data), config, CPU)

    return build


def are_equal(batches, others):
    """Return whether two lists of batches are equal and not empty."""
    if len(batches) != len(others) or not batches:
        return False
    for batch, other in zip(batches, others, strict=True):
        images_equal = torch.equal(batch[0], other[0])
        if not images_equal or not torch.equal(batch[1], other[1]):
            return False
    return True


def test_folders_are_listed(root, build_loader):
    dataset = build_loader().dataset
    assert (dataset.classes, dataset.channels, dataset.side) == (2, 3, 16)
    assert (len(dataset.train), len(dataset.test)) == (8, 4)
    assert dataset.train.labels.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert [name.decode() for name in dataset.test.names[:3]] == [
        "val/n01/n01_0.JPEG", "val/n01/n01_1.JPEG", "val/n02/n02_0.JPEG"
    ]  # fmt: skip
    assert build_loader().sizes == {"train": 8, "test": 4}


def test_held_out_images_are_neither_trained_on_nor_lost(build_loader):
    whole, split = build_loader(), build_loader("data.validation=3")
    assert split.sizes == {"train": 5, "test": 4, "validation": 3}
    train = set(split.dataset.train.names.tolist())
    validation = set(split.dataset.validation.names.tolist())
    assert train.isdisjoint(validation)
    assert train | validation == set(whole.dataset.train.names.tolist())
    assert split.dataset.checksum() == whole.dataset.checksum()
    trained = [image for images, _ in islice(training_batches(split, 0), 20) for image in images]
    assert len(trained) == 60
    labels = torch.cat([labels for _, labels in split.clean_batches("validation")])
    assert labels.tolist() == split.dataset.validation.labels.tolist()


def test_shuffled_batches_are_the_evaluated_images_once(build_loader):
    clean = torch.cat([images for images, _ in build_loader().clean_batches("train")])
    shuffled = torch.cat([images for images, _ in build_loader().shuffled_batches()])
    assert len(shuffled) == len(clean) == 8
    assert not torch.equal(shuffled, clean)
    assert sorted(shuffled.flatten(1).sum(1).tolist()) == pytest.approx(
        sorted(clean.flatten(1).sum(1).tolist())
    )


def test_fingerprint_is_of_names_and_sizes(root, build_loader, compose_config, tmp_path_factory):
    before = build_loader().dataset.checksum()
    assert data_fingerprint(build_loader().config.data) == f"listing:{before[:16]}"
    moved = tmp_path_factory.mktemp("moved") / "there"
    root.rename(moved)
    data = compose_config("data=imagenet", f"data.root={moved}", "data.validation=0").data
    assert load_dataset(data).checksum() == before
    (moved / "val/n01/n01_0.JPEG").write_bytes(b"of another size")
    list_images.cache_clear()
    assert load_dataset(data).checksum() != before


def test_folders_without_imagenets_structure_are_rejected(root, build_loader):
    (root / "val/n02").rename(root / "val/n03")
    with pytest.raises(ConfigError, match=r"^data\.root: .* different classes in train and val"):
        build_loader()
    (root / "val/n03").rename(root / "val/n02")
    for image in (root / "train/n01").iterdir():
        image.unlink()
    with pytest.raises(ConfigError, match=r"^data\.root: .*train has .* without images: n01; "):
        build_loader()
    (root / "val").rename(root / "test")
    with pytest.raises(
        ConfigError,
        match=r"^data\.root: .*has no folder 'val'; allowed: .* train/<class>/ and val/<class>/",
    ):
        build_loader()


@pytest.mark.parametrize(("batch", "images"), [(3, 8), (4, 8), (8, 8), (25, 8), (1, 5)])
def test_order_is_that_of_other_data_sets(batch, images):
    for seed in (0, 3):
        for iteration in range(12):
            expected = draw_batch_indices(seed, iteration, batch, images)
            assert torch.equal(TrainingOrder(seed, images).batch(iteration, batch), expected)


def test_batches_follow_the_order(build_loader):
    loader = build_loader()
    for iteration, (images, labels) in enumerate(islice(training_batches(loader, 0), 4)):
        assert (images.shape, images.dtype, labels.dtype) == (
            (3, 3, 16, 16),
            torch.float32,
            torch.int64,
        )
        indices = draw_batch_indices(0, iteration, 3, 8)
        assert labels.tolist() == loader.dataset.train.labels[indices].tolist()


def test_workers_and_interruptions_change_no_bit(build_loader):
    torch.manual_seed(5)
    state = torch.get_rng_state()
    batches = list(islice(training_batches(build_loader(), 0), 6))
    assert are_equal(
        batches, list(islice(training_batches(build_loader("data.stream.workers=2"), 0), 6))
    )
    torch.manual_seed(6)
    assert are_equal(batches[3:], list(islice(training_batches(build_loader(), 3), 3)))
    torch.set_rng_state(state)
    next(training_batches(build_loader(), 0))
    assert torch.equal(torch.get_rng_state(), state)


def test_workers_read_under_a_long_temporary_folder(build_loader, tmp_path, monkeypatch):
    folder = tmp_path / ("x" * 90)
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    # as in a process that has created no socket yet
    monkeypatch.delitem(multiprocessing.current_process()._config, "tempdir", raising=False)
    assert len(list(build_loader("data.stream.workers=1").clean_batches("test"))) == 1
    assert tempfile.tempdir == str(folder)


def test_workers_live_as_long_as_training(build_loader):
    batches = training_batches(build_loader("data.stream.workers=2"), 0)
    next(batches)
    before = {process.pid for process in multiprocessing.active_children()}
    for _ in range(5):
        next(batches)
    assert len(before) == 2
    assert {process.pid for process in multiprocessing.active_children()} == before
    batches.close()


def test_seeds_and_iterations_differ(build_loader):
    first = next(training_batches(build_loader(), 0))[0]
    assert not torch.equal(first, next(training_batches(build_loader("seed=1"), 0))[0])
    epochs = training_batches(build_loader("optim.batch_size=8"), 0)
    first_sum, second_sum = (next(epochs)[0].sum((0, 2, 3)) for _ in range(2))
    assert not torch.equal(first_sum, second_sum)


def draw_views(loader, count, image, flip=True):
    return [
        augment_view(loader.dataset.stream, flip, 0, "augmentation", image, draw)
        for draw in range(count)
    ]


def test_crop_is_a_window_of_the_image_flipped_or_not(build_loader):
    image = draw_noise((20, 18))
    loader = build_loader("data.stream.scale=[18,18]", "data.stream.colour=0")
    pixels = torch.tensor(np.asarray(image)).permute(2, 0, 1)
    windows = {
        (top, left): pixels[:, top : top + 16, left : left + 16]
        for top in range(3)
        for left in range(5)
    }
    seen = []
    for crop, colour in draw_views(loader, 300, image):
        assert colour.tolist() == [0, 0, 0]
        seen.extend(
            (*place, False) for place, window in windows.items() if torch.equal(crop, window)
        )
        seen.extend(
            (*place, True) for place, window in windows.items() if torch.equal(crop, window.flip(2))
        )
    assert len(seen) == 300
    assert len(set(seen)) == 30  # every position, flipped and not
    assert 120 < sum(flipped for *_, flipped in seen) < 180
    straight = [crop for crop, _ in draw_views(loader, 20, image, flip=False)]
    assert all(any(torch.equal(crop, window) for window in windows.values()) for crop in straight)


def test_shorter_side_covers_its_whole_range(build_loader, monkeypatch):
    from torchvision.transforms.v2 import functional

    sides, resize = [], functional.resize

    def record_size(image, size):
        sides.extend(size)
        return resize(image, size)

    monkeypatch.setattr(functional, "resize", record_size)
    draw_views(build_loader(), 150, draw_noise((30, 24)))
    assert sorted(set(sides)) == list(range(18, 25))


def test_colours_shift_along_their_principal_components(build_loader):
    """Krizhevsky et al. 2012, 4.1.

    With 0.1, the standard deviation of red is 0.1 times the norm of (variance x direction).
    """
    shifts = torch.stack(
        [colour for _, colour in draw_views(build_loader(), 800, draw_noise((20, 20)))]
    )
    expected = torch.tensor([0.01242, 0.01264, 0.01276])
    assert (shifts.std(0) / expected - 1).abs().max() < 0.1
    assert shifts.mean(0).abs().max() < 0.002
    assert bool((torch.corrcoef(shifts.T) > 0.9).all())  # brightness is the first component


def test_clean_view_is_the_normalised_centre(root, build_loader):
    Image.new("RGB", (20, 32), "white").save(root / "val/n01/n01_0.JPEG")
    striped = np.zeros((20, 30, 3), np.uint8)
    striped[2:18, 7:23] = 255  # the centre, exactly
    Image.fromarray(striped).save(root / "val/n01/n01_1.png")
    (root / "val/n01/n01_1.JPEG").unlink()
    list_images.cache_clear()
    ((images, labels),) = build_loader().clean_batches("test")
    assert labels.tolist() == [0, 0, 1, 1]
    white = torch.tensor([2.2489, 2.4286, 2.6400])  # (1 - mean) / deviation
    for image in images[:2]:
        torch.testing.assert_close(image, white[:, None, None].expand(3, 16, 16), atol=1e-4, rtol=0)


def test_evaluated_training_images_cover_all_classes(build_loader):
    ((images, labels),) = build_loader("data.stream.train_evaluated=4").clean_batches("train")
    assert (images.shape, labels.tolist()) == ((4, 3, 16, 16), [0, 0, 1, 1])
    ((everything, labels),) = build_loader("data.stream.train_evaluated=50").clean_batches("train")
    assert labels.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert torch.equal(everything[::2], images)


def test_only_the_iteration_decides_augmented_batches(build_loader):
    limit = "data.stream.train_evaluated=4"
    batches = list(build_loader(limit).augmented_batches(7))
    assert batches[0][1].tolist() == [0, 0, 1, 1]
    assert are_equal(
        batches, list(build_loader(limit, "data.stream.workers=2").augmented_batches(7))
    )
    assert not are_equal(batches, list(build_loader(limit).augmented_batches(8)))
    assert not are_equal(batches, list(build_loader(limit).clean_batches("train")))


def test_ten_crops_are_corners_centre_and_their_flips(root, build_loader):
    loader = build_loader()
    ((crops, labels),) = loader.ten_crop_batches()
    ((centre, _),) = loader.clean_batches("test")
    assert (crops.shape, len(labels)) == ((4, 10, 3, 16, 16), 4)
    assert torch.equal(crops[:, 4], centre)
    # the left corners of the flipped image are the right corners, flipped
    assert torch.equal(crops[:, 5:9], crops[:, [1, 0, 3, 2]].flip(4))
    # the first image is 25 wide, so it has no exact centre of 16
    assert torch.equal(crops[1:, 9], crops[1:, 4].flip(3))
    path = root / "val/n02/n02_1.JPEG"  # a square
    with Image.open(path) as image:
        resized = image.resize((20, 20), Image.Resampling.BILINEAR)
    pixels = torch.tensor(np.asarray(resized)).permute(2, 0, 1) / 255
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    square = (pixels - mean[:, None, None]) / deviation[:, None, None]
    positions = [(0, 0), (0, 4), (4, 0), (4, 4), (2, 2)]
    for crop, (top, left) in zip(crops[3, :5], positions, strict=True):
        torch.testing.assert_close(crop, square[:, top : top + 16, left : left + 16])
    assert build_loader("data.stream.ten_crop=false").ten_crop_batches() is None


@pytest.mark.parametrize("workers", [0, 2])
def test_unreadable_image_is_one_line_from_any_process(root, build_loader, workers):
    broken = root / "val/n02/n02_1.JPEG"
    broken.write_bytes(broken.read_bytes()[:200])
    with pytest.raises(DataError) as error:
        list(build_loader(f"data.stream.workers={workers}").clean_batches("test"))
    assert str(error.value).startswith(f"{broken}: is not a readable image (")
    assert "\n" not in str(error.value)
