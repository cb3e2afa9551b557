"""What Linux reports about a process: memory, wake-ups, children. Memory is in MiB."""

from __future__ import annotations

import re
from pathlib import Path


def memory(pid: int) -> float:
    """Resident memory."""
    return _status(pid, "VmRSS")


def peak_memory(pid: int) -> float:
    """The peak resident memory since the start."""
    return _status(pid, "VmHWM")


def wake_ups(pid: int) -> int:
    """How often a thread of the process has waited for something, for example for a timer."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int(_field(task / "status", "voluntary_ctxt_switches")) for task in tasks)


def children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_alive(pid: int) -> bool:
    """Whether the process runs; zombies do not."""
    try:
        return _stat(pid)[0] != "Z"
    except FileNotFoundError:
        return False


def _status(pid: int, name: str) -> float:
    return int(_field(Path(f"/proc/{pid}/status"), name)) / 1024


def _field(status: Path, name: str) -> str:
    found = re.search(rf"^{name}:\s+(\d+)", status.read_text(), re.MULTILINE)
    assert found, f"no {name} in {status}"
    return found[1]


def _stat(pid: int) -> list[str]:
    """The fields that follow the name of the program: its state first."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
