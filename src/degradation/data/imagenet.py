"""ImageNet (ILSVRC 2012) as folders of image files: ROOT/train/<class>/ and ROOT/val/<class>/."""

from degradation.config import Data
from degradation.data.datasets import StreamedDataset
from degradation.data.folders import check_root, find_splits, list_images
from degradation.registry import DATASETS

# Statistics of values in [0, 1], for red, green and blue, as in torchvision's reference training.
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)


@DATASETS.register(
    "imagenet",
    fingerprint="listing",
    splits=("train", "val"),
    channels=3,
    classes=1000,
    streamed=True,
    checks_images=True,
)
def open_imagenet(data: Data) -> StreamedDataset:
    """List ImageNet's images without reading them. The folder `val` is the test set.

    Raises:
        ConfigError: data.root cannot be used.
    """
    assert data.stream is not None  # as `config.check` requires of this data set
    root = check_root(data)
    train, test, digest = list_images(root, find_splits(data))
    return StreamedDataset(root, data.stream, train, test, digest, MEAN, DEVIATION)
