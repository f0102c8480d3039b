"""The pace of ticks: when replicas fall behind, ticks become rarer and larger, and nothing is lost.

A tick costs every dataflow a fixed amount, whatever it carries. Writers that commit faster than the
replicas can follow would leave them behind for ever, and every strict read with them. So the ticks
that the best replica has yet to pass are counted: too many, and the next tick waits longer, up to
a bound, while the appends that arrive share it; few, and it waits less again.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from antiphon.protocol.frontier import Frontier

OUTSTANDING_TICKS_MAX: Final = 8  # a few are always on their way
SPACING_MS_MIN: Final = 4  # the first step away from none
SPACING_MS_MAX: Final = 250  # what a writer waits at the most for its tick to begin
assert SPACING_MS_MIN < SPACING_MS_MAX, "there is room to slow down"


class Pace:
    """How long after a tick the next one may begin."""

    def __init__(self) -> None:
        self.spacing_ms = 0
        self._outstanding: deque[int] = deque()

    def ticked(self, time: int) -> bool:
        """A tick at `time` is durable. True: look at how far the replicas are."""
        self._outstanding.append(time)
        return self.spacing_ms > 0 or len(self._outstanding) > OUTSTANDING_TICKS_MAX

    def look(self, passed: Frontier | None) -> None:
        """The best replica has passed this frontier; None: there is none to wait for."""
        if passed is None:
            self._outstanding.clear()
        while self._outstanding and passed is not None and passed.passes(self._outstanding[0]):
            self._outstanding.popleft()
        if len(self._outstanding) > OUTSTANDING_TICKS_MAX:
            self.spacing_ms = min(max(2 * self.spacing_ms, SPACING_MS_MIN), SPACING_MS_MAX)
        elif len(self._outstanding) <= OUTSTANDING_TICKS_MAX // 2:
            self.spacing_ms = self.spacing_ms // 2 if self.spacing_ms > SPACING_MS_MIN else 0
