"""Feeds: overwrites by key become differences.

A feed's shard holds what clients sent: the new row of a key, or that the key is gone. Only with the
row that a key had before does that become a change of the collection.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from antiphon.protocol.row_hash import Words
from antiphon.replica.dataflow.arrangements.batch import Batch
from antiphon.replica.dataflow.arrangements.spine import probe_keys
from antiphon.replica.dataflow.columns.equality import equal_rows
from antiphon.replica.dataflow.columns.groups import group_rows
from antiphon.replica.dataflow.columns.zset import Zset, concat_rows


def differences(overwrites: Zset, keys: Sequence[int], held: Sequence[Batch]) -> Zset:
    """Overwrites of one time to differences, consolidated.

    A diff above 0 is an upsert of the row, below 0 a delete of its key, whose other columns do not
    matter. Of several for one key the last counts. Upserting the row that is there and deleting
    what is absent change nothing. Errors pass through.

    `keys`: the columns of the key. `held`: all columns of the rows before, arranged by these.
    """
    assert keys, "a feed has a key"
    errors = None if overwrites.errors is None else overwrites.errors.consolidated()
    if overwrites.row_count == 0:
        return Zset(overwrites.columns, overwrites.diffs, errors)
    groups = group_rows([overwrites.columns[i] for i in keys], overwrites.row_count)
    last = np.maximum.reduceat(groups.order, groups.heads)
    latest = overwrites.take(last)
    before = _before(latest, keys, groups.low, held)
    upserts = latest.take(np.flatnonzero(latest.diffs > 0))
    parts = [Zset(upserts.columns, np.ones(upserts.row_count, np.int64))]
    if before is not None:
        parts.append(before.negated())
    difference = concat_rows(parts)
    assert difference is not None, "there is a part"
    difference = difference.consolidated()
    return Zset(difference.columns, difference.diffs, errors, difference.hashes, is_distinct=True)


def _before(latest: Zset, keys: Sequence[int], low: Words, held: Sequence[Batch]) -> Zset | None:
    """The rows that the keys have. `low`: the keys' words."""
    wanted = [latest.columns[i] for i in keys]
    parts = []
    for match in probe_keys(held, low):
        others = [match.batch.columns[i] for i in keys]
        same = equal_rows(wanted, match.probes, others, match.rows)
        rows = match.rows if same is None else match.rows[same]
        parts.append(Zset(match.batch.columns, match.batch.diffs).take(rows))
    before = concat_rows(parts)
    return None if before is None else before.consolidated()
