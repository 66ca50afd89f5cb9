"""The columns of a frame's tables: their names, units and meaning.

`Frame.runs` has one row per run:

    column                   unit      meaning
    run_id                             name of the record's folder
    family                             plain, residual, constructed, plain-preactivation or
                                       preactivation
    depth                    layers    weighted layers of the network
    seed                               seed of the run
    state                              missing, running, partial, failed, diverged or done
    reason                             why the run failed or diverged
    shortcut                           none, A, B or C
    data                               name of the data set
    iteration                          iteration of the last evaluation
    training_error           %         clean, augmented or running error (`Frame.error_kind`)
    training_error_at_start  %         the same before the first update
    train/..., test/...      %, nats   the last evaluation's metrics (degradation.metrics)
    last_lr                            learning rate of the last iteration
    chance                   %         error of a network that has learned nothing
    error_step, test_step    points    resolution of the training and the test error
    train_images             count     number of training images
    untrained                bool      whether the training error is within 2 points of chance
    ended_at                           iteration at which the last attempt diverged, failed or
                                       was stopped
    end_time                 s         when the last attempt ended, in seconds since 1970 (UTC)
    parameters               count     trainable parameters
    multiply_adds            count     multiply-adds of the forward pass of one image
    activations              count     outputs of convolutions and the linear layer
    device, threads, torch             where the run was trained, and by which version of PyTorch;
                                       " + " joins the attempts' values
    commit, versions                   code and libraries of the last attempt
    code                               current, outdated or unverified: whether the current code
                                       gives the numbers of a finished run; for a published record,
                                       whether the code at the time of publication did
    code_change                        which files have changed since an outdated run was trained
    published                          of a published record: which files have changed since the
                                       run was trained; "" if the record knows the current code
    attempts, seconds        count, s  number of attempts and their total duration
    config.KEY                         each key of the configuration

Errors are those of the last iteration, never of the best one. They are NaN unless the run is done
or diverged; a diverged run has chance error.

`Frame.curves` has one row per evaluation: run_id, family, depth, seed, state, iteration,
training_error (%) and the metrics in `analysis.run_row.CURVE_METRICS` (%, nats). A diverged run's
errors are continued at chance.

`Frame.probes[NAME]` has the rows of one probe: run_id, family, depth, seed, iteration, time_point,
device, pictures (the number of images) and the columns that the probe measures.

Claims read the training error, chance error, the resolution (error_step) and the state; conditions
and the published comparisons read `config.KEY`; figures read the curves as well; mechanisms read
the probes; the report reads everything.
"""

from degradation.metrics import (
    AUGMENTED_ERROR,
    CLEAN_ERROR,
    CLEAN_LOSS,
    ITERATION,
    METRICS,
    PERCENT,
    RUNNING_ERROR,
    TEST_ERROR,
    TEST_LOSS,
)
from degradation.records.metadata import COMPLEXITY_COLUMNS
from degradation.records.schema import State

FINISHED_STATES = (State.DONE, State.DIVERGED)  # states of runs that have a result

# The metric that `training_error` holds, by its name in the configuration.
TRAINING_ERRORS = {"clean": CLEAN_ERROR, "augmented": AUGMENTED_ERROR, "running": RUNNING_ERROR}

TRAINING_ERROR = "training_error"
TRAINING_ERROR_AT_START = "training_error_at_start"
CHANCE = "chance"
ERROR_STEP = "error_step"
TEST_STEP = "test_step"
TRAIN_IMAGES = "train_images"
LAST_LR = "last_lr"  # not lr, which a user would take for the key optim.lr
ENDED_AT = "ended_at"
END_TIME = "end_time"
CODE_STATE = "code"
CODE_CHANGE = "code_change"
PUBLISHED_CHANGE = "published"

UNTRAINED_WITHIN_POINTS = 2.0  # a run this close to chance counts as untrained

# The columns that every frame has, whatever its records contain.
RUN_COLUMNS = ["run_id", "family", "depth", "seed", "state"]
INFO_COLUMNS = (
    "reason",
    "device",
    "threads",
    "torch",
    "commit",
    "versions",
    CODE_STATE,
    CODE_CHANGE,
    PUBLISHED_CHANGE,
)
FLOAT_COLUMNS = (
    TRAINING_ERROR,
    TRAINING_ERROR_AT_START,
    CHANCE,
    ENDED_AT,
    END_TIME,
    ERROR_STEP,
    TEST_STEP,
    TRAIN_IMAGES,
)
NUMERIC_COLUMNS = (
    *FLOAT_COLUMNS,
    ITERATION,
    LAST_LR,
    CLEAN_ERROR,
    CLEAN_LOSS,
    TEST_ERROR,
    TEST_LOSS,
    *COMPLEXITY_COLUMNS,
)


def is_percentage(metric: str) -> bool:
    """Return whether a column holds an error in percent."""
    return metric == TRAINING_ERROR or (metric in METRICS and METRICS[metric].unit == PERCENT)
