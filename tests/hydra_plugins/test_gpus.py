"""The slots follow the GPUs that jobs can use, whatever environment variables say."""

import os

import pytest
from hydra.errors import CompactHydraException

from degradation.sweep.expand import compose_launcher
from hydra_plugins.pool_launcher import (
    Gpu,
    _gpus,
    _mps,
    _slots,
    find_slots,
    has_mps_daemon,
    list_visible_gpus,
)
from hydra_plugins.pool_launcher._slots import (
    MOST_TAKING_TURNS,
    MOST_WITH_MPS,
    choose_slots_per_gpu,
)

CUDA, HIP, ROCR = _gpus.VARIABLES
COUNT_GPUS = "degradation.training.device.count_gpus"
HIDING = ("NoDevFiles", "", "-1", "none")
NAMING = ("0", "0,1", "GPU-8932f937-d72c", "MIG-3b4a0c7e-9f6d", "MIG-GPU-8932f937/1/0")

# A machine with the GPUs of the variable MACHINE: it counts as CUDA and HIP do, which end a list at
# the first GPU that does not exist, and see one MIG instance at most.
FAKE_LIBRARY = """
import os

def count(*variables):
    machine = os.environ["MACHINE"].split()
    listed = [os.environ[name] for name in variables if name in os.environ]
    if not listed:
        return len(machine), variables, None
    count = 0
    for name in listed[0].split(","):
        is_index = name.strip().isdigit() and int(name) < len(machine)
        if not is_index and name.strip() not in machine:
            break
        count += 1
    return min(count, 1) if "MIG-" in listed[0] else count, variables, None

def count_cuda():
    return count("CUDA_VISIBLE_DEVICES")

def count_hip():
    return count("HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES")

def warn():
    return 0, ["CUDA_VISIBLE_DEVICES"], "the driver is too old"

def crash():
    os.abort()

def fail():
    raise RuntimeError("no library")

def hang():
    import signal
    signal.pause()

def say_nothing():
    os._exit(0)

def count_fitting(jobs):
    is_small = os.environ.get("CUDA_VISIBLE_DEVICES", "").startswith("MIG-d")
    return len(jobs) * (1 if is_small else 10)

def fail_to_count_fitting(jobs):
    raise KeyError(jobs[0])
"""


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Return a function that sets the GPUs and the variables of a machine with a driver."""
    (tmp_path / "fake_library.py").write_text(FAKE_LIBRARY)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(_gpus, "DEVICE_FILES", (str(tmp_path / "*.py"),))
    monkeypatch.setattr("sys.platform", "linux")
    for variable in _gpus.VARIABLES:
        monkeypatch.delenv(variable, raising=False)

    def set_up(gpus, **variables):
        monkeypatch.setenv("MACHINE", gpus)
        for variable, value in variables.items():
            monkeypatch.setenv(variable, value)

    return set_up


@pytest.fixture
def no_gpu_machine(machine, monkeypatch):
    """Return a function that sets the variables of a machine without GPU and driver."""
    monkeypatch.setattr(_gpus, "DEVICE_FILES", ())
    monkeypatch.setattr(_gpus, "DRIVER_PROGRAM", "no-such-program")
    return lambda **variables: machine("", **variables)


@pytest.mark.parametrize("value", [*HIDING, *NAMING])
@pytest.mark.parametrize("variable", [CUDA, HIP])
def test_any_variable_without_a_gpu_leaves_all_cores(no_gpu_machine, variable, value):
    no_gpu_machine(**{variable: value})
    library = "fake_library.count_hip" if variable == HIP else "fake_library.count_cuda"
    assert list_visible_gpus(library) == []
    slots = find_slots("auto", 3, 2, 1, library)
    assert [slot.name for slot in slots] == ["core 0", "core 1", "core 2"]
    assert find_slots("cuda", None, 1, 1, library) == []


@pytest.mark.parametrize(
    ("value", "names"),
    [
        *[(value, []) for value in HIDING],
        ("0", ["0"]),
        ("0,1,7", ["0", "1"]),
        ("7,0", []),
        ("1,-1,0", ["1"]),
        (" 1, GPU-a", ["1", "GPU-a"]),
        ("GPU-b", ["GPU-b"]),
        ("GPU-other", []),
        ("MIG-c,MIG-d", ["MIG-c", "MIG-d"]),
        ("MIG-c,MIG-gone,MIG-c", ["MIG-c"]),
        ("MIG-gone,MIG-c", []),
    ],
)
def test_visible_gpus_are_those_that_exist(machine, value, names):
    machine("GPU-a GPU-b MIG-c MIG-d", CUDA_VISIBLE_DEVICES=value)
    assert list_visible_gpus("fake_library.count_cuda") == [Gpu(name) for name in names]


def test_without_a_variable_all_gpus_are_used(machine):
    machine("GPU-a GPU-b")
    assert list_visible_gpus("fake_library.count_cuda") == [Gpu("0"), Gpu("1")]


@pytest.mark.parametrize(
    ("variables", "names"),
    [
        ({}, ["0", "1", "2"]),
        ({HIP: "1,2"}, ["1", "2"]),
        ({CUDA: "2"}, ["2"]),
        ({HIP: "1", CUDA: "0,2"}, ["1"]),
        ({HIP: "-1"}, []),
        ({ROCR: "4,5,6"}, ["0", "1", "2"]),  # the library then numbers what is left
    ],
)
def test_amd_gpus_are_selected_by_their_own_variable(machine, variables, names):
    machine("GPU-a GPU-b GPU-c", **variables)
    slots = find_slots("cuda", None, 1, 1, "fake_library.count_hip")
    assert [slot.environment for slot in slots] == [{HIP: name} for name in names]


@pytest.mark.parametrize(
    ("function", "problem"),
    [
        ("crash", "ended with exit status -6"),
        ("fail", "ended with exit status 1 (RuntimeError: no library)"),
        ("hang", "did not answer within 0.5 s"),
        ("say_nothing", "gave no answer"),
    ],
)
def test_broken_driver_is_one_line_that_names_the_key(machine, monkeypatch, function, problem):
    machine("GPU-a")
    monkeypatch.setattr(_gpus, "COUNT_TIMEOUT_S", 0.5 if function == "hang" else 60)
    with pytest.raises(CompactHydraException) as error:
        list_visible_gpus(f"fake_library.{function}")
    message = f"device: the process that counts the GPUs {problem}; allowed without a working GPU"
    assert str(error.value) == f"{message}: cpu"


def test_unusable_gpu_is_a_warning_with_the_reason(machine, caplog):
    machine("GPU-a")
    assert list_visible_gpus("fake_library.warn") == []
    assert caplog.messages == ["no GPU can be used: the driver is too old"]


def test_fitting_jobs_are_counted_in_the_same_process(machine):
    machine("GPU-a GPU-b MIG-c MIG-d")
    arguments = ("fake_library.count_cuda", "fake_library.count_fitting")
    gpus = list_visible_gpus(*arguments, ["job 1", "job 2"])
    assert [gpu.fitting for gpu in gpus] == [20] * 4
    assert {gpu.fitting for gpu in list_visible_gpus(*arguments, [])} == {None}


def test_mig_instances_may_differ_in_memory(machine):
    machine("MIG-c MIG-d", CUDA_VISIBLE_DEVICES="MIG-c,MIG-d")
    arguments = ("fake_library.count_cuda", "fake_library.count_fitting")
    gpus = list_visible_gpus(*arguments, ["job"])
    assert [gpu.fitting for gpu in gpus] == [10, 1]


def test_unknown_memory_is_a_warning_and_one_job_per_gpu(machine, caplog):
    machine("GPU-a GPU-b")
    fail = "fake_library.fail_to_count_fitting"
    slots = find_slots("cuda", None, None, 1, "fake_library.count_cuda", fail, ["job"])
    assert len(slots) == 2
    assert caplog.messages == ["the memory of the runs cannot be estimated (KeyError: 'job')"]
    assert len(find_slots("cuda", None, 2, 1, "fake_library.count_cuda", fail, ["job"])) == 4


@pytest.mark.parametrize(
    ("fitting", "cores", "threads", "has_mps", "expected"),
    [
        ([20, 20], 64, 1, False, MOST_TAKING_TURNS),
        ([20, 20], 64, 1, True, MOST_WITH_MPS),
        ([5, 2], 64, 1, True, 2),
        ([20, 20], 8, 1, True, 4),
        ([20, 20], 8, 2, True, 2),
        ([20, 20], 1, 4, True, 1),
        ([20, None], 64, 1, True, 1),
        ([], 64, 1, True, 1),
    ],
)
def test_slots_per_gpu_are_bounded(monkeypatch, fitting, cores, threads, has_mps, expected):
    monkeypatch.setattr(_slots, "_count_cores", lambda: cores)
    monkeypatch.setattr(_slots, "has_mps_daemon", lambda: has_mps)
    monkeypatch.setattr(_slots, "has_exclusive_gpu", lambda: False)
    gpus = [Gpu(str(index), fitting=count) for index, count in enumerate(fitting)]
    assert choose_slots_per_gpu(gpus, threads) == expected


@pytest.mark.parametrize(
    ("modes", "has_mps", "expected"),
    [
        ("Default\nDefault", False, MOST_TAKING_TURNS),
        ("Default\nExclusive_Process", False, 1),
        ("Exclusive_Process", True, MOST_WITH_MPS),  # the daemon is the one process
        ("No devices were found", False, MOST_TAKING_TURNS),
        (None, False, MOST_TAKING_TURNS),
    ],
)
def test_gpu_of_one_process_has_one_slot(tmp_path, monkeypatch, modes, has_mps, expected):
    if modes is not None:
        program = tmp_path / "nvidia-smi"
        program.write_text(f"#!/bin/sh\n[ \"$1\" = --query-gpu=compute_mode ] && echo '{modes}'\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(_slots, "_count_cores", lambda: 64)
    monkeypatch.setattr(_slots, "has_mps_daemon", lambda: has_mps)
    assert choose_slots_per_gpu([Gpu("0", fitting=20)], 1) == expected


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, False),
        ({"control": ""}, True),
        ({"control": "", _mps.PROCESS_FILE: str(os.getpid())}, True),
        ({"control": "", _mps.PROCESS_FILE: "1"}, True),  # of another user, or this one's
        ({"control": "", _mps.PROCESS_FILE: str(2**22 + 1)}, False),  # no process has this number
        ({"control": "", _mps.PROCESS_FILE: str(2**80)}, False),
        ({"control": "", _mps.PROCESS_FILE: "0"}, False),
        ({"control": "", _mps.PROCESS_FILE: "none"}, False),
        ({_mps.PROCESS_FILE: str(os.getpid())}, False),
    ],
)
@pytest.mark.parametrize("is_named", [True, False])
def test_mps_daemon_is_found_by_its_pipes(monkeypatch, tmp_path, files, expected, is_named):
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    monkeypatch.setattr(_mps, "DEFAULT_PIPES", "missing" if is_named else str(tmp_path))
    monkeypatch.setenv(_mps.PIPE_VARIABLE, str(tmp_path) if is_named else "")
    assert has_mps_daemon() == expected


def test_gpus_are_not_counted_for_the_cpu(machine):
    machine("GPU-a")
    assert len(find_slots("cpu", 2, 1, 1, "fake_library.crash")) == 2


def test_gpus_are_not_counted_if_nothing_suggests_one(no_gpu_machine):
    no_gpu_machine(CUDA_VISIBLE_DEVICES="")
    assert list_visible_gpus("fake_library.crash") == []


@pytest.mark.slow
def test_fitting_runs_are_counted_from_their_configurations(compose_config, monkeypatch):
    """In the child process, which has no GPU here but gets as far as reading them."""
    monkeypatch.setenv(CUDA, "")
    launcher = compose_launcher([])
    configs = [compose_config("data=cifar10")]
    answer = _gpus._ask_child(launcher.count_gpus, {}, launcher.count_fitting, configs)
    assert (answer.count, answer.fitting, answer.fitting_problem) == (0, None, None)


@pytest.mark.slow
@pytest.mark.parametrize("value", ["NoDevFiles", "-1"])
def test_torch_itself_is_asked(monkeypatch, value):
    monkeypatch.setattr(_gpus, "_may_have_gpus", lambda: True)
    monkeypatch.setenv(CUDA, value)
    monkeypatch.setenv(HIP, value)
    assert list_visible_gpus(COUNT_GPUS) == []
