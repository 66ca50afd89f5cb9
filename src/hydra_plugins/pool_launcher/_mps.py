"""NVIDIA's Multi-Process Service: with it, processes on one GPU compute at the same time.

A process uses it if its control daemon runs when the process initialises CUDA; nothing has to be
configured (https://docs.nvidia.com/deploy/mps/). Jobs inherit the variable that names its pipes.
"""

import os
from pathlib import Path

PIPE_VARIABLE = "CUDA_MPS_PIPE_DIRECTORY"
DEFAULT_PIPES = "/tmp/nvidia-mps"
CONTROL_PIPE = "control"
PROCESS_FILE = "nvidia-cuda-mps-control.pid"


def has_mps_daemon() -> bool:
    """Return whether the control daemon runs, as far as the folder of its pipes shows."""
    folder = Path(os.environ.get(PIPE_VARIABLE) or DEFAULT_PIPES)
    try:
        if not (folder / CONTROL_PIPE).exists():
            return False
        process = int((folder / PROCESS_FILE).read_text())
    except FileNotFoundError:
        return True  # a daemon of another version may not write this file
    except (OSError, ValueError, UnicodeDecodeError):
        return False
    try:
        os.kill(process, 0)
    except PermissionError:
        return True  # of another user, such as root
    except (OSError, OverflowError):
        return False  # left behind by a daemon that was killed
    return process > 0
