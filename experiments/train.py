"""Train one run, or a sweep of runs with `experiment=NAME` or `-m`.

Every key of conf/ may be given as `key=value`.

python experiments/train.py model=plain model.depth=56 seed=1
python experiments/train.py -m model=plain,residual model.depth=20,56 seed=0,1
python experiments/train.py experiment=quick
torchrun --nproc-per-node 2 experiments/train.py data=imagenet ... model.bn_parts=2
"""

import sys

import hydra
from omegaconf import DictConfig

from degradation.cli import hydra_job, run_hydra_script
from degradation.config import CONF, read, register
from degradation.signals import Interrupted

register()


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
@hydra_job
def main(cfg: DictConfig) -> str:
    from degradation.sweep.jobs import check_before_training

    config = read(cfg)
    check_before_training(config)
    # imported here, since torch and wandb take seconds to import and --help needs neither
    from degradation.run import train_as_member

    try:
        return str(train_as_member(config) or "")
    except Interrupted as interruption:
        print(interruption, file=sys.stderr)
        # this ends a sweep that Hydra's own launcher runs, too
        sys.exit(128 + interruption.signum)


if __name__ == "__main__":
    run_hydra_script(main, "config")
