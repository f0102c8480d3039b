"""What a tail has missed, cut at times into pieces that fit messages.

A tail begins with everything between its collections' frontiers and now. Every piece covers all of
its collections over one interval, so pieces are cut at times, never inside one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from antiphon.protocol.buffers import values_of
from antiphon.protocol.delta import TIME_COLUMN, Delta
from antiphon.protocol.ids import CollectionId

Times = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Everything at lower <= time < upper."""

    lower: int
    upper: int
    deltas: Mapping[CollectionId, Delta]


def windows(
    deltas: Mapping[CollectionId, Sequence[Delta]], lower: int, upper: int, bytes_max: int
) -> Iterator[Window]:
    """Contiguous windows over [lower, upper), each at most `bytes_max` unless it is one time.

    Args:
        deltas: of each collection, each batch sorted by time. O(rows log times).
    """
    batches = [
        batch for parts in deltas.values() for part in parts for batch in (*part.rows, *part.errors)
    ]
    bounds = [lower, *_cuts(batches, bytes_max, lower), upper]
    for start, stop in pairwise(bounds):
        yield Window(
            lower=start,
            upper=stop,
            deltas={
                collection: found
                for collection, parts in deltas.items()
                if (found := _between(parts, start, stop)) is not None
            },
        )


def _cuts(batches: Sequence[pa.RecordBatch], bytes_max: int, lower: int) -> list[int]:
    """The times at which a new window begins."""
    if sum(batch.nbytes for batch in batches) <= bytes_max:
        return []
    times = np.concatenate([_times(batch) for batch in batches])
    sizes = np.concatenate(
        [np.full(len(batch), batch.nbytes / max(len(batch), 1)) for batch in batches]
    )
    distinct, place = np.unique(times, return_inverse=True)
    bytes_at = np.bincount(place, weights=sizes)
    cuts: list[int] = []
    filled = 0.0
    for time, size in zip(distinct.tolist(), bytes_at.tolist(), strict=True):
        if filled and filled + size > bytes_max and time > lower:
            cuts.append(time)
            filled = 0.0
        filled += size
    return cuts


def _between(parts: Sequence[Delta], start: int, stop: int) -> Delta | None:
    rows = tuple(
        cut for part in parts for batch in part.rows if len(cut := _slice(batch, start, stop))
    )
    errors = tuple(
        cut for part in parts for batch in part.errors if len(cut := _slice(batch, start, stop))
    )
    return Delta(rows=rows, errors=errors) if rows or errors else None


def _slice(batch: pa.RecordBatch, start: int, stop: int) -> pa.RecordBatch:
    times = _times(batch)
    first, last = np.searchsorted(times, np.array([start, stop], dtype=np.uint64)).tolist()
    return batch if first == 0 and last == len(batch) else batch.slice(first, last - first)


def _times(batch: pa.RecordBatch) -> Times:
    return values_of(batch.column(TIME_COLUMN))
