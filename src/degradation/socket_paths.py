"""Keep the paths of Unix sockets within the system's limit when TMPDIR is long.

multiprocessing creates the sockets of fork servers and of DataLoader workers in the temporary
folder. A user's own TMPDIR, such as a job's scratch folder on a cluster, can make their paths
longer than the system allows.
"""

import multiprocessing.util
import os
import sys
import tempfile
from pathlib import Path

# `sun_path` in the system's <sys/un.h>, without its final zero byte
MAX_SOCKET_PATH_BYTES = 107 if sys.platform == "linux" else 103
# as multiprocessing names its folder and the sockets in it
LONGEST_NAME = "/pymp-xxxxxxxx/listener-xxxxxxxx"
SHORT_FOLDERS = ("/tmp", "/var/tmp", "/dev/shm")


def shorten_socket_paths() -> None:
    """Let multiprocessing use a short folder for its sockets if the temporary folder is too long.

    All other temporary files stay where TMPDIR says. Child processes of multiprocessing inherit the
    folder, and it is removed when this process ends. Nothing changes if no short folder can be
    written to: whatever needs a socket reports that.
    """
    try:
        if is_short_enough(tempfile.gettempdir()):
            return
    except FileNotFoundError:  # no temporary folder can be written to
        return
    folder_before = tempfile.tempdir
    try:
        for folder in SHORT_FOLDERS:
            if Path(folder).is_dir() and os.access(folder, os.W_OK | os.X_OK):
                tempfile.tempdir = folder
                multiprocessing.util.get_temp_dir()  # creates its folder on the first call only
                return
    finally:
        tempfile.tempdir = folder_before


def is_short_enough(folder: str) -> bool:
    """Return whether multiprocessing can create a socket in a folder."""
    return len(os.fsencode(folder + LONGEST_NAME)) <= MAX_SOCKET_PATH_BYTES
