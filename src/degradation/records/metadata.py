"""The content of run.json: the run's id, configuration, data and complexity.

`RunMetadata` is the only description of these keys. Training writes run.json from an instance,
`metadata_validation` derives its checks from the fields below, and the analysis reads the values.
Nothing in run.json depends on a clock, a machine or an attempt.
"""

from dataclasses import asdict, dataclass, field
from typing import Any

from degradation.checksums import Row

FAMILIES = ("plain", "residual", "constructed", "plain-preactivation", "preactivation")
COMPLEXITY_COLUMNS = ("parameters", "multiply_adds", "activations")

# Any other key may be missing: an earlier release may not have written it.
REQUIRED_KEYS = frozenset({"run_id", "family", "config", "data", "data.classes", "census"})


def _positive() -> Any:
    return field(metadata={"minimum": 1})


@dataclass(frozen=True, kw_only=True)
class DataMetadata:
    """The data set of a run. Numbers of images count those that were used."""

    name: str  # `data.name` of the configuration
    checksum: str  # checksum of all images and labels
    classes: int = field(metadata={"minimum": 2})
    train: int = _positive()  # training images
    test: int = _positive()  # test images
    # Training images of the most frequent class. Earlier releases did not write it.
    commonest: int | None = field(default=None, metadata={"minimum": 1})
    # Training images that are held out; absent if there are none.
    validation: int | None = None


@dataclass(frozen=True, kw_only=True)
class RunMetadata:
    """The values of run.json, except `schema_version`. A value of None is an absent key."""

    run_id: str
    family: str  # one of FAMILIES
    numerics_version: int  # `degradation.run_id.numerics_version`
    config: Row  # what the run id hashes: `degradation.run_id.hashed_values`
    data: DataMetadata
    census: dict[str, int]  # COMPLEXITY_COLUMNS of the network, for one image
    parent: str | None = None  # run id of the network that a constructed network is grown from

    def to_row(self) -> Row:
        """Return the values under the keys of run.json."""
        values = asdict(self)
        values["data"] = _drop_absent(values["data"])
        return _drop_absent(values)


def _drop_absent(values: Row) -> Row:
    return {key: value for key, value in values.items() if value is not None}
