"""Train one run, or with `experiment=NAME` or `-m` a grid of runs. Every key of conf/ may be given: `key=value`.

python experiments/train.py model=plain model.depth=56 seed=1
python experiments/train.py -m model=plain,residual model.depth=20,56 seed=0,1
python experiments/train.py experiment=quick
torchrun --nproc-per-node 2 experiments/train.py data=imagenet ... model.bn_parts=2
"""

import sys

import hydra
from omegaconf import DictConfig

from degradation import config as schema
from degradation.cli import run_hydra_script
from degradation.signals import Interrupted

schema.register()


@hydra.main(version_base="1.3", config_path=str(schema.CONF), config_name="config")
def main(cfg: DictConfig) -> str:
    from degradation.sweep.jobs import check_record_root

    config = schema.read(cfg)
    check_record_root(config)
    from degradation.run import (
        run_worker,
        train,
    )  # torch and wandb are imported here, so that --help answers at once
    from degradation.training.distributed import init_distributed

    try:
        with init_distributed(config) as group:
            if not group.is_main:
                run_worker(config, group)
                return ""
            try:
                return str(train(config, group))
            finally:
                group.send_stop()
    except Interrupted as stopped:
        print(stopped, file=sys.stderr)
        sys.exit(
            128 + stopped.signum
        )  # ends a sweep by Hydra's own launcher too, as it should here


if __name__ == "__main__":
    run_hydra_script(main, "config")
