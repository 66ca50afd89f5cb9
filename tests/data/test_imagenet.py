"""ImageNet read from disk: the same batches whatever the workers and wherever a run begins."""

import multiprocessing
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
from degradation.data.random_streams import draw_batch_indices
from degradation.data.streaming import StreamingLoader, draw_epoch_indices

CPU = torch.device("cpu")
SIZES = [(30, 24), (24, 40), (25, 25), (50, 21), (22, 22), (26, 33)]
SMALL = ("data.stream.crop=16", "data.stream.scale=[18,24]", "data.stream.test_scale=20", "data.stream.workers=0",
         "data.validation=0")  # fmt: skip


def noise(size, mode="RGB"):
    pixels = np.random.default_rng(size).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels).convert(mode)


@pytest.fixture
def root(tmp_path):
    """Two classes, 8 pictures to train on and 4 to test on, of all sizes and some odd kinds."""
    list_images.cache_clear()
    for split, count in (("train", 4), ("val", 2)):
        for label, name in enumerate(("n01", "n02")):
            folder = tmp_path / split / name
            folder.mkdir(parents=True)
            for index in range(count):
                noise(SIZES[(index + label) % len(SIZES)]).save(folder / f"{name}_{index}.JPEG")
    noise((28, 24), "L").save(tmp_path / "train/n01/n01_1.JPEG")
    noise((24, 28), "CMYK").save(tmp_path / "train/n02/n02_2.JPEG")
    noise((24, 28), "P").save(tmp_path / "train/n02/n02_3.png")
    (tmp_path / "train/n02/n02_3.JPEG").unlink()
    return tmp_path


@pytest.fixture
def feed(root, compose_config):
    """overrides -> StreamFeed of the made tree."""

    def made(*overrides):
        config = compose_config(
            "data=imagenet", f"data.root={root}", *SMALL, "optim.batch_size=3", *overrides
        )
        return StreamingLoader(load_dataset(config.data), config, CPU)

    return made


def equal(one, two):
    return len(one) == len(two) > 0 and all(
        torch.equal(a, b)
        for left, right in zip(one, two, strict=True)
        for a, b in zip(left, right, strict=True)
    )


def test_the_folders_are_listed(root, feed):
    source = feed().dataset
    assert (source.classes, source.channels, source.side, len(source.train), len(source.test)) == (
        2,
        3,
        16,
        8,
        4,
    )
    assert source.train.labels.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert [name.decode() for name in source.test.names[:3]] == [
        "val/n01/n01_0.JPEG", "val/n01/n01_1.JPEG", "val/n02/n02_0.JPEG"
    ]  # fmt: skip
    assert feed().sizes == {"train": 8, "test": 4}


def test_held_out_images_are_neither_trained_on_nor_lost(feed):
    whole, split = feed(), feed("data.validation=3")
    assert split.sizes == {"train": 5, "test": 4, "validation": 3}
    parts = [set(split.dataset.train.names.tolist()), set(split.dataset.validation.names.tolist())]
    assert parts[0].isdisjoint(parts[1])
    assert parts[0] | parts[1] == set(whole.dataset.train.names.tolist())
    assert split.dataset.checksum() == whole.dataset.checksum()
    trained = [image for images, _ in islice(split.training_batches(0), 20) for image in images]
    assert len(trained) == 60
    labels = torch.cat([labels for _, labels in split.clean_batches("validation")])
    assert labels.tolist() == split.dataset.validation.labels.tolist()


def test_mixed_batches_are_the_measured_images_once(feed):
    clean = torch.cat([images for images, _ in feed().clean_batches("train")])
    mixed = torch.cat([images for images, _ in feed().shuffled_batches()])
    assert len(mixed) == len(clean) == 8
    assert not torch.equal(mixed, clean)
    assert sorted(mixed.flatten(1).sum(1).tolist()) == pytest.approx(
        sorted(clean.flatten(1).sum(1).tolist())
    )


def test_the_listing_is_known_by_names_and_sizes(root, feed, compose_config, tmp_path_factory):
    before = feed().dataset.checksum()
    assert data_fingerprint(feed().config.data) == f"listing:{before[:16]}"
    moved = tmp_path_factory.mktemp("moved") / "there"
    root.rename(moved)
    data = compose_config("data=imagenet", f"data.root={moved}", "data.validation=0").data
    assert load_dataset(data).checksum() == before
    (moved / "val/n01/n01_0.JPEG").write_bytes(b"of another size")
    list_images.cache_clear()
    assert load_dataset(data).checksum() != before


def test_folders_that_are_no_imagenet_are_refused(root, feed):
    (root / "val/n02").rename(root / "val/n03")
    with pytest.raises(ConfigError, match=r"^data\.root: .* different classes in train and val"):
        feed()
    (root / "val/n03").rename(root / "val/n02")
    for picture in (root / "train/n01").iterdir():
        picture.unlink()
    with pytest.raises(ConfigError, match=r"^data\.root: .*n01 has no \.jpg"):
        feed()
    (root / "val").rename(root / "test")
    with pytest.raises(
        ConfigError,
        match=r"^data\.root: .*has no folder 'val'; allowed: a folder with train/<class>/ and val/<class>/",
    ):
        feed()


@pytest.mark.parametrize(("batch", "pictures"), [(3, 8), (4, 8), (8, 8), (25, 8), (1, 5)])
def test_the_order_is_that_of_every_other_data_set(batch, pictures):
    for seed in (0, 3):
        for iteration in range(12):
            expected = draw_batch_indices(seed, iteration, batch, pictures)
            assert torch.equal(draw_epoch_indices(seed, iteration, batch, pictures), expected)


def test_batches_hold_the_pictures_of_the_order(feed):
    stream = feed()
    for iteration, (pictures, labels) in enumerate(islice(stream.training_batches(0), 4)):
        assert (pictures.shape, pictures.dtype, labels.dtype) == (
            (3, 3, 16, 16),
            torch.float32,
            torch.int64,
        )
        index = draw_batch_indices(0, iteration, 3, 8)
        assert labels.tolist() == stream.dataset.train.labels[index].tolist()


def test_workers_and_interruptions_change_no_bit(feed):
    torch.manual_seed(5)
    state = torch.get_rng_state()
    alone = list(islice(feed().training_batches(0), 6))
    assert equal(alone, list(islice(feed("data.stream.workers=2").training_batches(0), 6)))
    torch.manual_seed(6)
    assert equal(alone[3:], list(islice(feed().training_batches(3), 3)))
    torch.set_rng_state(state)
    next(feed().training_batches(0))
    assert torch.equal(torch.get_rng_state(), state)


def test_workers_live_as_long_as_the_training(feed):
    batches = feed("data.stream.workers=2").training_batches(0)
    next(batches)
    before = {process.pid for process in multiprocessing.active_children()}
    for _ in range(5):
        next(batches)
    assert len(before) == 2
    assert {process.pid for process in multiprocessing.active_children()} == before
    batches.close()


def test_seeds_and_iterations_differ(feed):
    first = next(feed().training_batches(0))[0]
    assert not torch.equal(first, next(feed("seed=1").training_batches(0))[0])
    epochs = feed("optim.batch_size=8").training_batches(0)
    one, two = next(epochs), next(epochs)
    assert not torch.equal(one[0].sum((0, 2, 3)), two[0].sum((0, 2, 3)))


def views(feed, count, picture, flip=True):
    return [
        augment_view(feed.dataset.stream, flip, 0, "augmentation", picture, draw)
        for draw in range(count)
    ]


def test_a_crop_is_a_window_of_the_scaled_picture_or_its_mirror_image(feed):
    picture = noise((20, 18))
    stream = feed("data.stream.scale=[18,18]", "data.stream.colour=0")
    pixels = torch.tensor(np.asarray(picture)).permute(2, 0, 1)
    windows = {
        (top, left): pixels[:, top : top + 16, left : left + 16]
        for top in range(3)
        for left in range(5)
    }
    seen = []
    for crop, colour in views(stream, 300, picture):
        assert colour.tolist() == [0, 0, 0]
        seen.extend(
            (*place, False) for place, window in windows.items() if torch.equal(crop, window)
        )
        seen.extend(
            (*place, True) for place, window in windows.items() if torch.equal(crop, window.flip(2))
        )
    assert len(seen) == 300
    assert len(set(seen)) == 30  # every place, either way round
    assert 120 < sum(mirrored for *_, mirrored in seen) < 180
    straight = [crop for crop, _ in views(stream, 20, picture, flip=False)]
    assert all(any(torch.equal(crop, window) for window in windows.values()) for crop in straight)


def test_the_shorter_side_is_drawn_from_the_whole_range(feed, monkeypatch):
    from torchvision.transforms.v2 import functional

    sides, resize = [], functional.resize
    monkeypatch.setattr(
        functional, "resize", lambda picture, size: (sides.extend(size), resize(picture, size))[1]
    )
    views(feed(), 150, noise((30, 24)))
    assert sorted(set(sides)) == list(range(18, 25))


def test_colours_are_shifted_along_their_principal_directions(feed):
    """Krizhevsky et al. 2012, 4.1: with 0.1, the deviation of red is 0.1 x the norm of (variance x direction)."""
    shifts = torch.stack([colour for _, colour in views(feed(), 800, noise((20, 20)))])
    expected = torch.tensor([0.01242, 0.01264, 0.01276])
    assert (shifts.std(0) / expected - 1).abs().max() < 0.1
    assert shifts.mean(0).abs().max() < 0.002
    assert bool((torch.corrcoef(shifts.T) > 0.9).all())  # brightness is the first component


def test_the_clean_view_is_the_centre_and_normalised(root, feed):
    Image.new("RGB", (20, 32), "white").save(root / "val/n01/n01_0.JPEG")
    striped = np.zeros((20, 30, 3), np.uint8)
    striped[2:18, 7:23] = 255  # the centre, exactly
    Image.fromarray(striped).save(root / "val/n01/n01_1.png")
    (root / "val/n01/n01_1.JPEG").unlink()
    list_images.cache_clear()
    ((pictures, labels),) = feed().clean_batches("test")
    assert labels.tolist() == [0, 0, 1, 1]
    white = torch.tensor([2.2489, 2.4286, 2.6400])  # (1 - mean) / deviation
    for picture in pictures[:2]:
        torch.testing.assert_close(
            picture, white[:, None, None].expand(3, 16, 16), atol=1e-4, rtol=0
        )


def test_training_pictures_are_measured_on_a_fixed_part_of_all_classes(feed):
    ((pictures, labels),) = feed("data.stream.train_evaluated=4").clean_batches("train")
    assert (pictures.shape, labels.tolist()) == ((4, 3, 16, 16), [0, 0, 1, 1])
    ((everything, labels),) = feed("data.stream.train_evaluated=50").clean_batches("train")
    assert labels.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert torch.equal(everything[::2], pictures)


def test_the_augmented_measurement_depends_on_the_iteration_alone(feed):
    part = "data.stream.train_evaluated=4"
    one = list(feed(part).augmented_batches(7))
    assert one[0][1].tolist() == [0, 0, 1, 1]
    assert equal(one, list(feed(part, "data.stream.workers=2").augmented_batches(7)))
    assert not equal(one, list(feed(part).augmented_batches(8)))
    assert not equal(one, list(feed(part).clean_batches("train")))


def test_ten_crops_are_corners_centre_and_mirror_images(root, feed):
    stream = feed()
    ((crops, labels),) = stream.ten_crop_batches()
    ((centre, _),) = stream.clean_batches("test")
    assert (crops.shape, len(labels)) == ((4, 10, 3, 16, 16), 4)
    assert torch.equal(crops[:, 4], centre)
    # of the mirrored picture: its left corners are the mirrored right ones
    assert torch.equal(crops[:, 5:9], crops[:, [1, 0, 3, 2]].flip(4))
    assert torch.equal(
        crops[1:, 9], crops[1:, 4].flip(3)
    )  # the first one's width of 25 has no exact centre of 16
    path = root / "val/n02/n02_1.JPEG"  # a square
    with Image.open(path) as image:
        pixels = (
            torch.tensor(np.asarray(image.resize((20, 20), Image.Resampling.BILINEAR))).permute(
                2, 0, 1
            )
            / 255
        )
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    square = (pixels - mean[:, None, None]) / deviation[:, None, None]
    for crop, (top, left) in zip(
        crops[3, :5], [(0, 0), (0, 4), (4, 0), (4, 4), (2, 2)], strict=True
    ):
        torch.testing.assert_close(crop, square[:, top : top + 16, left : left + 16])
    assert feed("data.stream.ten_crop=false").ten_crop_batches() is None


@pytest.mark.parametrize("workers", [0, 2])
def test_a_broken_picture_is_one_line_from_any_process(root, feed, workers):
    broken = root / "val/n02/n02_1.JPEG"
    broken.write_bytes(broken.read_bytes()[:200])
    with pytest.raises(DataError) as told:
        list(feed(f"data.stream.workers={workers}").clean_batches("test"))
    assert str(told.value).startswith(f"{broken}: is not a readable image (")
    assert "\n" not in str(told.value)
