"""A SLURM of one node on this machine, in a folder of its own: `python tests/support/one_node_slurm.py -- COMMAND ...`.

The cluster is around COMMAND, which finds it by SLURM_CONF; COMMAND's exit status is passed on and nothing is left
running. Key, socket, ports, state and logs are the cluster's own: /etc/slurm and a real cluster are never touched.
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
from contextlib import ExitStack, contextmanager
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
    "/usr/local/sbin:/usr/sbin:/sbin"  # the daemons' folders, which a person's PATH may lack
)
PATIENCE = 60.0  # seconds for a daemon to answer
POLL = 0.1
STAND_INS = (
    "null",
    "zero",
    "full",
    "random",
    "urandom",
)  # a GPU must be a device file; none of these is opened
TERMINATING = (signal.SIGTERM, signal.SIGHUP)

# No cgroups or memory limits: what works in a container. A requeued job waits for cred_expire seconds, and the state of
# a job that is over can be asked for a day long.
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
    """In one line: what is missing or does not come up."""


def missing(accounting: bool = False) -> list[str]:
    programs = PROGRAMS + ACCOUNTING_PROGRAMS * accounting
    return [name for name in programs if shutil.which(name, path=_path()) is None]


def install(accounting: bool = False) -> None:
    """Debian's packages where this process may install them. Raises ClusterError, which says how to get them."""
    if not (absent := missing(accounting)):
        return
    how = f"apt-get install -y {' '.join(PACKAGES + ACCOUNTING_PACKAGES * accounting)}"
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise ClusterError(f"{', '.join(absent)} not found: as root on Debian or Ubuntu, {how}")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        "apt-get update -q",
        how.replace("install", "install -q --no-install-recommends"),
    ):
        ended = subprocess.run(command.split(), check=False, env=environment, stdout=sys.stderr)
    if ended.returncode != 0:
        raise ClusterError(f"`{how}` failed; see above")


@contextmanager
def cluster(
    cores: int | None = None, gpus: int = 0, accounting: bool = False, folder: Path | None = None
) -> Iterator[dict[str, str]]:
    """Yields the environment in which sbatch, squeue and so on talk to a new cluster whose node is idle.

    `cores` and `gpus` are what the node says it has, whatever the machine has. `sacct` answers with `accounting` only,
    which takes slurmdbd and a MariaDB. `folder` must be private and its path
    short (a socket's is at most 107 characters); by default a temporary one, removed in the end.
    """
    install(accounting)
    with ExitStack() as stack:
        if folder is None:
            folder = Path(
                stack.enter_context(
                    tempfile.TemporaryDirectory(prefix="slurm-", ignore_cleanup_errors=True)
                )
            )
        folder = folder.resolve()
        environment = _configure(folder, cores or os.cpu_count() or 1, gpus, accounting)
        daemons: list[subprocess.Popen[bytes]] = []
        stack.callback(_end_all, environment, daemons)

        def start(*command: str) -> None:
            daemons.append(_daemon(list(command), folder, environment))

        munged = [
            "munged",
            "--foreground",
            "--force",
        ]  # --force: a temporary folder's parent is open to all
        files = {
            "socket": "munge.socket",
            "key-file": "munge.key",
            "pid-file": "munged.pid",
            "seed-file": "munge.seed",
        }
        munged += [f"--{flag}={folder / name}" for flag, name in files.items()]
        start(*munged)
        _until((folder / "munge.socket").exists, "munged", folder)
        if accounting:
            start("mariadbd", *_database(folder))
            _until((folder / "mariadb.socket").exists, "mariadbd", folder)
            start("slurmdbd", "-D")
            asked = ("sacctmgr", "-n", "list", "user")
            _until(lambda: bool(_asked(*asked, environment=environment)), "slurmdbd", folder)
        start("slurmctld", "-D")
        _until(
            lambda: _asked("scontrol", "ping", environment=environment).endswith("UP"),
            "slurmctld",
            folder,
        )
        start("slurmd", "-D", "-N", _host())
        _until(
            lambda: _asked("sinfo", "-ho", "%T", environment=environment) == "idle",
            "slurmd",
            folder,
        )
        stack.callback(_cancel_all, environment)
        yield environment


def _database(folder: Path) -> list[str]:
    """A MariaDB without users or passwords, on a socket only; small, and with no system tables to install."""
    return [
        "--no-defaults",
        f"--user={_user()}",
        f"--datadir={folder}/database",
        f"--socket={folder}/mariadb.socket",
        f"--pid-file={folder}/mariadbd.pid",
        "--skip-networking",
        "--skip-grant-tables",
        "--innodb-buffer-pool-size=32M",
        "--innodb-log-file-size=8M",
    ]


def _configure(folder: Path, cores: int, gpus: int, accounting: bool) -> dict[str, str]:
    for name in ("state", "spool", "database"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)  # jobs of other users reach munge's socket
    key = folder / "munge.key"
    key.touch(0o600)
    key.write_bytes(secrets.token_bytes(128))
    controller_port, node_port, accounting_port = _free_ports(3)
    where = {"folder": folder, "user": _user(), "port": accounting_port}
    database = folder / "slurmdbd.conf"
    database.touch(0o600)
    database.write_text(SLURMDBD_CONF.format(**where))
    conf = folder / "slurm.conf"
    conf.write_text(
        SLURM_CONF.format(
            folder=folder,
            host=_host(),
            user=_user(),
            accounting=ACCOUNTING.format(**where)
            if accounting
            else "AccountingStorageType=accounting_storage/none",
            cores=cores,
            gpus=gpus,
            megabytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20,
            controller_port=controller_port,
            node_port=node_port,
        )
    )
    lines = [f"Name=gpu File=/dev/{device} Flags=nvidia_gpu_env\n" for device in STAND_INS[:gpus]]
    (folder / "gres.conf").write_text("".join(lines))
    (folder / "cgroup.conf").write_text("")
    others = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SLURM_", "SBATCH_"))
    }
    return others | {
        "SLURM_CONF": str(conf),
        "PATH": _path(),
        "MYSQL_UNIX_PORT": f"{folder}/mariadb.socket",
    }


def _user() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name


def _host() -> str:
    return socket.gethostname().split(".")[0]


def _path() -> str:
    return f"{os.environ.get('PATH', '/usr/bin:/bin')}:{SYSTEM_PATH}"


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _daemon(
    command: list[str], folder: Path, environment: dict[str, str]
) -> subprocess.Popen[bytes]:
    """In a session of its own, so that Ctrl-C does not reach it, and ended with this process even by SIGKILL."""
    with (folder / f"{command[0]}.log").open("ab") as log:
        return subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *command],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _asked(*command: str, environment: dict[str, str]) -> str:
    """What the command prints; nothing where it fails or does not answer."""
    try:
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=True
        ).stdout.strip()
    except subprocess.SubprocessError:
        return ""


def _until(ready: Callable[[], bool], daemon: str, folder: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not ready():
        if time.monotonic() > deadline:
            lines = (folder / f"{daemon}.log").read_text(errors="replace").splitlines()
            raise ClusterError(
                f"{daemon} is not ready after {PATIENCE:.0f} s: " + " | ".join(lines[-3:])
            )
        time.sleep(POLL)


def _cancel_all(environment: dict[str, str]) -> None:
    """No job runs or waits any more."""
    _asked("scancel", "--user", _user(), environment=environment)
    deadline = time.monotonic() + PATIENCE
    while _asked("squeue", "-h", environment=environment) and time.monotonic() < deadline:
        time.sleep(POLL)


def _end_all(environment: dict[str, str], daemons: list[subprocess.Popen[bytes]]) -> None:
    """SIGTERM, then SIGKILL, to each process that knows the cluster by SLURM_CONF: daemons, steps, jobs, strays."""
    for kind, seconds in ((signal.SIGTERM, 10.0), (signal.SIGKILL, 10.0)):
        for process in _processes(environment["SLURM_CONF"]):
            try:
                os.kill(process, kind)
            except ProcessLookupError:
                continue
        deadline = time.monotonic() + seconds
        while _processes(environment["SLURM_CONF"]) and time.monotonic() < deadline:
            time.sleep(POLL)
    for daemon in daemons:
        daemon.wait()


def _processes(conf: str) -> list[int]:
    """Those with this SLURM_CONF, but for this one."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            if f"SLURM_CONF={conf}".encode() in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Run a command with a SLURM cluster of one node around it."
    )
    parser.add_argument("--cores", type=int, help="of the node, whatever the machine has")
    parser.add_argument("--gpus", type=int, default=0, help="of the node, whatever the machine has")
    parser.add_argument(
        "--accounting", action="store_true", help="sacct answers, by slurmdbd and a MariaDB"
    )
    parser.add_argument("command", nargs="+", metavar="COMMAND", help="after --")
    given = parser.parse_args()
    for kind in TERMINATING:
        signal.signal(kind, lambda signum, _: sys.exit(128 + signum))
    try:
        with cluster(given.cores, given.gpus, given.accounting) as environment:
            return _run(given.command, environment)
    except ClusterError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _run(command: list[str], environment: dict[str, str]) -> int:
    """The command's exit status; at Ctrl-C, which reaches it too, the one that it ends with."""
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
