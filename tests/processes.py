"""What Linux reports about a process: memory, CPU time, children. Memory is in MiB."""

from __future__ import annotations

import os
import re
from pathlib import Path


def memory(pid: int) -> float:
    """Resident memory."""
    return _status(pid, "VmRSS")


def peak_memory(pid: int) -> float:
    """The peak resident memory since the start."""
    return _status(pid, "VmHWM")


def cpu_seconds(pid: int) -> float:
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_alive(pid: int) -> bool:
    """Whether the process runs; zombies do not."""
    try:
        return _stat(pid)[0] != "Z"
    except FileNotFoundError:
        return False


def _status(pid: int, name: str) -> float:
    found = re.search(rf"^{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found, f"no {name} of process {pid}"
    return int(found[1]) / 1024


def _stat(pid: int) -> list[str]:
    """The fields that follow the name of the program: its state first."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
