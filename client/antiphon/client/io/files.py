"""Reads CSV and Parquet files in parts, without ever holding the whole of one."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Generator, Iterator, Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa
from pyarrow import csv, parquet

from antiphon.client.sources import Part
from antiphon.protocol.errors import InvalidArgument

BLOCK_BYTES: Final = 4 << 20  # of CSV text read at once
PARQUET_ROWS: Final = 65_536

_SUFFIXES: Final = {".csv": "csv", ".tsv": "tsv", ".parquet": "parquet", ".pq": "parquet"}
_COMPRESSED: Final = (".gz", ".bz2", ".zst")


class Files:
    """The file port on the local file system."""

    async def read(
        self, path: str, schema: pa.Schema, file_format: str | None, nulls: Sequence[str]
    ) -> AsyncIterator[Part]:
        """See `FilePort.read`. Parsing runs off the event loop."""
        parts = _open(Path(path), schema, file_format, nulls)
        reading: asyncio.Future[Part | None] | None = None
        try:
            while True:
                reading = asyncio.ensure_future(asyncio.to_thread(next, parts, None))
                part = await asyncio.shield(reading)
                if part is None:
                    return
                yield part
        finally:
            # Whoever is cancelled leaves a thread inside, which reads its part to the end.
            if reading is not None:
                await asyncio.wait((reading,))
            parts.close()


def format_of(path: Path, file_format: str | None) -> str:
    """csv, tsv or parquet: as asked, or by the name's ending.

    Raises:
        InvalidArgument: neither says.
    """
    suffixes = [s.lower() for s in path.suffixes]
    if suffixes and suffixes[-1] in _COMPRESSED:
        suffixes.pop()
    found = file_format or _SUFFIXES.get(suffixes[-1] if suffixes else "")
    if found is None or found not in _SUFFIXES.values():
        raise InvalidArgument(f"{path}: the format is csv, tsv or parquet; the name does not say")
    return found


def _open(
    path: Path, schema: pa.Schema, file_format: str | None, nulls: Sequence[str]
) -> Generator[Part, None, None]:
    kind = format_of(path, file_format)
    try:
        if kind == "parquet":
            yield from _parquet_parts(path)
        else:
            yield from _csv_parts(path, schema, "\t" if kind == "tsv" else ",", nulls)
    except _BadValue as error:
        raise InvalidArgument(f"{path}: {error}", column=error.column, row=error.row) from None
    except FileNotFoundError:
        raise InvalidArgument(f"{path}: no such file") from None
    except (pa.ArrowInvalid, pa.ArrowKeyError, OSError) as error:
        raise InvalidArgument(f"{path}: {error}") from error


class _BadValue(Exception):
    """A value of a CSV file that is not of its column's type."""

    def __init__(self, column: str, row: str, problem: str) -> None:
        super().__init__(f"row {row} (the header is row 1), column {column}: {problem}")
        self.column = column
        self.row = row


def _csv_parts(
    path: Path, schema: pa.Schema, delimiter: str, nulls: Sequence[str]
) -> Iterator[Part]:
    try:
        yield from _read_csv(path, schema, delimiter, nulls, use_threads=True)
    except pa.ArrowInvalid as error:
        if _CONVERSION.search(str(error)) is None:
            raise
    else:
        return
    # Read again from the start, slowly: only then does the reader know the row.
    try:
        for _ in _read_csv(path, schema, delimiter, nulls, use_threads=False):
            pass
    except pa.ArrowInvalid as error:
        found = _CONVERSION.search(str(error))
        if found is None or found["row"] is None:
            raise
        column, names = int(found["column"]), _header(path, delimiter)
        name = names[column] if column < len(names) else f"#{column + 1}"
        raise _BadValue(name, found["row"], found["problem"]) from error
    raise pa.ArrowInvalid("the file changed while it was read")


_CONVERSION: Final = re.compile(
    r"In CSV column #(?P<column>\d+): (?:Row #(?P<row>\d+): )?(?P<problem>CSV conversion .*)",
    re.DOTALL,
)


def _header(path: Path, delimiter: str) -> list[str]:
    """The names of the columns, in the file's order."""
    with path.open("rb") as raw:
        stream = pa.input_stream(raw, compression=_compression(path))
        reader = csv.open_csv(
            stream,
            read_options=csv.ReadOptions(block_size=BLOCK_BYTES),
            parse_options=csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=csv.ConvertOptions(default_column_type=pa.binary()),
        )
        return list(reader.schema.names)


def _read_csv(
    path: Path,
    schema: pa.Schema,
    delimiter: str,
    nulls: Sequence[str],
    *,
    use_threads: bool,
) -> Iterator[Part]:
    total = path.stat().st_size
    with path.open("rb") as raw:
        stream = pa.input_stream(raw, compression=_compression(path))
        reader = csv.open_csv(
            stream,
            read_options=csv.ReadOptions(block_size=BLOCK_BYTES, use_threads=use_threads),
            parse_options=csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=csv.ConvertOptions(
                column_types={field.name: _parsed_type(field.type) for field in schema},
                null_values=list(nulls),
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
        is_empty = True
        for batch in reader:
            is_empty = False
            yield Part(
                table=pa.Table.from_batches([batch]), bytes_done=raw.tell(), bytes_total=total
            )
        if is_empty:
            # A header alone: perhaps the only row of a file that has none.
            yield Part(table=reader.schema.empty_table(), bytes_done=total, bytes_total=total)


def _parquet_parts(path: Path) -> Iterator[Part]:
    total = os.path.getsize(path)
    with parquet.ParquetFile(path) as file:
        rows_total, rows = max(file.metadata.num_rows, 1), 0
        for batch in file.iter_batches(batch_size=PARQUET_ROWS):
            rows += batch.num_rows
            yield Part(
                table=pa.Table.from_batches([batch]),
                bytes_done=total * rows // rows_total,
                bytes_total=total,
            )
        if rows == 0:
            empty = file.schema_arrow.empty_table()
            yield Part(table=empty, bytes_done=total, bytes_total=total)


def _parsed_type(kind: pa.DataType) -> pa.DataType:
    """The type in which a CSV column is read; `conform` casts what the reader cannot make."""
    readable = not (
        pa.types.is_interval(kind)
        or pa.types.is_nested(kind)
        or pa.types.is_fixed_size_binary(kind)
    )
    return kind if readable or pa.types.is_decimal(kind) else pa.string()


def _compression(path: Path) -> str | None:
    return {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}.get(path.suffix.lower())
