"""The answer of one statement: its rows as Arrow, and what the server said about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from antiphon.client.python_values import python_value, python_values
from antiphon.protocol.errors import InvalidArgument

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one statement returned.

    `tag` is as in "INSERT 3"; `table` is None for a statement without rows; `time` is the logical
    time of the read or of the write. Iterating gives rows as tuples of Python values.
    """

    tag: str
    table: pa.Table | None = None
    row_count: int = 0
    time: int | None = None
    notices: tuple[str, ...] = field(default=())

    def to_arrow(self) -> pa.Table:
        """The rows as a `pyarrow.Table`.

        Raises:
            InvalidArgument: the statement returns no rows.
        """
        if self.table is None:
            raise InvalidArgument(f"{self.tag or 'the statement'} returns no rows")
        return self.table

    def to_pandas(self) -> pandas.DataFrame:
        """The rows as a DataFrame; needs pandas.

        Raises:
            InvalidArgument: the statement returns no rows.
            ModuleNotFoundError: pandas is not installed.
        """
        return self.to_arrow().to_pandas()

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns, in order; empty for a statement without rows."""
        return () if self.table is None else tuple(self.table.column_names)

    def rows(self) -> list[tuple[Any, ...]]:
        """All rows as tuples, values as of `python_values`. O(rows × columns) Python objects: for
        display and small results."""
        table = self.to_arrow()
        if table.num_columns == 0:
            return [()] * int(table.num_rows)
        return list(zip(*map(python_values, table.columns), strict=True))

    def dicts(self) -> list[dict[str, Any]]:
        """All rows by column name. Of columns with one name, the last wins."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows()]

    def scalar(self) -> Any:
        """The only value of the only row.

        Raises:
            InvalidArgument: there is not exactly one row of one column.
        """
        table = self.to_arrow()
        if table.num_rows != 1 or table.num_columns != 1:
            raise InvalidArgument(
                f"one value was expected, not {table.num_rows} rows of {table.num_columns} columns"
            )
        return python_value(table.column(0)[0])

    def __len__(self) -> int:
        return self.row_count if self.table is None else int(self.table.num_rows)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self.rows())
