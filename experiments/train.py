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

from degradation import config as schema
from degradation.cli import hydra_job, run_hydra_script
from degradation.config import Config
from degradation.signals import Interrupted

schema.register()


@hydra.main(version_base="1.3", config_path=str(schema.CONF), config_name="config")
@hydra_job
def main(cfg: DictConfig) -> str:
    from degradation.data.image_check import check_images
    from degradation.sweep.jobs import check_record_root

    config = schema.read(cfg)
    check_record_root(config)
    check_images(config.data)
    try:
        return train_as_member(config)
    except Interrupted as interruption:
        print(interruption, file=sys.stderr)
        # this ends a sweep that Hydra's own launcher runs, too
        sys.exit(128 + interruption.signum)


def train_as_member(config: Config) -> str:
    """Train as the main process, or as a worker under torchrun; return the run's final state."""
    # imported here, since torch and wandb take seconds to import and --help needs neither
    from degradation.run import run_worker, train
    from degradation.training.distributed import init_distributed

    with init_distributed(config) as group:
        if not group.is_main:
            run_worker(config, group)
            return ""
        try:
            return str(train(config, group))
        finally:
            group.send_stop()


if __name__ == "__main__":
    run_hydra_script(main, "config")
