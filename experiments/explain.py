"""Run the probes on the trained networks of a run or a sweep; overrides as for train.py.

python experiments/explain.py experiment=quick
python experiments/explain.py model=residual model.depth=56 seed=1 probes.afterwards=[paths]
"""

import hydra
from omegaconf import DictConfig

from degradation.cli import hydra_job, run_hydra_script
from degradation.config import CONF, read, register

register()


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="explain")
@hydra_job
def main(cfg: DictConfig) -> str:
    # imported here, since torch and wandb take seconds to import and --help needs neither
    from degradation.run_probes import run_probes

    return run_probes(read(cfg))


if __name__ == "__main__":
    run_hydra_script(main, "explain")
