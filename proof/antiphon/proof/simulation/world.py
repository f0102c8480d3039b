"""The simulated world: one thread, a virtual clock, and processes that may die at any moment.

Everything that happens is an action at a virtual time. Actions at one time run in the order in
which they were planned, so a seed decides everything. An action belongs to a life of a process;
when that life ends, what it had planned never happens, as with a killed process.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from antiphon.proof.simulation.randomness import Randomness

EPOCH_MS: Final = 1_700_000_000_000  # where the virtual wall clock starts
TRACE_LINES_MAX: Final = 200_000

Action = Callable[[], None]


@dataclass(slots=True)
class Process:
    """A name, and the number of its current life; 0 while it is dead."""

    name: str
    life: int = 0
    lives: int = 0

    @property
    def alive(self) -> bool:
        return self.life != 0

    def start(self) -> None:
        assert not self.alive, f"{self.name} lives already"
        self.lives += 1
        self.life = self.lives

    def kill(self) -> None:
        assert self.alive, f"{self.name} is dead already"
        self.life = 0


@dataclass(order=True, slots=True)
class _Planned:
    at_ms: int
    order: int
    action: Action = field(compare=False)
    process: Process | None = field(compare=False)
    life: int = field(compare=False)


class World:
    """Virtual time, randomness, and the trace of one run."""

    def __init__(self, seed: int) -> None:
        self.random = Randomness(seed)
        self.now_ms = EPOCH_MS
        self.trace: list[str] = []
        self._planned: list[_Planned] = []
        self._order = 0
        self._digest = sha256()

    def after(self, delay_ms: int, action: Action, process: Process | None = None) -> None:
        """Do `action` in `delay_ms`, unless the process's present life has ended by then."""
        assert delay_ms >= 0, f"{delay_ms} ms ago"
        assert process is None or process.alive, f"{process} is dead and plans nothing"
        self._order += 1
        life = 0 if process is None else process.life
        heapq.heappush(
            self._planned,
            _Planned(self.now_ms + delay_ms, self._order, action, process, life),
        )

    def run_until(self, at_ms: int) -> None:
        """Let everything planned for up to `at_ms` happen, in order."""
        while self._planned and self._planned[0].at_ms <= at_ms:
            self._step()
        self.now_ms = max(self.now_ms, at_ms)

    def run_while(self, condition: Callable[[], bool], deadline_ms: int) -> bool:
        """Let things happen while `condition` holds. False: the deadline came first."""
        while condition():
            if not self._planned or self._planned[0].at_ms > deadline_ms:
                return False
            self._step()
        return True

    def note(self, line: str) -> None:
        """A line of the trace; the trace's digest tells two runs apart."""
        stamped = f"{self.now_ms - EPOCH_MS:>8} {line}"
        self._digest.update(stamped.encode())
        self._digest.update(b"\n")
        if len(self.trace) < TRACE_LINES_MAX:
            self.trace.append(stamped)

    @property
    def digest(self) -> str:
        return self._digest.hexdigest()

    def _step(self) -> None:
        planned = heapq.heappop(self._planned)
        self.now_ms = max(self.now_ms, planned.at_ms)
        if planned.process is None or planned.process.life == planned.life:
            planned.action()
