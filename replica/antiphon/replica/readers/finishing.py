"""The last steps of a read: order, cut, project, expand multiplicities, encode.

Rows arrive as a multiset with multiplicities; a client gets plain rows. Nulls and NaN order as in
PostgreSQL: NaN after every other number, nulls where the sort key says. Rows that a key does not
tell apart are ordered by their row hash, equal intervals by a hash of their parts, so that a limit
cuts the same rows on every replica.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from antiphon.protocol.dataflow import Finishing
from antiphon.protocol.delta import encode_batch
from antiphon.protocol.errors import DataError, InvalidArgument, LimitExceeded
from antiphon.protocol.interval_parts import part_words
from antiphon.protocol.limits import CHUNK_BYTES
from antiphon.protocol.row_hash import hash_rows
from antiphon.protocol.schema import Schema, arrow_schema
from antiphon.replica.dataflow.columns.sort_codes import order_codes

_INTERVAL = np.dtype([("months", "<i4"), ("days", "<i4"), ("nanoseconds", "<i8")])

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`batches`: Arrow record batch messages of the peek's schema, about a mebibyte each."""

    batches: tuple[bytes, ...]
    row_counts: tuple[int, ...]  # of each batch
    row_count: int
    byte_count: int


def finish(
    columns: tuple[pa.Array, ...],
    diffs: npt.NDArray[np.int64],
    *,
    finishing: Finishing,
    schema: Schema,
    rows_max: int,
    bytes_max: int,
) -> Answer:
    """The rows a client sees.

    Args:
        columns: of one length; before `finishing.project`.
        diffs: multiplicities, of that length.
        schema: of the answer, after `finishing.project`.

    Raises:
        DataError: a row with a negative multiplicity.
        InvalidArgument: the peek names columns that there are not, or other types.
        LimitExceeded: more rows than `rows_max` or bytes than `bytes_max`.

    O(n log n) where there is an order, else O(n).
    """
    if diffs.size and int(diffs.min()) < 0:
        raise DataError("a row has a negative multiplicity")
    project = tuple(range(len(columns))) if finishing.project is None else finishing.project
    _check_columns(len(columns), finishing, project, schema)
    order = _ordered(columns, finishing) if finishing.order_by else None
    taken = _window(diffs, order, finishing, rows_max)
    target = arrow_schema(schema)
    chosen = [columns[index] for index in project]
    if taken is not None:
        indices = pa.array(taken)
        chosen = [column.take(indices) for column in chosen]
    row_count = int(diffs.size) if taken is None else int(taken.size)
    if not chosen:
        return Answer(batches=(), row_counts=(), row_count=row_count, byte_count=0)
    try:
        batch = pa.RecordBatch.from_arrays(chosen, schema=target)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InvalidArgument(f"the rows are not what the peek's schema says: {error}") from error
    return encode(batch, bytes_max)


def _check_columns(
    column_count: int, finishing: Finishing, project: tuple[int, ...], schema: Schema
) -> None:
    """The peek came over the wire: what it names need not be there. Raises InvalidArgument."""
    for index in (*(key[0] for key in finishing.order_by), *project):
        if index >= column_count:
            raise InvalidArgument(f"the rows have {column_count} columns, and no column {index}")
    if len(project) != len(schema):
        raise InvalidArgument(f"{len(project)} columns where the peek's schema has {len(schema)}")


def encode(batch: pa.RecordBatch, bytes_max: int) -> Answer:
    """Cuts into chunks and encodes them.

    Raises:
        LimitExceeded: together they are more than `bytes_max`.
    """
    row_count = batch.num_rows
    size = batch.nbytes
    if size > bytes_max:
        raise LimitExceeded(
            f"the result has {size} bytes, more than bytes_max = {bytes_max}",
            limit="bytes_max", value=bytes_max, found=size,
        )  # fmt: skip
    if row_count == 0:
        return Answer(batches=(), row_counts=(), row_count=0, byte_count=0)
    pieces = [batch]
    if size > CHUNK_BYTES:
        step = max(1, -(-row_count // -(-size // CHUNK_BYTES)))
        pieces = [batch.slice(start, step) for start in range(0, row_count, step)]
    batches = tuple(encode_batch(piece) for piece in pieces)
    return Answer(
        batches=batches,
        row_counts=tuple(piece.num_rows for piece in pieces),
        row_count=row_count,
        byte_count=sum(len(encoded) for encoded in batches),
    )


def _window(
    diffs: npt.NDArray[np.int64], order: Indices | None, finishing: Finishing, rows_max: int
) -> Indices | None:
    """Which rows, in order, with repeats; None: all of them, once each, as they are."""
    counts = diffs if order is None else diffs[order]
    ends = np.cumsum(counts)
    total = int(ends[-1]) if ends.size else 0
    start = min(finishing.offset, total)
    stop = total if finishing.limit is None else min(start + finishing.limit, total)
    if stop - start > rows_max:
        raise LimitExceeded(
            f"the result has {stop - start} rows, more than rows_max = {rows_max}",
            limit="rows_max", value=rows_max, found=stop - start,
        )  # fmt: skip
    whole = start == 0 and stop == total
    if whole and total == counts.size and (not counts.size or int(counts.max()) == 1):
        return order
    # Position p of the expanded result is the first row whose running count exceeds p.
    positions = np.searchsorted(ends, np.arange(start, stop), side="right").astype(np.int64)
    return positions if order is None else order[positions]


def _ordered(columns: tuple[pa.Array, ...], finishing: Finishing) -> Indices:
    keys: list[pa.Array] = []
    directions: list[tuple[str, str]] = []

    def add(key: pa.Array, descending: bool) -> None:
        directions.append((f"k{len(keys)}", "descending" if descending else "ascending"))
        keys.append(key)

    for index, descending, nulls_first in finishing.order_by:
        column = columns[index]
        if column.null_count:
            add(column.is_null(), nulls_first)
        if pa.types.is_floating(column.type):
            add(pc.fill_null(pc.is_nan(column), False), descending)
        for key in _sort_keys(column):
            add(key, descending)
    high, low = hash_rows(columns)
    for word in (high, low, *part_words(columns, len(high))):
        add(pa.array(word), False)
    table = pa.RecordBatch.from_arrays(keys, names=[name for name, _ in directions])
    indices = pc.sort_indices(table, sort_keys=directions)
    return np.asarray(indices.to_numpy(zero_copy_only=False), dtype=np.int64)


def _sort_keys(column: pa.Array) -> tuple[pa.Array, ...]:
    """Columns that Arrow sorts as SQL sorts this one."""
    if pa.types.is_nested(column.type):
        return (pa.array(order_codes(column)),)
    if not pa.types.is_interval(column.type):
        return (column,)
    # A month counts as thirty days, as in PostgreSQL.
    fields = np.frombuffer(column.buffers()[1], dtype=_INTERVAL)[column.offset :][: len(column)]
    days, rest = np.divmod(fields["nanoseconds"], 86_400 * 10**9)
    days = days + fields["months"].astype(np.int64) * 30 + fields["days"]
    return (pa.array(days), pa.array(rest))
