"""Whether rows of two places are equal: in SQL, which verifies a key after its hash was found; or
the same, intervals by their parts too, which is asked of what is summed up or shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import lib

from antiphon.protocol.buffers import values_of
from antiphon.protocol.interval_parts import has_intervals, in_parts
from antiphon.protocol.row_hash import hash_rows
from antiphon.replica.dataflow.columns.gather import Rows, index_of, taken
from antiphon.replica.dataflow.columns.limbs import words_of

# Type ids.
_FLOATS: Final = (lib.Type_FLOAT, lib.Type_DOUBLE)
_TEXTS: Final = (lib.Type_STRING, lib.Type_BINARY)
_EXACT: Final = frozenset(
    {lib.Type_INT16, lib.Type_INT32, lib.Type_INT64, lib.Type_DATE32, lib.Type_TIMESTAMP}
)
_COMPARABLE: Final = frozenset(
    {
        lib.Type_BOOL,
        lib.Type_INT16,
        lib.Type_INT32,
        lib.Type_INT64,
        lib.Type_DATE32,
        lib.Type_TIMESTAMP,
        *_FLOATS,
    }
)


def equal_rows(
    left: Sequence[pa.Array], left_rows: Rows, right: Sequence[pa.Array], right_rows: Rows
) -> npt.NDArray[np.bool_] | None:
    """Where row `left_rows[i]` of the left columns equals row `right_rows[i]` of the right ones.

    Nulls equal each other. None: everywhere, the common case.
    """
    return _everywhere(_equal_column, left, left_rows, right, right_rows)


def same_rows(
    left: Sequence[pa.Array], left_rows: Rows, right: Sequence[pa.Array], right_rows: Rows
) -> npt.NDArray[np.bool_] | None:
    """As `equal_rows`, and intervals have the same parts."""
    return _everywhere(_same_column, left, left_rows, right, right_rows)


def _everywhere(
    compare: Callable[[pa.Array, Rows, pa.Array, Rows], npt.NDArray[np.bool_]],
    left: Sequence[pa.Array],
    left_rows: Rows,
    right: Sequence[pa.Array],
    right_rows: Rows,
) -> npt.NDArray[np.bool_] | None:
    found: npt.NDArray[np.bool_] | None = None
    for first, second in zip(left, right, strict=True):
        same = compare(first, left_rows, second, right_rows)
        if np.count_nonzero(same) < len(same):
            found = same if found is None else found & same
    return found


def same_halves(columns: Sequence[pa.Array], count: int) -> npt.NDArray[np.bool_] | None:
    """Where row i is the same as row i + count, for columns of twice `count` rows.

    None: nowhere, the common case.
    """
    found: npt.NDArray[np.bool_] | None = None
    for column in columns:
        if column.null_count == 0 and column.type.id in _EXACT:
            values = values_of(column)
            same = values[:count] == values[count:]
        else:
            every = np.arange(count)
            same = _same_column(column, every, column, every + count)
        if np.count_nonzero(same) == 0:
            return None
        found = same if found is None else found & same
    if found is None:
        return np.ones(count, np.bool_)
    return found if np.count_nonzero(found) else None


def sum_of_few(columns: Sequence[pa.Array], diffs: Rows) -> tuple[list[int], list[int]] | None:
    """The same rows summed, without hashing them: (the first place of each row that remains, how
    often it is there). None: they are too many for comparing each with each."""
    count = len(diffs)
    if count > _FEW_ROWS:
        return None
    left, right = _PAIRS[count]
    same = same_rows(columns, left, columns, right)
    first = list(range(count))
    equal = range(len(left)) if same is None else same.nonzero()[0].tolist()
    for one, other in ((left[pair], right[pair]) for pair in equal):
        if first[other] == other:  # pairs come by their left place: the first of all is met first
            first[other] = first[one]
    sums = dict.fromkeys(first, 0)
    for place, diff in zip(first, diffs.tolist(), strict=True):
        sums[place] += diff
    present = [(place, total) for place, total in sums.items() if total]
    return [place for place, _ in present], [total for _, total in present]


_FEW_ROWS: Final = 12
_PAIRS: Final = [np.triu_indices(count, 1) for count in range(_FEW_ROWS + 1)]


def _same_column(
    left: pa.Array, left_rows: Rows, right: pa.Array, right_rows: Rows
) -> npt.NDArray[np.bool_]:
    if not has_intervals(left.type):
        return _equal_column(left, left_rows, right, right_rows)
    every = np.arange(len(left_rows))
    first, second = in_parts(_taken(left, left_rows)), in_parts(_taken(right, right_rows))
    return _equal_column(first, every, second, every)


def _equal_column(
    left: pa.Array, left_rows: Rows, right: pa.Array, right_rows: Rows
) -> npt.NDArray[np.bool_]:
    if left.null_count == 0 and right.null_count == 0:
        kind = left.type.id
        if _comparable(kind) and _comparable(right.type.id):
            first, second = values_of(left).take(left_rows), values_of(right).take(right_rows)
            same: npt.NDArray[np.bool_] = first == second
            if kind in _FLOATS and not same.all():
                same = same | (np.isnan(first) & np.isnan(second))
            return same
        if kind == lib.Type_DECIMAL128 and left.type == right.type:
            words: npt.NDArray[np.bool_] = (
                words_of(left)[left_rows] == words_of(right)[right_rows]
            ).all(axis=1)
            return words
        if kind in _TEXTS and left.type == right.type:
            texts: npt.NDArray[np.bool_] = values_of(
                pc.equal(_taken(left, left_rows), _taken(right, right_rows))
            )
            return texts
    first_high, first_low = hash_rows([_taken(left, left_rows)])
    second_high, second_low = hash_rows([_taken(right, right_rows)])
    return np.asarray((first_high == second_high) & (first_low == second_low))


def _comparable(kind: int) -> bool:
    """Whether numpy's == is SQL's (floats but for NaN)."""
    return kind in _COMPARABLE


def _taken(column: pa.Array, rows: Rows) -> pa.Array:
    return taken(column, index_of(rows))
