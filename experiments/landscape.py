"""Measure the loss around trained networks (Li et al. 2018); overrides as for train.py.

python experiments/landscape.py experiment=quick
python experiments/landscape.py experiment=quick model.depth=110 landscape.square=51

Several jobs, which run in parallel, share the points of a network. Points that have been measured
before are skipped. `landscape.depths` and `landscape.seeds` select networks of a sweep: by
default those of 20 and 56 layers with seed 0.
"""

import hydra
from omegaconf import DictConfig

from degradation.cli import hydra_job, run_hydra_script
from degradation.config import CONF, read, register

register()


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="landscape")
@hydra_job
def main(cfg: DictConfig) -> str:
    from degradation.run_probes import run_landscape

    return run_landscape(read(cfg))


if __name__ == "__main__":
    run_hydra_script(main, "landscape")
