"""Facts of the machine, without which a figure says little (Linux; elsewhere they are unknown)."""

import os
import platform
import statistics
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

TICKS: Final = os.sysconf("SC_CLK_TCK")
FSYNCS: Final = 200
NOISY: Final = 0.15
"""A share of the processors; above it, other programs decide what is measured."""


def cpu_seconds(pid: int) -> float:
    """Give the processor time that a process has used, all its threads together, and those it has started."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    started = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return (int(fields[11]) + int(fields[12])) / TICKS + sum(cpu_seconds(int(child)) for child in started)


def resident_mb(pid: int) -> float:
    """Give the memory that a process has in RAM."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def thread_seconds(pid: int) -> dict[int, float]:
    """Give the processor time of each thread of a process, to the nanosecond; the main one first."""
    tasks = sorted(Path(f"/proc/{pid}/task").iterdir(), key=lambda task: int(task.name))
    return {int(task.name): int((task / "schedstat").read_text().split()[0]) / 1e9 for task in tasks}


def busy_seconds() -> float:
    """Give the processor time that all programs of the machine have used."""
    user, nice, system, _, _, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / TICKS


def fsync_ms(folder: Path) -> float:
    """Measure the median of an 8 kB write with fsync, in ms."""
    times: list[float] = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(FSYNCS):
            begin = time.perf_counter()
            file.write(b"\0" * 8192)
            file.flush()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - begin)
    return statistics.median(times) * 1000


def facts(folder: Path, others: Iterable[float]) -> list[str]:
    """Describe the machine in lines; `others`: the share of it that other programs used, by measurement."""
    shares = sorted(others)
    busy = statistics.median(shares)
    rough = "; so much that these figures are rough: run it again on a quiet machine" if busy > NOISY else ""
    return [
        f"{os.cpu_count()} x {_processor()}, {_memory()}, {platform.system()} {platform.release()}",
        f"fsync of 8 kB where the journal stands: {fsync_ms(folder):.2f} ms (median of {FSYNCS})",
        f"other programs used {busy:.0%} of the processors (median; at most {shares[-1]:.0%}){rough}",
    ]


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


def _memory() -> str:
    kilobytes = int(Path("/proc/meminfo").read_text().split()[1])
    return f"{kilobytes / (1 << 20):.0f} GiB"
