"""What processes hold of the machine: memory, threads, and how many they are."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class Held:
    """What processes hold: private memory (USS) and all memory (RSS) in bytes, threads, and how many they are."""

    uss: int
    rss: int
    threads: int
    processes: int

    @classmethod
    def by(cls, *parents: psutil.Process) -> Held:
        """Read what these processes hold with all that they have started."""
        alive = []
        for process in [each for parent in parents for each in (parent, *parent.children(recursive=True))]:
            with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                memory = process.memory_full_info()
                alive.append((memory.uss, memory.rss, process.num_threads()))
        uss, rss, threads = (sum(column) for column in zip(*alive, strict=True))
        return cls(uss, rss, threads, len(alive))

    def __sub__(self, before: Held) -> Held:
        """Return what came on top."""
        return Held(
            self.uss - before.uss,
            self.rss - before.rss,
            self.threads - before.threads,
            self.processes - before.processes,
        )
