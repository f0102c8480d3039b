"""The rows of a trace whose collection is arranged by the same key for others as well.

The trace keeps none of them. What it is asked for at a time that the arrangement has folded is what
is there, beside the opposite of what changed since: the trace remembers that anyway, for those who
follow it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa

from antiphon.replica.dataflow.arrangements.arrangement import Ticks
from antiphon.replica.dataflow.arrangements.batch import Batch
from antiphon.replica.dataflow.arrangements.reading import Reading
from antiphon.replica.dataflow.arrangements.spine import probe_keys
from antiphon.replica.dataflow.columns.equality import equal_rows
from antiphon.replica.dataflow.columns.words import key_words
from antiphon.replica.dataflow.columns.zset import Zset, concat_rows


class SharedRows:
    """`keys`: of the trace, in its order; `changes`: those that it remembers after one time, up to
    another."""

    def __init__(
        self, keys: Sequence[int], reading: Reading, changes: Callable[[int, int], Ticks]
    ) -> None:
        assert sorted(keys) == sorted(reading.arrangement.key), "it is arranged by another key"
        self.reading = reading
        self._keys = tuple(keys)
        self._changes = changes

    row_count = byte_count = 0  # whoever counts arrangements counts them

    def add(self, time: int, change: Zset) -> None:
        """They go into the arrangement, before they come here."""

    def set_since(self, since: int) -> None:
        """What the arrangement folds is decided by all its readers."""

    @property
    def is_idle(self) -> bool:
        return True

    def maintain(self, fuel_rows: int) -> bool:
        return False

    def held(self, time: int) -> list[Batch]:
        """Batches without times that add up to the content at `time`."""
        return [batch.seen() for batch in self._at(time)]

    def at(self, time: int) -> list[Zset]:
        """All rows at `time`, as a sum."""
        return [Zset(batch.columns, batch.diffs) for batch in self.held(time) if len(batch)]

    def found(self, wanted: Sequence[pa.Array], time: int) -> list[Zset]:
        """The rows at `time` with one of these distinct keys."""
        order = [self._keys.index(column) for column in self.reading.arrangement.key]
        count = len(wanted[0]) if wanted else 1
        words = key_words([wanted[place] for place in order], count)
        parts, probes = [], []
        for match in probe_keys(self._at(time), words):
            if len(match.rows):
                probes.append(match.probes)
                parts.append(match.taken())
        whole = concat_rows(parts)
        if whole is None:
            return []
        # Compared all at once: of the few rows of a key each batch has one or two.
        others = [whole.columns[i] for i in self._keys]
        same = equal_rows(wanted, np.concatenate(probes), others, np.arange(whole.row_count))
        return [whole if same is None else whole.take(np.flatnonzero(same))]

    def _at(self, time: int) -> list[Batch]:
        arrangement = self.reading.arrangement
        since = arrangement.since
        # Before it is level, what the trace remembers does not reach to what is folded.
        if time >= since or not self.reading.is_level:
            return self.reading.until(time)
        later = [(at, change) for at, change in self._changes(time, since) if change.row_count]
        found = arrangement.until(since)
        if later:
            undone = arrangement.undone(later)
            found = [*found, undone] if len(undone) else found
        return found
