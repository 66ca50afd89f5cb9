"""A one-node SLURM cluster on this machine: `python tests/support/one_node_slurm.py -- COMMAND`.

The cluster starts before COMMAND, which finds it by SLURM_CONF, and ends after it. The exit status
is that of COMMAND. Key, socket, state and logs are in a folder of the cluster's own, so
/etc/slurm and a real cluster are never touched.
"""

import argparse
import os
import pwd
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

PROGRAMS = (
    "munged",
    "slurmctld",
    "slurmd",
    "sbatch",
    "srun",
    "scontrol",
    "scancel",
    "squeue",
    "sinfo",
)
PACKAGES = ("slurm-wlm", "munge")
ACCOUNTING_PROGRAMS = ("slurmdbd", "mariadbd", "sacctmgr", "sacct")
ACCOUNTING_PACKAGES = ("slurmdbd", "mariadb-server-core")
SYSTEM_PATH = (
    "/usr/local/sbin:/usr/sbin:/sbin"  # folders of the daemons; a user's PATH may lack them
)
READY_TIMEOUT_S = 60.0  # time limit for a daemon to answer
END_TIMEOUT_S = 10.0  # time limit for processes to end after a signal
POLL_INTERVAL_S = 0.1
# SLURM requires a device file for each GPU; none of these is opened.
GPU_DEVICES = ("null", "zero", "full", "random", "urandom")
TERMINATING_SIGNALS = (signal.SIGTERM, signal.SIGHUP)

# It has no cgroups and no memory limits, so that it works in a container. A requeued job waits for
# cred_expire seconds; squeue lists a finished job for MinJobAge seconds.
SLURM_CONF = """\
ClusterName=onenode
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
{accounting}
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=1
SlurmdParameters=config_overrides
ReturnToService=2
JobRequeue=1
OverTimeLimit=0
KillWait=5
MinJobAge=86400
MpiDefault=none
MailProg=/bin/true
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory={megabytes} Gres=gpu:{gpus} State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


ACCOUNTING = """\
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={port}
AccountingStoragePass={folder}/munge.socket"""

SLURMDBD_CONF = """\
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
DbdHost=localhost
DbdPort={port}
SlurmUser={user}
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser={user}
PidFile={folder}/slurmdbd.pid
"""


class ClusterError(Exception):
    """A program is missing, or a daemon does not start. The message is one line."""


def find_missing_programs(accounting: bool = False) -> list[str]:
    """Return the required programs that are not on the path."""
    programs = PROGRAMS + (ACCOUNTING_PROGRAMS if accounting else ())
    return [name for name in programs if shutil.which(name, path=_build_path()) is None]


def install(accounting: bool = False) -> None:
    """Install the Debian packages of missing programs, if this process runs as root.

    Raises ClusterError, which says how to install them.
    """
    missing = find_missing_programs(accounting)
    if not missing:
        return
    packages = PACKAGES + (ACCOUNTING_PACKAGES if accounting else ())
    command = ["apt-get", "install", "-y", *packages]
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise ClusterError(
            f"{', '.join(missing)}: not found; on Debian or Ubuntu, run as root:"
            f" {shlex.join(command)}"
        )
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    quiet = ["-q", "--no-install-recommends"]
    subprocess.run(["apt-get", "update", "-q"], check=False, env=environment, stdout=sys.stderr)
    completed = subprocess.run([*command, *quiet], check=False, env=environment, stdout=sys.stderr)
    if completed.returncode != 0:
        raise ClusterError(f"`{shlex.join(command)}` failed; see its output above")


@contextmanager
def cluster(
    cores: int | None = None, gpus: int = 0, accounting: bool = False, folder: Path | None = None
) -> Iterator[dict[str, str]]:
    """Start a cluster, and yield the environment in which sbatch, squeue etc. use it.

    Args:
        cores: the number of cores that the node reports, or None for that of the machine.
        gpus: the number of GPUs that the node reports, at most that of GPU_DEVICES.
        accounting: whether to start slurmdbd and a MariaDB, so that sacct works.
        folder: a private folder with a short path (a socket's has at most 107 characters), or None
            for a temporary folder, removed at the end.
    """
    install(accounting)
    with ExitStack() as stack:
        if folder is None:
            temporary = tempfile.TemporaryDirectory(prefix="slurm-", ignore_cleanup_errors=True)
            folder = Path(stack.enter_context(temporary))
        folder = folder.resolve()
        environment = _configure(folder, cores or os.cpu_count() or 1, gpus, accounting)
        daemons = _Daemons(folder, environment)
        stack.callback(daemons.end)
        _start_munge(daemons)
        if accounting:
            _start_accounting(daemons)
        _start_slurm(daemons)
        stack.callback(_cancel_jobs, environment)
        yield environment


class _Daemons:
    """The daemons of a cluster, each with a log in the cluster's folder."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.environment = environment
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, *command: str, is_ready: Callable[[], bool]) -> None:
        """Start a daemon and wait until it is ready. Raises ClusterError.

        It has its own session, so that Ctrl-C does not reach it, and it ends with this process,
        even if that is killed.
        """
        log_path = self.folder / f"{command[0]}.log"
        with log_path.open("ab") as log:
            process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *command],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.processes.append(process)
        deadline = time.monotonic() + READY_TIMEOUT_S
        while not is_ready():
            if time.monotonic() > deadline:
                lines = log_path.read_text(errors="replace").splitlines()
                raise ClusterError(
                    f"{command[0]} is not ready after {READY_TIMEOUT_S:.0f} s: "
                    + " | ".join(lines[-3:])
                )
            time.sleep(POLL_INTERVAL_S)

    def ask(self, *command: str) -> str:
        """Return a command's output, or an empty string if it fails or times out."""
        return _ask(*command, environment=self.environment)

    def end(self) -> None:
        """End every process of the cluster, daemons and jobs: SIGTERM first, then SIGKILL."""
        conf = self.environment["SLURM_CONF"]
        for signum in (signal.SIGTERM, signal.SIGKILL):
            for process in _find_processes(conf):
                with suppress(ProcessLookupError):
                    os.kill(process, signum)
            deadline = time.monotonic() + END_TIMEOUT_S
            while _find_processes(conf) and time.monotonic() < deadline:
                time.sleep(POLL_INTERVAL_S)
        for daemon in self.processes:
            daemon.wait()


def _start_munge(daemons: _Daemons) -> None:
    folder = daemons.folder
    files = {
        "socket": "munge.socket",
        "key-file": "munge.key",
        "pid-file": "munged.pid",
        "seed-file": "munge.seed",
    }
    options = [f"--{flag}={folder / name}" for flag, name in files.items()]
    # --force, since the parent of a temporary folder is world-writable
    daemons.start(
        "munged", "--foreground", "--force", *options, is_ready=(folder / "munge.socket").exists
    )


def _start_accounting(daemons: _Daemons) -> None:
    database_socket = daemons.folder / "mariadb.socket"
    options = _build_database_options(daemons.folder)
    daemons.start("mariadbd", *options, is_ready=database_socket.exists)
    daemons.start(
        "slurmdbd", "-D", is_ready=lambda: daemons.ask("sacctmgr", "-n", "list", "user") != ""
    )


def _start_slurm(daemons: _Daemons) -> None:
    daemons.start(
        "slurmctld", "-D", is_ready=lambda: daemons.ask("scontrol", "ping").endswith("UP")
    )
    daemons.start(
        "slurmd",
        "-D",
        "-N",
        _find_host(),
        is_ready=lambda: daemons.ask("sinfo", "-ho", "%T") == "idle",
    )


def _build_database_options(folder: Path) -> list[str]:
    """Return the options of a small MariaDB on a socket, without users and system tables."""
    return [
        "--no-defaults",
        f"--user={_find_user()}",
        f"--datadir={folder}/database",
        f"--socket={folder}/mariadb.socket",
        f"--pid-file={folder}/mariadbd.pid",
        "--skip-networking",
        "--skip-grant-tables",
        "--innodb-buffer-pool-size=32M",
        "--innodb-log-file-size=8M",
    ]


def _configure(folder: Path, cores: int, gpus: int, accounting: bool) -> dict[str, str]:
    """Write the cluster's files, and return the environment of its processes."""
    for name in ("state", "spool", "database"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)  # jobs of other users reach munge's socket
    key = folder / "munge.key"
    key.touch(0o600)
    key.write_bytes(secrets.token_bytes(128))
    controller_port, node_port, accounting_port = _find_free_ports(3)
    fields = {"folder": folder, "user": _find_user(), "port": accounting_port}
    database = folder / "slurmdbd.conf"
    database.touch(0o600)
    database.write_text(SLURMDBD_CONF.format(**fields))
    accounting_lines = "AccountingStorageType=accounting_storage/none"
    if accounting:
        accounting_lines = ACCOUNTING.format(**fields)
    conf = folder / "slurm.conf"
    conf.write_text(
        SLURM_CONF.format(
            folder=folder,
            host=_find_host(),
            user=_find_user(),
            accounting=accounting_lines,
            cores=cores,
            gpus=gpus,
            megabytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20,
            controller_port=controller_port,
            node_port=node_port,
        )
    )
    lines = [f"Name=gpu File=/dev/{device} Flags=nvidia_gpu_env\n" for device in GPU_DEVICES[:gpus]]
    (folder / "gres.conf").write_text("".join(lines))
    (folder / "cgroup.conf").write_text("")
    return _build_environment(folder, conf)


def _build_environment(folder: Path, conf: Path) -> dict[str, str]:
    """Return this process's environment, with this cluster instead of any other."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SLURM_", "SBATCH_"))
    }
    return environment | {
        "SLURM_CONF": str(conf),
        "PATH": _build_path(),
        "MYSQL_UNIX_PORT": f"{folder}/mariadb.socket",
    }


def _find_user() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name


def _find_host() -> str:
    return socket.gethostname().split(".")[0]


def _build_path() -> str:
    return f"{os.environ.get('PATH', '/usr/bin:/bin')}:{SYSTEM_PATH}"


def _find_free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for free_socket in sockets:
            free_socket.bind(("127.0.0.1", 0))
        return [free_socket.getsockname()[1] for free_socket in sockets]


def _ask(*command: str, environment: dict[str, str]) -> str:
    """Return a command's output, or an empty string if it fails or times out."""
    try:
        answer = subprocess.run(
            command,
            env=environment,
            capture_output=True,
            text=True,
            timeout=READY_TIMEOUT_S,
            check=True,
        )
    except subprocess.SubprocessError:
        return ""
    return answer.stdout.strip()


def _cancel_jobs(environment: dict[str, str]) -> None:
    """Cancel all jobs, and wait until none is in the queue."""
    _ask("scancel", "--user", _find_user(), environment=environment)
    deadline = time.monotonic() + READY_TIMEOUT_S
    while _ask("squeue", "-h", environment=environment) and time.monotonic() < deadline:
        time.sleep(POLL_INTERVAL_S)


def _find_processes(conf: str) -> list[int]:
    """Return the ids of the processes with this SLURM_CONF, other than this one."""
    ids = []
    variable = f"SLURM_CONF={conf}".encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with suppress(OSError):
            if variable in (entry / "environ").read_bytes().split(b"\0"):
                ids.append(int(entry.name))
    return ids


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Run a command on a one-node SLURM cluster that lasts as long as the command."
    )
    parser.add_argument("--cores", type=int, help="cores of the node; default: the machine's")
    parser.add_argument("--gpus", type=int, default=0, help="GPUs that the node claims to have")
    parser.add_argument(
        "--accounting",
        action="store_true",
        help="start slurmdbd and a MariaDB, so that sacct works",
    )
    parser.add_argument("command", nargs="+", metavar="COMMAND", help="the command, after --")
    arguments = parser.parse_args()
    for signum in TERMINATING_SIGNALS:
        signal.signal(signum, lambda number, _: sys.exit(128 + number))
    try:
        with cluster(arguments.cores, arguments.gpus, arguments.accounting) as environment:
            return _run(arguments.command, environment)
    except ClusterError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _run(command: list[str], environment: dict[str, str]) -> int:
    """Run the command and return its exit status, even after Ctrl-C, which the command gets too."""
    try:
        process = subprocess.Popen(command, env=environment)
    except OSError as error:
        raise ClusterError(f"{shlex.join(command)}: {error.strerror}") from None
    while True:
        try:
            status = process.wait()
            return 128 - status if status < 0 else status
        except KeyboardInterrupt:
            continue


if __name__ == "__main__":
    sys.exit(main())
