"""Feeds: overwrites by key become differences.

A feed's shard holds what clients sent: the new row of a key, or that the key is gone. Only with the
row that a key had before does that become a change of the collection. This is where it is kept.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from antiphon.protocol.schema import Schema
from antiphon.replica.dataflow.arrangements.batch import Batch, build_batch
from antiphon.replica.dataflow.arrangements.spine import Spine, probe_keys
from antiphon.replica.dataflow.columns.equality import equal_rows
from antiphon.replica.dataflow.columns.groups import group_rows
from antiphon.replica.dataflow.columns.zset import Zset, concat_rows


class Overwrites:
    """key -> row, at one current time."""

    def __init__(self, schema: Schema, key_columns: Sequence[int]) -> None:
        assert key_columns, "a feed has a key"
        self._schema = schema
        self._keys = tuple(key_columns)
        self._spine = Spine()
        self._row_count = 0

    @property
    def row_count(self) -> int:
        """Keys present."""
        return self._row_count

    @property
    def byte_count(self) -> int:
        return self._spine.byte_count

    def apply(self, change: Zset) -> Zset:
        """Overwrites of one time to differences, consolidated.

        A diff above 0 is an upsert of the row, below 0 a delete of its key, whose other columns do
        not matter. Of several for one key the last counts. Upserting the row that is there and
        deleting what is absent change nothing. Errors pass through.
        """
        errors = None if change.errors is None else change.errors.consolidated()
        if change.row_count == 0:
            return Zset(Zset.empty(self._schema).columns, change.diffs, errors)
        groups = group_rows([change.columns[i] for i in self._keys], change.row_count)
        last = np.maximum.reduceat(groups.order, groups.heads)
        latest = change.take(last)
        held = self._held(latest, groups.low)
        upserts = latest.take(np.flatnonzero(latest.diffs > 0))
        parts = [Zset(upserts.columns, np.ones(upserts.row_count, np.int64))]
        if held is not None:
            parts.append(held.negated())
        difference = concat_rows(parts)
        assert difference is not None, "there is a part"
        difference = difference.consolidated()
        if difference.row_count:
            low = None if difference.hashes is None else difference.hashes[1]
            batch = build_batch(difference.columns, difference.diffs, self._keys, row_hashes=low)
            self._spine.insert(batch)
            self._row_count += int(difference.diffs.sum())
        return Zset(
            difference.columns, difference.diffs, errors, difference.hashes, is_distinct=True
        )

    def parts(self) -> list[Zset]:
        """The rows that there are, as a sum."""
        return [Zset(batch.columns, batch.diffs) for batch in self._spine.batches]

    def held(self) -> list[Batch]:
        """What holds them: batches that never change."""
        return list(self._spine.batches)

    def _held(self, latest: Zset, low: np.ndarray[tuple[int], np.dtype[np.uint64]]) -> Zset | None:
        """The rows that the keys have now."""
        wanted = [latest.columns[i] for i in self._keys]
        parts = []
        for match in probe_keys(self._spine.batches, low):
            others = [match.batch.columns[i] for i in self._keys]
            same = equal_rows(wanted, match.probes, others, match.rows)
            rows = match.rows if same is None else match.rows[same]
            parts.append(Zset(match.batch.columns, match.batch.diffs).take(rows))
        held = concat_rows(parts)
        return None if held is None else held.consolidated()

    def maintain(self, fuel_rows: int) -> bool:
        """Spend up to about `fuel_rows` on background merges; True: there is more to do."""
        return self._spine.maintain(fuel_rows)
