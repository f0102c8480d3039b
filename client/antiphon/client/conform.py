"""Makes a user's data fit a collection: columns by name, values by safe casts, chunks by size.

Nothing is guessed and nothing is lost silently: an unknown column, a missing value that may not be
null and a cast that would change a value are refused, with the column's name.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import accumulate
from numbers import Integral, Real
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from antiphon.protocol.delta import DIFF_COLUMN
from antiphon.protocol.errors import SchemaMismatch

APPEND_ROWS_MAX: Final = 65_536  # one append is one unit on the server: bounded memory, atomic
APPEND_BYTES_MAX: Final = 4 << 20  # well below the message limit, whatever the framing adds

_UUID_TYPE: Final = pa.binary(16)
_DIFF_FIELD: Final = pa.field(DIFF_COLUMN, pa.int64(), nullable=False)


def table_from_rows(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    """Dicts as a table of the collection's types. A key that is absent is null.

    Raises:
        SchemaMismatch: a key that is no column, or a value that is not of its column's type.
    """
    if not rows:
        return schema.empty_table()
    present = dict.fromkeys(name for row in rows for name in row)
    unknown = [name for name in present if name not in schema.names and name != DIFF_COLUMN]
    if unknown:
        raise unknown_columns(unknown, schema)
    fields = [_field(schema, name) for name in present]
    return pa.table(
        [column_of_values([row.get(f.name) for row in rows], f) for f in fields],
        schema=pa.schema([f.with_nullable(True) for f in fields]),
    )


def conform(table: pa.Table, schema: pa.Schema, *, key: tuple[str, ...] | None = None) -> pa.Table:
    """The table with exactly the collection's columns in order (then `antiphon_diff`, if given).

    With `key`, only those columns must be there and the others become null: for deletes from a
    feed. Zero-copy for columns that already fit.

    Raises:
        SchemaMismatch: names what does not fit, and how.
    """
    unknown = [n for n in table.column_names if n not in schema.names and n != DIFF_COLUMN]
    if unknown:
        raise unknown_columns(unknown, schema)
    doubled = [n for n in dict.fromkeys(table.column_names) if table.column_names.count(n) > 1]
    if doubled:
        raise SchemaMismatch(f"the data has the column {doubled[0]!r} twice", column=doubled[0])
    columns, fields = [], []
    for field in schema:
        needed = field.name in key if key is not None else not field.nullable
        column = _column(table, field, needed=needed)
        columns.append(column)
        fields.append(field.with_nullable(field.nullable or not needed))
    if DIFF_COLUMN in table.column_names:
        columns.append(cast_column(table.column(DIFF_COLUMN), _DIFF_FIELD))
        fields.append(_DIFF_FIELD)
    return pa.table(columns, schema=pa.schema(fields))


def deleting(table: pa.Table) -> pa.Table:
    """The same rows, marked as deletes.

    Raises:
        SchemaMismatch: the data says already what to do with each row.
    """
    if DIFF_COLUMN in table.column_names:
        raise SchemaMismatch(f"rows to delete do not carry {DIFF_COLUMN}", column=DIFF_COLUMN)
    marks = pa.repeat(pa.scalar(-1, pa.int64()), table.num_rows)
    return table.append_column(_DIFF_FIELD, marks)


def chunks(
    table: pa.Table, *, rows_max: int = APPEND_ROWS_MAX, bytes_max: int = APPEND_BYTES_MAX
) -> Iterator[pa.Table]:
    """The table in order, in slices within both bounds (a row larger than `bytes_max` is one)."""
    if table.num_rows == 0:
        return
    row_bytes = max(table.nbytes / table.num_rows, 1)
    step = max(1, min(rows_max, int(bytes_max / row_bytes)))
    for start in range(0, table.num_rows, step):
        yield table.slice(start, step)


def cast_column(column: pa.ChunkedArray, field: pa.Field) -> pa.ChunkedArray:
    """The column in the field's type, if no value changes by it.

    Raises:
        SchemaMismatch: with the column's name and both types.
    """
    try:
        if pa.types.is_nested(field.type):
            whole = column.combine_chunks()
            return pa.chunked_array([_nested(whole, field)])
        if column.type == field.type:
            return column
        if field.type == _UUID_TYPE and pa.types.is_string(column.type):
            return _uuids(column)
        if pa.types.is_decimal(field.type) and pa.types.is_integer(column.type):
            # Arrow wants room for any int64 before the point; the second cast checks the values.
            column = column.cast(pa.decimal128(38, field.type.scale))
        return column.cast(field.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
        raise SchemaMismatch(
            f"column {field.name!r} is {field.type}, the data has {column.type}: {error}",
            column=field.name,
        ) from error


_LISTS: Final = (
    pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list, pa.types.is_list_view,
    pa.types.is_large_list_view,
)  # fmt: skip


def _nested(column: pa.Array, field: pa.Field) -> pa.Array:
    """Lists and structs, what is in them cast as columns are. Arrow's own cast makes up fields of
    a struct, and drops others."""
    kind = field.type
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_null(column.type):
        return pa.nulls(len(column), kind)
    if pa.types.is_list(kind) and any(is_kind(column.type) for is_kind in _LISTS):
        if not pa.types.is_list(column.type):
            column = column.cast(pa.list_(column.type.value_type))
        elements = _inner(column.flatten(), field.with_type(kind.value_type))
        sizes = pc.fill_null(pc.list_value_length(column), 0)
        offsets = pa.concat_arrays([pa.array([0], pa.int32()), pc.cumulative_sum(sizes)])
        return pa.ListArray.from_arrays(offsets, elements, type=kind, mask=column.is_null())
    if not (pa.types.is_struct(kind) and pa.types.is_struct(column.type)):
        raise ValueError("it is of another shape")
    if sorted(column.type.names) != sorted(kind.names):
        raise ValueError(f"its fields are {', '.join(column.type.names)}")
    given = dict(zip(column.type.names, column.flatten(), strict=True))
    fields = [_inner(given[part.name], field.with_type(part.type)) for part in kind]
    return pa.StructArray.from_arrays(fields, fields=list(kind), mask=column.is_null())


def _inner(column: pa.Array, field: pa.Field) -> pa.Array:
    return cast_column(pa.chunked_array([column]), field).combine_chunks()


def _column(table: pa.Table, field: pa.Field, *, needed: bool) -> pa.ChunkedArray:
    if field.name not in table.column_names:
        if needed:
            raise SchemaMismatch(
                f"the data has no column {field.name!r}, which may not be null", column=field.name
            )
        return pa.chunked_array([pa.nulls(table.num_rows, field.type)])
    column = cast_column(table.column(field.name), field)
    if needed and column.null_count:
        raise SchemaMismatch(
            f"column {field.name!r} may not be null, the data has {column.null_count} nulls",
            column=field.name,
        )
    return column


def column_of_values(values: list[Any], field: pa.Field) -> pa.Array:
    """Python's values in the field's type, None for null; whether that is allowed is not asked.

    Raises:
        SchemaMismatch: a value is not of the type, or would be cut to fit it.
    """
    try:
        if pa.types.is_nested(field.type):
            return _nested_values(values, field)
        if field.type == _UUID_TYPE:
            values = [getattr(value, "bytes", value) for value in values]
            if any(isinstance(value, str) for value in values):
                return _uuids(pa.chunked_array([pa.array(values, pa.string())]))
        _refuse_cuts(values, field.type)
        return pa.array(values, field.type)
    except (
        pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, ValueError, OverflowError,
    ) as error:  # fmt: skip
        raise SchemaMismatch(
            f"column {field.name!r} is {field.type}: {error}", column=field.name
        ) from error


def _nested_values(values: list[Any], field: pa.Field) -> pa.Array:
    kind = field.type
    missing = pa.array([value is None for value in values], pa.bool_())
    if pa.types.is_list(kind):
        for value in values:
            if isinstance(value, str | bytes | Mapping) or not (value is None or _is_list(value)):
                raise ValueError(f"{value!r} is no list")
        sizes = [0 if value is None else len(value) for value in values]
        offsets = pa.array([0, *accumulate(sizes)], pa.int32())
        inside = [element for value in values if value is not None for element in value]
        elements = column_of_values(inside, field.with_type(kind.value_type))
        return pa.ListArray.from_arrays(offsets, elements, type=kind, mask=missing)
    for value in values:
        if value is not None and not isinstance(value, Mapping):
            raise ValueError(f"{value!r} is no mapping of field names to values")
        unknown = () if value is None else [name for name in value if name not in kind.names]
        if unknown:
            raise ValueError(f"it has no field {unknown[0]!r}")
    fields = [
        column_of_values(
            [None if value is None else value.get(part.name) for value in values],
            field.with_type(part.type),
        )
        for part in kind
    ]
    return pa.StructArray.from_arrays(fields, fields=list(kind), mask=missing)


def _is_list(value: Any) -> bool:
    """A list, a tuple, an array: something of a length whose elements have an order."""
    return hasattr(value, "__len__") and hasattr(value, "__getitem__")


def _refuse_cuts(values: list[Any], kind: pa.DataType) -> None:
    """Arrow cuts fractions and times of day off Python's values, and says nothing."""
    if pa.types.is_integer(kind):
        for value in values:
            is_fraction = isinstance(value, Decimal | Real) and not isinstance(value, Integral)
            if is_fraction and int(value) != value:
                raise ValueError(f"{value} is no integer")
    elif pa.types.is_date(kind):
        for value in values:
            if isinstance(value, datetime.datetime) and value.time() != datetime.time():
                raise ValueError(f"{value} is more than a date")


def _field(schema: pa.Schema, name: str) -> pa.Field:
    return _DIFF_FIELD if name == DIFF_COLUMN else schema.field(name)


def _uuids(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Text such as 123e4567-e89b-12d3-a456-426614174000 as 16 bytes each, in one decoding."""
    digits = pc.replace_substring(column.cast(pa.string()).combine_chunks(), "-", "")
    lengths = pc.utf8_length(digits)
    if pc.any(pc.not_equal(lengths, 32)).as_py():
        raise ValueError("a uuid has 32 hexadecimal digits")
    present = digits.drop_null()
    packed = bytes.fromhex("".join(present.to_pylist()))
    values = pa.Array.from_buffers(_UUID_TYPE, len(present), [None, pa.py_buffer(packed)])
    if not digits.null_count:
        return pa.chunked_array([values])
    valid = digits.is_valid()
    index = pc.subtract(pc.cumulative_sum(valid.cast(pa.int64())), 1)
    return pa.chunked_array([values.take(pc.if_else(valid, index, None))])


def unknown_columns(unknown: Sequence[str], schema: pa.Schema) -> SchemaMismatch:
    """What to raise of names that the collection does not have."""
    return SchemaMismatch(
        f"the collection has no column {', '.join(map(repr, unknown))};"
        f" it has {', '.join(schema.names)}",
        column=unknown[0],
    )
