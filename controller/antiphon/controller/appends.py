"""Appended columns, checked against the collection and brought into its order and types.

A client may send its columns in any order and in a type of the same family that loses nothing:
narrower integers, larger offsets, dictionaries. Anything else is refused whole, by name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from antiphon.controller.catalog import CatalogItem, ItemKind
from antiphon.controller.sql.statements.change import change_schema
from antiphon.controller.sql.statements.text_lengths import fitted_columns
from antiphon.protocol.buffers import values_of
from antiphon.protocol.delta import DIFF_COLUMN
from antiphon.protocol.errors import (
    ConstraintViolation,
    InvalidArgument,
    LimitExceeded,
    SchemaMismatch,
)
from antiphon.protocol.limits import APPEND_BYTES_MAX, APPEND_COPIES_MAX, APPEND_ROWS_MAX
from antiphon.protocol.schema import DECIMAL_PRECISION_MAX, Column, arrow_type

APPENDABLE: Final = (ItemKind.TABLE, ItemKind.FEED)


def prepare(item: CatalogItem, sent: pa.Table) -> pa.RecordBatch:
    """One batch of the item's columns, then `antiphon_diff`.

    Raises:
        InvalidArgument: it is not a table or a feed, or a diff makes no sense there.
        SchemaMismatch: the columns are not those of the item.
        ConstraintViolation: an inserted row has a null where none is allowed, or a text that is too
            long.
        LimitExceeded: too many rows or bytes for one append.
    """
    check_appendable(item)
    _check_size(sent)
    _check_names(item, sent)
    if DIFF_COLUMN in sent.column_names:
        diffs = _diffs(item, sent)
        signs = None if pc.all(pc.greater(diffs, 0)).as_py() in (True, None) else diffs
    else:
        diffs, signs = pa.array(np.ones(sent.num_rows, dtype=np.int64)), None
    columns = [_column(item, wanted, sent, signs) for wanted in item.schema.columns]
    columns = fitted_columns(item, columns)
    return pa.RecordBatch.from_arrays([*columns, diffs], schema=change_schema(item.schema))


def check_appendable(item: CatalogItem) -> None:
    if item.kind not in APPENDABLE:
        raise InvalidArgument(f"rows are appended to tables and feeds, not to {item}")


def _check_size(sent: pa.Table) -> None:
    if sent.num_rows > APPEND_ROWS_MAX:
        raise LimitExceeded(
            f"{sent.num_rows} rows in one append, at most {APPEND_ROWS_MAX}: send several",
            limit="APPEND_ROWS_MAX",
        )
    bytes_count = sent.nbytes
    if bytes_count > APPEND_BYTES_MAX:
        raise LimitExceeded(
            f"{bytes_count} bytes in one append, at most {APPEND_BYTES_MAX}: send several",
            limit="APPEND_BYTES_MAX",
        )


def _check_names(item: CatalogItem, sent: pa.Table) -> None:
    names = sent.column_names
    if tuple(names) == item.schema.names:
        return  # as nearly always
    wanted = {*item.schema.names, DIFF_COLUMN}
    strange = [name for name in names if name not in wanted]
    if strange:
        raise SchemaMismatch(
            f'"{item.name}" has no column "{strange[0]}"', name=item.name, column=strange[0]
        )
    doubled = [name for name in names if names.count(name) > 1]
    if doubled:
        raise SchemaMismatch(f'the column "{doubled[0]}" comes twice', column=doubled[0])


def _diffs(item: CatalogItem, sent: pa.Table) -> pa.Array:
    diffs = _one(sent.column(DIFF_COLUMN))
    if not pt.is_integer(diffs.type):
        raise SchemaMismatch(f"{DIFF_COLUMN} is {diffs.type}, not int64", column=DIFF_COLUMN)
    diffs = diffs.cast(pa.int64())
    allowed = pc.is_in(diffs, pa.array([1, -1])) if item.kind is ItemKind.FEED else None
    wrong = diffs.null_count or pc.any(pc.equal(diffs, 0)).as_py()
    if wrong or (allowed is not None and not pc.all(allowed).as_py()):
        values = "1 or -1" if item.kind is ItemKind.FEED else "not 0"
        raise InvalidArgument(f"every {DIFF_COLUMN} must be {values}", column=DIFF_COLUMN)
    _check_copies(diffs)
    return diffs


def _check_copies(diffs: pa.Array) -> None:
    copies = float(np.abs(values_of(diffs).astype(np.float64)).sum())
    if copies > APPEND_COPIES_MAX:
        raise LimitExceeded(
            f"the {DIFF_COLUMN}s of one append add up to {copies:.0f} rows, at most "
            f"{APPEND_COPIES_MAX}",
            limit="APPEND_COPIES_MAX",
        )


def _column(item: CatalogItem, wanted: Column, sent: pa.Table, diffs: pa.Array | None) -> pa.Array:
    """`diffs` None: all rows are inserted."""
    kind = arrow_type(wanted.type)
    if wanted.name not in sent.column_names:
        values = pa.nulls(sent.num_rows, kind)
    else:
        values = _cast(item, wanted, _one(sent.column(wanted.name)), kind)
    if not wanted.nullable and values.null_count:
        # A feed's delete names its key alone, so its other columns are null.
        nulls = values.is_null()
        if diffs is not None:
            nulls = pc.and_(nulls, pc.greater(diffs, 0))
        if pc.any(nulls).as_py():
            raise ConstraintViolation(
                f'column "{wanted.name}" of "{item.name}" is NOT NULL, and a value is null',
                name=item.name,
                column=wanted.name,
            )
    return values


def _one(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _cast(item: CatalogItem, wanted: Column, values: pa.Array, kind: pa.DataType) -> pa.Array:
    if values.type == kind and not pt.is_list(kind):  # lists of other names are equal as well
        return values
    if pt.is_dictionary(values.type):
        values = values.dictionary_decode()
    try:
        if _are_both(_LISTS, values.type, kind):
            return _lists(item, wanted, values, kind)
        if pt.is_struct(values.type) and pt.is_struct(kind) and _has_fields(values.type, kind):
            fields = dict(zip(values.type.names, values.flatten(), strict=True))
            cast = [_cast(item, wanted, fields[field.name], field.type) for field in kind]
            return pa.StructArray.from_arrays(cast, fields=list(kind), mask=values.is_null())
        if _is_same_family(values.type, kind):
            if pt.is_integer(values.type) and pt.is_decimal(kind):
                # By way of all digits: else the cast asks for room that no value needs.
                values = values.cast(pa.decimal128(DECIMAL_PRECISION_MAX, kind.scale))
            return values.cast(kind, safe=True)
    except pa.ArrowInvalid as error:
        raise SchemaMismatch(
            f'column "{wanted.name}" of "{item.name}" is {wanted.type}: {error}',
            name=item.name,
            column=wanted.name,
        ) from error
    raise SchemaMismatch(
        f'column "{wanted.name}" of "{item.name}" is {wanted.type}, and {values.type} was sent',
        name=item.name,
        column=wanted.name,
        expected=str(kind),
        sent=str(values.type),
    )


_LISTS: Final = (
    pt.is_list, pt.is_large_list, pt.is_fixed_size_list, pt.is_list_view, pt.is_large_list_view,
)  # fmt: skip


def _lists(item: CatalogItem, wanted: Column, values: pa.Array, kind: pa.DataType) -> pa.Array:
    """Lists of whatever layout, their elements cast as columns are."""
    if not pt.is_list(values.type):
        values = values.cast(pa.list_(values.type.value_type))
    elements = _cast(item, wanted, values.flatten(), kind.value_type)
    sizes = pc.fill_null(pc.list_value_length(values), 0)
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), pc.cumulative_sum(sizes)])
    return pa.ListArray.from_arrays(offsets, elements, type=kind, mask=values.is_null())


def _has_fields(sent: pa.DataType, kind: pa.DataType) -> bool:
    """Whether the fields are the same, in whatever order: none is made up, none is lost."""
    return sorted(sent.names) == sorted(kind.names) and len(set(kind.names)) == len(kind.names)


def _are_both(family: Sequence[Callable[[pa.DataType], bool]], *kinds: pa.DataType) -> bool:
    return all(any(is_kind(kind) for is_kind in family) for kind in kinds)


def _is_same_family(sent: pa.DataType, kind: pa.DataType) -> bool:
    """Whether a safe cast keeps what the values mean."""
    if pt.is_null(sent):
        return True
    if pt.is_integer(kind):
        return bool(pt.is_integer(sent))
    if pt.is_floating(kind):
        return bool(pt.is_integer(sent) or pt.is_floating(sent))
    if pt.is_decimal(kind):
        return bool(pt.is_integer(sent) or pt.is_decimal(sent))
    families = (
        (pt.is_string, pt.is_large_string, pt.is_string_view),
        (pt.is_binary, pt.is_large_binary, pt.is_binary_view, pt.is_fixed_size_binary),
        (pt.is_date,),
    )
    if pt.is_timestamp(kind):
        return pt.is_timestamp(sent) and (sent.tz is None) == (kind.tz is None)
    return any(_are_both(family, sent, kind) for family in families)
