"""Compare an experiment's wall time with the bare training loop, and with and without probes.

python experiments/bench.py experiment=quick
"""

from benchmarks.overhead import main
from degradation.cli import run_script

if __name__ == "__main__":
    run_script(main)
