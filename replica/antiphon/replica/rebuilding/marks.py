"""Keys that are marked: of those a base's row yields to what came after it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from antiphon.replica.dataflow.arrangements.batch import build_batch
from antiphon.replica.dataflow.arrangements.spine import Spine, probe_keys
from antiphon.replica.dataflow.columns.equality import equal_rows
from antiphon.replica.dataflow.columns.words import key_words
from antiphon.replica.dataflow.columns.zset import Zset


class Marks:
    """`key_columns`: where the rows that are given have their key."""

    def __init__(self, key_columns: Sequence[int]) -> None:
        self._key_columns = tuple(key_columns)
        self._keys = tuple(range(len(self._key_columns)))  # of what is kept
        self._spine = Spine(self._keys)

    def add(self, rows: Zset) -> None:
        """Marks their keys."""
        once = np.ones(rows.row_count, np.int64)
        self._spine.insert(build_batch(tuple(self._of(rows)), once, self._keys))

    def missing(self, rows: Zset) -> npt.NDArray[np.int64]:
        """The places of the rows whose key is not marked. O(rows · log marks)."""
        wanted = self._of(rows)
        unmarked = np.ones(rows.row_count, np.bool_)
        for match in probe_keys(self._spine.batches, key_words(wanted, rows.row_count)):
            same = equal_rows(wanted, match.probes, match.batch.columns, match.rows)
            unmarked[match.probes if same is None else match.probes[same]] = False
        return np.flatnonzero(unmarked)

    def maintain(self, fuel_rows: int) -> bool:
        """Spend up to about `fuel_rows` on background merges; True: there is more to do."""
        return self._spine.maintain(fuel_rows)

    def _of(self, rows: Zset) -> list[pa.Array]:
        return [rows.columns[column] for column in self._key_columns]
