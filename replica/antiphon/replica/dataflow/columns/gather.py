"""Rows of columns by position: the one call that every operator makes most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from antiphon.protocol.buffers import array_of, fixed_width, values_of

Rows = npt.NDArray[np.int64]

# Held on to: looking the function up and making its options costs as much as a small gather.
_TAKE: Final = pc.get_function("array_take")
_OPTIONS: Final = pc.TakeOptions(boundscheck=True)
_INDEX: Final = pa.int64()


def taken(column: pa.Array, index: pa.Array) -> pa.Array:
    """The column's values at these positions; null where the position is."""
    return _TAKE.call([column, index], _OPTIONS)


def twice_over(column: pa.Array) -> pa.Array:
    """The column, and then the column again."""
    if column.null_count or fixed_width(column.type) is None:
        return pa.concat_arrays([column, column])
    values = values_of(column)
    return array_of(np.concatenate((values, values)), column.type)


def index_of(rows: Rows) -> pa.Array:
    return array_of(rows, _INDEX)


def taken_rows(columns: Sequence[pa.Array], rows: Rows) -> tuple[pa.Array, ...]:
    """The columns' values at these positions."""
    found, index = [], None
    for column in columns:
        if column.null_count == 0 and fixed_width(column.type) is not None:
            found.append(array_of(values_of(column).take(rows), column.type))
            continue
        index = array_of(rows, _INDEX) if index is None else index
        found.append(_TAKE.call([column, index], _OPTIONS))
    return tuple(found)
