"""How many runs of a sweep fit into the memory of one GPU, from the size of their networks.

The launcher calls `count_fitting_runs` in a separate process, by its dotted name in
conf/hydra/launcher/pool.yaml.
"""

from collections.abc import Sequence

import torch

from degradation.config import Config
from degradation.config.architecture import is_built_in
from degradation.data.loaders import gpu_evaluation_batch
from degradation.models.complexity import list_layers
from degradation.registry import DATASETS, OPTIMIZERS

USABLE_SHARE = 0.9  # of a GPU's memory; the rest is for its display, and for other programs
# the CUDA context, the libraries' kernels and workspaces, and what the allocator cannot use
PROCESS_BYTES = 2**30
MOST_IMAGES = 70_000  # of the data sets whose size is not read: those of Fashion-MNIST
VALUE_BYTES = 4  # of float32; with bf16, half of the activations need less
# Tensors of the size of each convolution's output that training holds at once: the output, which BN
# keeps for its backward pass, BN's own output, the sum or ReLU after it, a gradient, and cuDNN's
# workspace
TRAINING_COPIES = 6
# Tensors of the size of the largest output that an evaluation holds: input and output of a layer,
# BN's, the shortcut, and cuDNN's workspaces, once each for eager calls and for the graph. On an
# H200, the workspaces made them about 19 in fp32 (a run of residual-20 reserved 4.4 GiB); the rest
# is a reserve for other cards and networks, since a run that finds too little memory fails
EVALUATION_COPIES = 25


def count_fitting_runs(configs: Sequence[Config]) -> int | None:
    """Return how many of the largest of these runs fit into the smallest visible GPU, at least 1.

    None if there is no GPU, or if the memory of a run cannot be estimated.
    """
    memory = [_measure_usable_bytes(gpu) for gpu in range(torch.cuda.device_count())]
    distinct = {repr((config.model, config.data, config.optim)): config for config in configs}
    needs = [estimate_bytes(config) for config in distinct.values()]
    known = [need for need in needs if need is not None]
    if not memory or not known or len(known) < len(needs):
        return None
    return max(1, int(min(memory) / max(known)))


def _measure_usable_bytes(gpu: int) -> float:
    """Return how much of a GPU's memory all runs together may use: at most what is free now."""
    free, total = torch.cuda.mem_get_info(gpu)
    return min(float(free), USABLE_SHARE * total)


def estimate_bytes(config: Config) -> int | None:
    """Return about how much memory a run reserves on a GPU, rather too much than too little.

    None for what the estimate does not know: networks and blocks of the user's own, and data sets
    whose size is only known once they are read.
    """
    facts = DATASETS.facts(config.data.name)
    is_known = {"side", "channels", "classes"} <= facts.keys() and config.data.stream is None
    model = config.model
    if not is_known or not is_built_in(model):
        return None
    channels, side = int(facts["channels"]), int(config.data.size or facts["side"])
    layers = list_layers(model, channels, side, facts["classes"])
    pixels = channels * side**2
    parameters = sum(layer.parameters for layer in layers)
    # weights, gradients, and a copy while a checkpoint is saved
    copies = 3 + int(OPTIMIZERS.facts(config.optim.name)["state_values"])
    activations = sum(layer.activations for layer in layers) + pixels
    largest = max(layer.activations for layer in layers) + pixels
    training = TRAINING_COPIES * activations * config.optim.batch_size
    evaluation = EVALUATION_COPIES * largest * gpu_evaluation_batch(side)
    values = copies * parameters + training + evaluation
    return PROCESS_BYTES + MOST_IMAGES * pixels + VALUE_BYTES * values
