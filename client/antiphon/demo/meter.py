"""What the demo measures: each view's rows, rate and latency, and the feed's pace."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from antiphon.client import ChangeBatch
from antiphon.protocol.delta import DIFF_COLUMN

RATE_WINDOW_S: Final = 5.0


@dataclass(slots=True)
class Pace:
    """A rate over the last few seconds."""

    _marks: deque[tuple[float, int]] = field(default_factory=deque)
    total: int = 0

    def add(self, count: int, now_s: float) -> None:
        self.total += count
        self._marks.append((now_s, self.total))
        while self._marks and self._marks[0][0] < now_s - RATE_WINDOW_S:
            self._marks.popleft()

    def per_second(self, now_s: float) -> float:
        recent = [mark for mark in self._marks if mark[0] >= now_s - RATE_WINDOW_S]
        if not recent:
            return 0.0
        start_s, before = recent[0]
        return (self.total - before) / max(now_s - start_s, 0.1)


@dataclass(slots=True)
class Sent:
    """One append: when it left, and the logical time it got."""

    time: int
    at_s: float


@dataclass(slots=True)
class ViewMeter:
    """One view, as its subscription shows it."""

    name: str
    rows: int = 0
    changes: Pace = field(default_factory=Pace)
    frontier: int = 0
    received_s: float = 0.0
    latencies_s: list[float] = field(default_factory=list)
    batches: list[pa.Table] = field(default_factory=list)
    _answered: int = 0  # how many of the appends have been seen here

    def receive(self, batch: ChangeBatch, now_s: float) -> None:
        """Counts a batch and keeps it for the final comparison."""
        if len(batch):
            self.batches.append(batch.table)
            self.rows += pc.sum(batch.table[DIFF_COLUMN]).as_py()
            self.changes.add(len(batch), now_s)
        if batch.upper.time is not None:
            self.frontier = batch.upper.time
        self.received_s = now_s

    def settle(self, sent: Sequence[Sent]) -> None:
        """Notes the latency of every append that has become visible: from its departure to its
        changes in our hands. An append's own answer may come later than its changes."""
        while self._answered < len(sent) and sent[self._answered].time < self.frontier:
            self.latencies_s.append(max(self.received_s - sent[self._answered].at_s, 0.0))
            self._answered += 1

    def latency_ms(self, percentile: float, last: int | None = None) -> float:
        """Of all appends, or of the last few."""
        values = self.latencies_s[-last:] if last else self.latencies_s
        return float(np.percentile(values, percentile)) * 1000 if values else 0.0
