"""The configuration of a run: its schema, its validation, and its composition by Hydra."""

from degradation.config.architecture import (
    blocks_per_stage,
    draws_randomly,
    family,
    is_applicable,
    is_made_of_blocks,
    parent_config,
    smallest_map_side,
)
from degradation.config.composition import (
    compose_config,
    compose_overrides,
    default_margin,
    initialise_hydra,
    read,
    read_typed,
    register,
)
from degradation.config.errors import ConfigError, quote
from degradation.config.fractions import resolve_fractions
from degradation.config.options import block_options, network_options
from degradation.config.override_quoting import quote_text
from degradation.config.overrides import (
    CONF,
    check_overrides,
    check_single_values,
    split_experiments,
)
from degradation.config.rules import NAME
from degradation.config.schedule import (
    effective_schedule,
    effective_warmup,
    evaluation_iterations,
    is_evaluated,
    later_probe_iterations,
    probe_iterations,
)
from degradation.config.schema import (
    BF16,
    TF32,
    Config,
    Data,
    Landscape,
    Model,
    Optim,
    Plateau,
    Precision,
    Probes,
    Schedule,
    Stream,
    Tracking,
    Warmup,
)
from degradation.config.validation import check, check_batchnorm

__all__ = [
    "BF16",
    "CONF",
    "NAME",
    "TF32",
    "Config",
    "ConfigError",
    "Data",
    "Landscape",
    "Model",
    "Optim",
    "Plateau",
    "Precision",
    "Probes",
    "Schedule",
    "Stream",
    "Tracking",
    "Warmup",
    "block_options",
    "blocks_per_stage",
    "check",
    "check_batchnorm",
    "check_overrides",
    "check_single_values",
    "compose_config",
    "compose_overrides",
    "default_margin",
    "draws_randomly",
    "effective_schedule",
    "effective_warmup",
    "evaluation_iterations",
    "family",
    "initialise_hydra",
    "is_applicable",
    "is_evaluated",
    "is_made_of_blocks",
    "later_probe_iterations",
    "network_options",
    "parent_config",
    "probe_iterations",
    "quote",
    "quote_text",
    "read",
    "read_typed",
    "register",
    "resolve_fractions",
    "smallest_map_side",
    "split_experiments",
]
