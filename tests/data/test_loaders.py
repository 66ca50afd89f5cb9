"""A run's batches are drawn from its seed: their images, order and augmentation."""

from itertools import islice

import pytest
import torch

from degradation.data import loaders
from degradation.data.datasets import Dataset, Split
from degradation.data.loaders import ResidentLoader
from degradation.data.random_streams import WHOLE, Shard, build_generator
from tests.support.training_batches import draw_batch_indices, draw_batch_offsets, training_batches

CPU = torch.device("cpu")
IMAGES, SIDE, PAD, BATCH = 20, 8, 2, 6
BRIGHT = (3, 2)  # row and column of the bright pixel: off centre, so that a flip moves it


def build_split(count):
    """Black images with one bright pixel; the label of an image is its index."""
    images = torch.zeros(count, 1, SIDE, SIDE, dtype=torch.uint8)
    images[:, 0, BRIGHT[0], BRIGHT[1]] = 255
    return Split(images, torch.arange(count))


@pytest.fixture
def build_loader(compose_config):
    def build(*overrides, count=IMAGES):
        keys = (
            f"data.pad={PAD}",
            "data.flip=true",
            "data.normalise=after_padding",
            f"optim.batch_size={BATCH}",
        )
        config = compose_config(*keys, *overrides)
        return ResidentLoader(Dataset(build_split(count), build_split(5), count), config, CPU)

    return build


def read_order(loader, iterations, start=0):
    """Return the index of every image of these batches."""
    return [labels.tolist() for _, labels in islice(training_batches(loader, start), iterations)]


def find_places(batch):
    """Return the row and column of each image's bright pixel."""
    images, _ = batch
    positions = images.flatten(1).argmax(1)
    return [divmod(position, SIDE) for position in positions.tolist()]


def read_augmentation(loader, iterations, start=0):
    return [find_places(batch) for batch in islice(training_batches(loader, start), iterations)]


def compute_places(seed, iteration):
    """Return where the crop and the flip move the bright pixel of each image."""
    random = build_generator(seed, "augmentation", iteration)
    rows, columns = torch.randint(-PAD, PAD + 1, (2, BATCH), generator=random)
    flips = torch.rand(BATCH, generator=random) < 0.5
    expected = []
    for row, column, flip in zip(rows.tolist(), columns.tolist(), flips.tolist(), strict=True):
        place = BRIGHT[1] - column
        if flip:
            place = SIDE - 1 - place
        expected.append((BRIGHT[0] - row, place))
    return expected


@pytest.mark.parametrize("seed", [0, 1, 7])
def test_order_is_a_permutation_from_the_seed(build_loader, seed):
    epochs = []
    for epoch in range(3):
        epochs += torch.randperm(IMAGES, generator=build_generator(seed, "order", epoch)).tolist()
    # ten batches of six images are three epochs of twenty
    batches = read_order(build_loader(f"seed={seed}"), 10)
    assert [index for batch in batches for index in batch] == epochs


@pytest.mark.parametrize("seed", [0, 1, 7])
def test_augmentation_is_drawn_from_seed_and_iteration(build_loader, seed):
    places = read_augmentation(build_loader(f"seed={seed}"), 4)
    assert places == [compute_places(seed, iteration) for iteration in range(4)]


def test_seeds_differ_in_order_and_augmentation(build_loader):
    loaders = [build_loader(f"seed={seed}") for seed in range(5)]
    assert len({str(read_order(loader, 3)) for loader in loaders}) == 5
    assert len({str(read_augmentation(loader, 3)) for loader in loaders}) == 5


def test_each_iteration_draws_its_own_augmentation(build_loader):
    assert len({str(batch) for batch in read_augmentation(build_loader(), 50)}) == 50


def test_batches_may_start_at_any_iteration(build_loader):
    loader = build_loader("seed=3")
    whole_order, whole_augmentation = read_order(loader, 9), read_augmentation(loader, 9)
    for start in range(9):
        assert read_order(loader, 9 - start, start) == whole_order[start:]
        assert read_augmentation(loader, 9 - start, start) == whole_augmentation[start:]


def test_only_the_seed_and_iteration_decide_the_order(build_loader):
    expected = read_order(build_loader("seed=3"), 9)
    torch.manual_seed(1)
    assert read_order(build_loader("seed=3", "data.pad=0", "data.flip=false"), 9) == expected
    loader = build_loader("seed=3")
    list(loader.augmented_batches(4))
    assert read_order(loader, 9) == expected


def test_only_the_seed_and_iteration_decide_augmentation(build_loader):
    expected = read_augmentation(build_loader("seed=3"), 9)
    torch.manual_seed(1)
    other_images = build_loader("seed=3", count=33)  # so in a different order
    assert read_augmentation(other_images, 9) == expected


@pytest.mark.parametrize("count", [2, 3])
def test_shards_split_every_training_batch(build_loader, count):
    """The slices of all processes make up the batch of a single process."""
    whole = list(islice(training_batches(build_loader(), 5), 3))
    shards = [
        list(islice(training_batches(build_loader(), 5, Shard(rank, count)), 3))
        for rank in range(count)
    ]
    for number, (images, labels) in enumerate(whole):
        batches = [shard[number] for shard in shards]
        assert torch.equal(torch.cat([batch[0] for batch in batches]), images)
        assert torch.equal(torch.cat([batch[1] for batch in batches]), labels)


def test_clean_batches_are_the_split_in_order(build_loader):
    loader = build_loader(count=600)  # three evaluation batches, the last one smaller
    labels = torch.cat([labels for _, labels in loader.clean_batches("train")])
    assert labels.tolist() == list(range(600))
    for batch in loader.clean_batches("train"):
        assert set(find_places(batch)) == {BRIGHT}
    assert sum(len(labels) for _, labels in loader.clean_batches("test")) == 5


def test_augmented_batches_are_the_training_images_in_order(build_loader):
    loader = build_loader(count=600)
    labels = torch.cat([labels for _, labels in loader.augmented_batches(0)])
    assert labels.tolist() == list(range(600))
    places = set()
    for batch in loader.augmented_batches(0):
        places.update(find_places(batch))
    assert len(places) == 2 * (2 * PAD + 1) ** 2 - count_overlapping_places()


def count_overlapping_places():
    """Count the positions that the bright pixel reaches both with and without a flip."""
    columns = {BRIGHT[1] - offset for offset in range(-PAD, PAD + 1)}
    flipped = {SIDE - 1 - column for column in columns}
    return len(columns & flipped) * (2 * PAD + 1)


@pytest.mark.parametrize("kind", ["clean", "augmented"])
def test_shards_deal_the_batches_of_an_evaluation(build_loader, kind):
    loader = build_loader(count=1100)

    def evaluate(*shard):
        if kind == "clean":
            return list(loader.clean_batches("train", *shard))
        return list(loader.augmented_batches(4, *shard))

    whole = evaluate()
    assert len(whole) == 5
    for rank in (0, 1):
        batches = evaluate(Shard(rank, 2))
        expected_batches = whole[rank::2]
        assert len(batches) == len(expected_batches)
        pairs = zip(batches, expected_batches, strict=True)
        for (images, labels), (expected, expected_labels) in pairs:
            assert torch.equal(images, expected)
            assert torch.equal(labels, expected_labels)


def test_streams_differ_in_seed_name_and_index():
    """Generators are seeded with 63 bits, so no two of these start alike."""
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


def test_stream_is_pinned():
    """Different numbers would change every run."""
    numbers = torch.randint(1000, (5,), generator=build_generator(3, "order", 2))
    assert numbers.tolist() == [537, 531, 26, 336, 348]


@pytest.mark.parametrize("start", [0, 3, 50])
@pytest.mark.parametrize("shard", [WHOLE, Shard(1, 2)])
def test_blocks_of_draws_equal_one_draw_per_iteration(build_loader, monkeypatch, start, shard):
    """Whatever a block's size, and wherever training resumes."""
    monkeypatch.setattr(loaders, "BATCHES_PER_BLOCK", 7)
    loader = build_loader("seed=3")
    inputs = loader.training_inputs(start, shard)
    for iteration, (draws,) in enumerate(islice(inputs, 20), start=start):
        indices = draw_batch_indices(3, iteration, BATCH, IMAGES)
        offsets = draw_batch_offsets(loader.config, iteration)
        expected = torch.cat([indices[None], offsets])
        assert torch.equal(draws, shard.select(expected, dim=1))


def test_draws_are_sent_once_per_block(build_loader, monkeypatch):
    sent = []

    def count_sent(values, device):
        sent.append(values.shape)
        return values.to(device)

    monkeypatch.setattr(loaders, "send", count_sent)
    list(islice(build_loader().training_inputs(3), 130))
    assert sent == [(64, 4, BATCH)] * 3
