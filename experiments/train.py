"""Train one run, or with `experiment=NAME` or `-m` a grid of runs. Every key of conf/ may be given: `key=value`.

python experiments/train.py model=plain model.depth=56 seed=1
python experiments/train.py -m model=plain,residual model.depth=20,56 seed=0,1
python experiments/train.py experiment=quick
"""

import hydra
from omegaconf import DictConfig

from degradation import config as schema

schema.register()


@hydra.main(version_base="1.3", config_path=str(schema.CONF), config_name="config")
def main(cfg: DictConfig) -> str:
    from degradation.run import train  # torch and wandb are imported in the job, so that --help answers at once

    return str(train(schema.read(cfg)))


if __name__ == "__main__":
    main()
