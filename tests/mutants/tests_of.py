"""Which tests are run for the mutants of a module: the fast ones of these files, folders and patterns, in this order.

training/group.py has no row: several processes are tested by slow tests.
"""

TRAINING = "tests/training/test_[!g]*.py"
FILES = "tests/data/test_datasets.py tests/data/test_bad_data.py tests/data/test_imagenet.py tests/data/test_planted.py"
EXACT = "tests/models/test_exact_statistics.py"
FEEDS = "tests/data/test_feeds.py tests/data/test_evaluation_offsets.py"
CLAIMS = "tests/analysis/test_claims*.py tests/analysis/test_evidence*.py tests/analysis/test_comparisons*.py"

TESTS: dict[str, str] = {
    "src/degradation/models/blocks.py": "tests/models tests/probes",
    "src/degradation/models/census.py": "tests/models",
    "src/degradation/models/construction.py": "tests/models/test_construction*.py tests/test_construction_run.py",
    "src/degradation/models/network.py": "tests/models tests/probes",
    "src/degradation/models/normalisation.py": f"{EXACT} tests/probes tests/test_ambiguities.py",
    "src/degradation/models/shortcuts.py": "tests/models tests/probes",
    "src/degradation/data/archives.py": "tests/data/test_archives.py tests/data/test_bad_data.py",
    "src/degradation/data/augment.py": f"tests/data/test_augment.py {FEEDS}",
    "src/degradation/data/content.py": f"{FILES} tests/test_identity.py",
    "src/degradation/data/datasets.py": FILES,
    "src/degradation/data/feeds.py": f"{FEEDS} {EXACT} tests/probes/test_take.py tests/data/test_imagenet.py",
    "src/degradation/data/image_folder.py": FILES,
    "src/degradation/data/imagenet.py": "tests/data/test_imagenet.py tests/test_imagenet_run.py",
    "src/degradation/data/opening.py": FILES,
    "src/degradation/data/streams.py": f"tests/data/test_streams.py {FEEDS} {EXACT} tests/probes/test_take.py",
    "src/degradation/training/checkpoint.py": TRAINING,
    "src/degradation/training/evaluate.py": f"{TRAINING} tests/test_ambiguities.py tests/test_imagenet_run.py",
    "src/degradation/training/fit.py": f"{TRAINING} tests/test_imagenet_run.py",
    "src/degradation/training/schedule.py": TRAINING,
    "src/degradation/training/step.py": f"{TRAINING} tests/test_ambiguities.py tests/test_environment.py",
    "analysis/statistics.py": f"tests/analysis/test_statistics*.py {CLAIMS}",
    "analysis/claims.py": CLAIMS,
    "analysis/evidence.py": CLAIMS,
}
