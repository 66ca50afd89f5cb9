"""Measure the loss around trained networks (Li et al. 2018): the same words as train.py takes; points run in parallel.

python experiments/landscape.py experiment=quick
python experiments/landscape.py experiment=quick model.depth=110 landscape.square=51 landscape.pictures=500

Points that are measured already are not measured again. Of an experiment: the nets of 20 and 56 layers of seed 0.
"""

import hydra
from omegaconf import DictConfig

from degradation import config as schema
from degradation.cli import run_hydra_script

schema.register()


@hydra.main(version_base="1.3", config_path=str(schema.CONF), config_name="landscape")
def main(cfg: DictConfig) -> str:
    from degradation.run_probes import run_landscape

    return run_landscape(schema.read(cfg))


if __name__ == "__main__":
    run_hydra_script(main, "landscape")
