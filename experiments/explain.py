"""Take the probes inside the trained networks of a run, or of a grid: the same words as train.py takes.

python experiments/explain.py experiment=quick
python experiments/explain.py model=residual model.depth=56 seed=1 probes.afterwards=[paths]
"""

import hydra
from omegaconf import DictConfig

from degradation import config as schema
from degradation.cli import run_hydra_script

schema.register()


@hydra.main(version_base="1.3", config_path=str(schema.CONF), config_name="explain")
def main(cfg: DictConfig) -> str:
    from degradation.run_probes import (
        run_probes,
    )  # torch and wandb are imported here, so that --help answers at once

    return run_probes(schema.read(cfg))


if __name__ == "__main__":
    run_hydra_script(main, "explain")
