"""Which tests are run for the mutants of a module: the fast ones of these files and folders."""

TRAINING = "tests/training tests/test_ambiguities.py tests/test_run.py"

# The first pattern that fits a path decides.
TESTS: dict[str, str] = {
    "src/degradation/models/construction.py": "tests/models tests/test_construction_run.py",
    "src/degradation/models/*.py": f"tests/models tests/probes {TRAINING}",
    "src/degradation/data/imagenet.py": "tests/data tests/test_imagenet_run.py",
    "src/degradation/data/image_folder.py": "tests/data",
    "src/degradation/data/content.py": "tests/data",
    "src/degradation/data/archives.py": "tests/data",
    "src/degradation/data/opening.py": "tests/data",
    "src/degradation/data/*.py": f"tests/data {TRAINING}",
    "src/degradation/training/group.py": "tests/training/test_group.py tests/training tests/test_ambiguities.py",
    "src/degradation/training/*.py": f"{TRAINING} tests/test_imagenet_run.py",
    "analysis/statistics.py": "tests/analysis/test_statistics.py tests/analysis/test_claims.py tests/analysis",
    "analysis/claims.py": "tests/analysis/test_claims.py tests/analysis",
    "analysis/evidence.py": "tests/analysis/test_claims.py tests/analysis",
}
