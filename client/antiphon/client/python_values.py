"""Arrow's values as Python's."""

from __future__ import annotations

from typing import Any

import pyarrow as pa


def python_values(column: pa.ChunkedArray) -> list[Any]:
    """As `to_pylist`. A date or a timestamp that Python has no object for, before the year 1 or
    after 9999, is its text, `10000-01-01`."""
    try:
        return list(column.to_pylist())
    except (OverflowError, ValueError):
        return [python_value(value) for value in column]


def python_value(value: pa.Scalar) -> Any:
    """One of them."""
    try:
        return value.as_py()
    except (OverflowError, ValueError):
        if isinstance(value, pa.ListScalar):
            return [python_value(inner) for inner in value.values]
        if isinstance(value, pa.StructScalar):
            return {name: python_value(inner) for name, inner in value.items()}
        return value.cast(pa.string()).as_py()
