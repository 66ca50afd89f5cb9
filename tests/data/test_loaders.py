"""The batches of a run are drawn from its seed: which images, in which order, under which augmentation."""

from itertools import islice

import pytest
import torch

from degradation.data.datasets import Dataset, Split
from degradation.data.loaders import ResidentLoader
from degradation.data.random_streams import Shard, build_generator

CPU = torch.device("cpu")
IMAGES, SIDE, PAD, BATCH = 20, 8, 2, 6
LIT = (3, 2)  # row and column of the one bright pixel: off the middle, so that a flip moves it


def lit_images(count):
    """Black images with one bright pixel; the label of an image is its index."""
    images = torch.zeros(count, 1, SIDE, SIDE, dtype=torch.uint8)
    images[:, 0, LIT[0], LIT[1]] = 255
    return Split(images, torch.arange(count))


@pytest.fixture
def feed(compose_config):
    def build(*overrides, count=IMAGES):
        keys = (
            f"data.pad={PAD}",
            "data.flip=true",
            "data.normalise=after_padding",
            f"optim.batch_size={BATCH}",
        )
        config = compose_config(*keys, *overrides)
        return ResidentLoader(Dataset(lit_images(count), lit_images(5), count), config, CPU)

    return build


def order(feed, iterations, start=0):
    """The index of every image of these batches."""
    return [labels.tolist() for _, labels in islice(feed.training_batches(start), iterations)]


def places(batch):
    """Row and column of the bright pixel of each image."""
    images, _ = batch
    brightest = images.flatten(1).argmax(1)
    return [divmod(place, SIDE) for place in brightest.tolist()]


def augmentation(feed, iterations, start=0):
    return [places(batch) for batch in islice(feed.training_batches(start), iterations)]


def expected_places(seed, iteration):
    """Where the bright pixel goes: the crop's offset moves it, the flip mirrors it."""
    random = build_generator(seed, "augmentation", iteration)
    rows, columns = torch.randint(-PAD, PAD + 1, (2, BATCH), generator=random)
    flips = torch.rand(BATCH, generator=random) < 0.5
    expected = []
    for row, column, flip in zip(rows.tolist(), columns.tolist(), flips.tolist(), strict=True):
        at = LIT[1] - column
        expected.append((LIT[0] - row, SIDE - 1 - at if flip else at))
    return expected


@pytest.mark.parametrize("seed", [0, 1, 7])
def test_the_order_is_a_permutation_drawn_from_the_seed(feed, seed):
    epochs = []
    for epoch in range(3):
        epochs += torch.randperm(IMAGES, generator=build_generator(seed, "order", epoch)).tolist()
    batches = order(feed(f"seed={seed}"), 10)  # ten batches of six are three epochs of twenty
    assert [index for batch in batches for index in batch] == epochs


@pytest.mark.parametrize("seed", [0, 1, 7])
def test_the_augmentation_is_drawn_from_seed_and_iteration(feed, seed):
    found = augmentation(feed(f"seed={seed}"), 4)
    assert found == [expected_places(seed, iteration) for iteration in range(4)]


def test_seeds_differ_in_order_and_in_augmentation(feed):
    seeds = [feed(f"seed={seed}") for seed in range(5)]
    assert len({str(order(one, 3)) for one in seeds}) == 5
    assert len({str(augmentation(one, 3)) for one in seeds}) == 5


def test_every_iteration_has_an_augmentation_of_its_own(feed):
    assert len({str(batch) for batch in augmentation(feed(), 50)}) == 50


def test_a_feed_may_begin_at_any_iteration(feed):
    made = feed("seed=3")
    whole_order, whole_augmentation = order(made, 9), augmentation(made, 9)
    for start in range(9):
        assert order(made, 9 - start, start) == whole_order[start:]
        assert augmentation(made, 9 - start, start) == whole_augmentation[start:]


def test_the_order_depends_on_no_augmentation_and_no_global_stream(feed):
    expected = order(feed("seed=3"), 9)
    torch.manual_seed(1)
    assert order(feed("seed=3", "data.pad=0", "data.flip=false"), 9) == expected
    interrupted = feed("seed=3")
    list(interrupted.augmented_batches(4))
    assert order(interrupted, 9) == expected


def test_the_augmentation_depends_on_no_order_and_no_global_stream(feed):
    expected = augmentation(feed("seed=3"), 9)
    torch.manual_seed(1)
    assert augmentation(feed("seed=3", count=33), 9) == expected  # other images in another order


@pytest.mark.parametrize("count", [2, 3])
def test_shares_of_a_batch_are_its_parts(feed, count):
    """Images, labels and augmentation of each process are its slice of what one process has."""
    whole = list(islice(feed().training_batches(5), 3))
    shares = [
        list(islice(feed().training_batches(5, Shard(rank, count)), 3)) for rank in range(count)
    ]
    for number, (images, labels) in enumerate(whole):
        parts = [share[number] for share in shares]
        assert torch.equal(torch.cat([part[0] for part in parts]), images)
        assert torch.equal(torch.cat([part[1] for part in parts]), labels)


def test_clean_images_are_all_of_a_split_in_their_order(feed):
    made = feed(count=600)  # three evaluation batches, the last of them smaller
    labels = torch.cat([labels for _, labels in made.clean_batches("train")])
    assert labels.tolist() == list(range(600))
    assert {place for batch in made.clean_batches("train") for place in places(batch)} == {LIT}
    assert sum(len(labels) for _, labels in made.clean_batches("test")) == 5


def test_augmented_images_are_all_training_images_in_their_order(feed):
    made = feed(count=600)
    labels = torch.cat([labels for _, labels in made.augmented_batches(0)])
    assert labels.tolist() == list(range(600))
    seen = {place for batch in made.augmented_batches(0) for place in places(batch)}
    assert len(seen) == 2 * (2 * PAD + 1) ** 2 - overlapping_places()


def overlapping_places():
    """Places that the bright pixel reaches both mirrored and not."""
    columns = {LIT[1] - offset for offset in range(-PAD, PAD + 1)}
    mirrored = {SIDE - 1 - column for column in columns}
    return len(columns & mirrored) * (2 * PAD + 1)


@pytest.mark.parametrize("kind", ["clean", "augmented"])
def test_shares_of_an_evaluation_are_its_batches(feed, kind):
    made = feed(count=1100)

    def evaluation(*share):
        batches = (
            made.clean_batches("train", *share)
            if kind == "clean"
            else made.augmented_batches(4, *share)
        )
        return list(batches)

    whole = evaluation()
    assert len(whole) == 5
    for rank in (0, 1):
        part = evaluation(Shard(rank, 2))
        assert len(part) == len(whole[rank::2])
        for (images, labels), (expected, expected_labels) in zip(part, whole[rank::2], strict=True):
            assert torch.equal(images, expected)
            assert torch.equal(labels, expected_labels)


def test_streams_differ_in_seed_name_and_index():
    """And 64 bits decide: no two of these begin alike."""
    names = (
        "order",
        "augmentation",
        "evaluation",
        "initialisation",
        "landscape",
        "probe/lesions",
        "probe/paths",
    )
    draws = {
        tuple(torch.rand(4, generator=build_generator(seed, name, index)).tolist())
        for seed in (0, 1, 10, 11)
        for name in names
        for index in (0, 1, 10)
    }
    assert len(draws) == 4 * len(names) * 3


def test_a_stream_is_pinned_for_ever():
    """Other numbers here would change every run."""
    assert torch.randint(1000, (5,), generator=build_generator(3, "order", 2)).tolist() == [
        537,
        531,
        26,
        336,
        348,
    ]
