"""The tests for the mutants of each module: the fast tests of these files, in this order.

training/distributed.py is not listed: only slow tests start several processes.
"""

TRAINING = "tests/training/test_[!d]*.py"
FILES = (
    "tests/data/test_datasets.py tests/robustness/test_bad_data.py"
    " tests/data/test_imagenet.py tests/robustness/test_planted_data.py"
)
MEASURES = "tests/probes/test_measure.py"
IMAGENET = "tests/data/test_imagenet.py"
AMBIGUITIES = "tests/config/test_ambiguities.py"
IMAGENET_RUN = "tests/test_run_imagenet.py"
BATCHNORM = "tests/models/test_batchnorm.py"
OWN_FILES = "tests/extending/test_own_files.py"
LOADERS = "tests/data/test_loaders.py tests/data/test_evaluation_offsets.py"
CLAIMS = "tests/analysis/test_claim*.py tests/analysis/comparisons"

TESTS: dict[str, str] = {
    "src/degradation/models/basic_block.py": "tests/models tests/probes",
    "src/degradation/models/blocks.py": "tests/models tests/probes",
    "src/degradation/models/bottleneck.py": "tests/models tests/probes",
    "src/degradation/models/error_counts.py": f"{TRAINING} tests/probes",
    "src/degradation/models/complexity.py": "tests/models",
    "src/degradation/models/construction.py": (
        "tests/models/test_construction*.py tests/test_run_constructed.py"
    ),
    "src/degradation/models/network.py": "tests/models tests/probes",
    "src/degradation/models/initialisation.py": TRAINING,
    "src/degradation/models/scaled_block.py": "tests/models/test_scaled_block.py",
    "src/degradation/models/build.py": OWN_FILES,
    "src/degradation/models/random_draws.py": OWN_FILES,
    "src/degradation/training/initial_network.py": OWN_FILES,
    "src/degradation/models/batchnorm.py": f"{BATCHNORM} tests/probes {AMBIGUITIES}",
    "src/degradation/models/shortcuts.py": "tests/models tests/probes",
    "src/degradation/data/arrays.py": "tests/data/test_arrays.py",
    "src/degradation/data/cifar.py": "tests/data/test_downloads.py",
    "src/degradation/data/digits.py": "tests/data/test_datasets.py",
    "src/degradation/data/downloads.py": (
        "tests/data/test_downloads.py tests/robustness/test_bad_data.py"
    ),
    "src/degradation/data/augment.py": f"tests/data/test_augment.py {LOADERS}",
    "src/degradation/data/fashion_mnist.py": "tests/data/test_downloads.py",
    "src/degradation/data/fingerprint.py": f"{FILES} tests/test_run_id.py",
    "src/degradation/data/datasets.py": FILES,
    "src/degradation/data/loaders.py": f"{LOADERS} {BATCHNORM} {MEASURES} {IMAGENET}",
    "src/degradation/data/folders.py": FILES,
    "src/degradation/data/image_files.py": FILES,
    "src/degradation/data/image_folder.py": FILES,
    "src/degradation/data/image_views.py": "tests/data/test_imagenet.py",
    "src/degradation/data/imagenet.py": "tests/data/test_imagenet.py tests/test_run_imagenet.py",
    "src/degradation/data/streaming.py": "tests/data/test_imagenet.py tests/test_run_imagenet.py",
    "src/degradation/data/paths.py": FILES,
    "src/degradation/data/cache_folders.py": FILES,
    "src/degradation/data/random_streams.py": (
        f"tests/data/test_random_streams.py {LOADERS} {BATCHNORM} {MEASURES}"
    ),
    "src/degradation/training/serialization.py": TRAINING,
    "src/degradation/training/evaluate.py": f"{TRAINING} {AMBIGUITIES} {IMAGENET_RUN}",
    "src/degradation/training/trainer.py": f"{TRAINING} {IMAGENET_RUN}",
    "src/degradation/training/schedule.py": TRAINING,
    "src/degradation/schedules/cosine.py": TRAINING,
    "src/degradation/schedules/step.py": TRAINING,
    "src/degradation/optimizers/adam.py": TRAINING,
    "src/degradation/optimizers/adamw.py": TRAINING,
    "src/degradation/optimizers/base.py": f"{TRAINING} {AMBIGUITIES}",
    "src/degradation/optimizers/sgd.py": f"{TRAINING} {AMBIGUITIES}",
    "src/degradation/training/device.py": f"{TRAINING} tests/test_environment.py",
    "src/degradation/training/optimizer.py": f"{TRAINING} tests/config/test_ambiguities.py",
    "analysis/statistics.py": f"tests/analysis/test_statistics*.py {CLAIMS}",
    "analysis/estimates.py": f"tests/analysis/test_statistics*.py {CLAIMS}",
    "analysis/multiple_testing.py": f"tests/analysis/test_multiple_testing.py {CLAIMS}",
    "analysis/trend.py": f"tests/analysis/test_trend.py {CLAIMS}",
    "analysis/claims.py": CLAIMS,
    "analysis/error_increase.py": f"tests/analysis/test_error_increase.py {CLAIMS}",
    "analysis/claim.py": CLAIMS,
    "analysis/comparisons/degradation_by_value.py": "tests/analysis/comparisons/test_swept_key.py",
    "analysis/comparisons/size_by_value.py": "tests/analysis/comparisons/test_swept_key.py",
    "analysis/factors.py": "tests/analysis/test_factors.py",
    "analysis/leading_keys.py": "tests/analysis/test_leading_keys.py",
    "analysis/requirements.py": f"tests/analysis/test_requirements.py {CLAIMS}",
}
