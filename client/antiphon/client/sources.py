"""Where appended data comes from: Arrow, pandas, dicts, or a file that is read in parts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Protocol, TypeAlias

import pyarrow as pa

from antiphon.client.conform import table_from_rows
from antiphon.protocol.errors import InvalidArgument

# An Arrow table or batch, a pandas DataFrame or anything else with `__arrow_c_stream__`, a list of
# dicts, or the path of a CSV or Parquet file.
Data: TypeAlias = Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far an append is: what the server has confirmed. Totals are None if not known ahead."""

    rows_done: int
    rows_total: int | None
    bytes_done: int
    bytes_total: int | None


OnProgress = Callable[[Progress], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Appended:
    """What became durable: `row_count` rows in `append_count` appends, the last of them at `time`
    (None: there was nothing to append). `duplicate_count`: appends whose first attempt had been
    applied although its answer was lost."""

    row_count: int
    append_count: int
    duplicate_count: int = 0
    time: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A piece of a file, and how much of the file has been read with it."""

    table: pa.Table
    bytes_done: int
    bytes_total: int


class FilePort(Protocol):
    def read(
        self, path: str, schema: pa.Schema, file_format: str | None, nulls: Sequence[str]
    ) -> AsyncIterator[Part]:
        """The file's rows in order, in parts of bounded size.

        Raises:
            InvalidArgument: no such file, or not of its format; names the place.
        """
        ...


def is_path(data: Data) -> bool:
    return isinstance(data, str | PurePath)


def table_of(data: Data, schema: pa.Schema) -> pa.Table:
    """Data in memory as one table, not yet conformed.

    Raises:
        InvalidArgument: none of the accepted forms.
        SchemaMismatch: dicts with unknown keys or values of other types.
    """
    match data:
        case pa.Table():
            return data
        case pa.RecordBatch():
            return pa.Table.from_batches([data])
        case Mapping():
            return table_from_rows([data], schema)
        case list() | tuple():
            if not all(isinstance(row, Mapping) for row in data):
                raise InvalidArgument("rows are given as dicts: column name to value")
            return table_from_rows(data, schema)
        case _ if hasattr(data, "__arrow_c_stream__"):
            return pa.table(data)
        case _ if hasattr(data, "columns") and hasattr(data, "dtypes"):
            return pa.Table.from_pandas(data, preserve_index=False)
        case _:
            raise InvalidArgument(
                f"cannot append a {type(data).__name__}: give an Arrow table or batch, a pandas"
                " DataFrame, a list of dicts, or the path of a CSV or Parquet file"
            )
