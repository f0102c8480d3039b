"""From what an UPDATE, a DELETE or an INSERT read to the rows that it appends."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from antiphon.controller.catalog import CatalogItem, ItemKind
from antiphon.controller.sql.statement import Delete, InsertSelect, Merge, Update
from antiphon.protocol.delta import DIFF_COLUMN
from antiphon.protocol.errors import ConstraintViolation
from antiphon.protocol.schema import Schema, arrow_schema

_DIFF_FIELD = pa.field(DIFF_COLUMN, pa.int64(), nullable=False)


def change_schema(schema: Schema) -> pa.Schema:
    """The columns, then `antiphon_diff`: what an append carries."""
    return pa.schema([*arrow_schema(schema), _DIFF_FIELD])


def signed_rows(item: CatalogItem, columns: Sequence[pa.Array], diff: int) -> pa.RecordBatch:
    """The columns with one diff for all rows.

    Raises:
        ConstraintViolation: an inserted row has a null where the item allows none.
    """
    if diff > 0:
        _check_nulls(item, columns)
    count = len(columns[0])
    diffs = pa.array(np.full(count, diff, dtype=np.int64))
    return pa.RecordBatch.from_arrays([*columns, diffs], schema=change_schema(item.schema))


def inserted_rows(statement: InsertSelect, answer: pa.RecordBatch) -> pa.RecordBatch:
    return signed_rows(statement.item, answer.columns, 1)


def deleted_rows(statement: Delete, answer: pa.RecordBatch) -> pa.RecordBatch:
    """A feed: deletes by key, other columns null."""
    item = statement.item
    if item.kind is not ItemKind.FEED:
        return signed_rows(item, answer.columns, -1)
    columns = [
        column if index in item.key_columns else pa.nulls(answer.num_rows, column.type)
        for index, column in enumerate(answer.columns)
    ]
    return signed_rows(item, columns, -1)


def updated_rows(statement: Update, answer: pa.RecordBatch) -> pa.RecordBatch:
    """A table: the old rows at -1, then the new ones at +1. A feed: upserts of the new ones."""
    item = statement.item
    width = len(item.schema)
    assert answer.num_columns == 2 * width, f"{answer.num_columns} columns for {width}"
    inserts = signed_rows(item, answer.columns[width:], 1)
    if item.kind is ItemKind.FEED:
        return inserts
    deletes = signed_rows(item, answer.columns[:width], -1)
    table = pa.Table.from_batches([deletes, inserts]).combine_chunks()
    batches = table.to_batches()
    return batches[0] if batches else deletes


def merged_rows(statement: Merge, answer: pa.RecordBatch) -> pa.RecordBatch:
    """A table: the old rows at -1 where there were any, then the new ones at +1. A feed: upserts
    of the new ones.

    Raises:
        ConstraintViolation: two rows that come have one key.
    """
    item = statement.item
    width = len(item.schema)
    assert answer.num_columns == 1 + 2 * width, f"{answer.num_columns} columns for {width}"
    future = answer.columns[1 + width :]
    _check_keys(item, future)
    inserts = signed_rows(item, future, 1)
    if item.kind is ItemKind.FEED:
        return inserts
    were = answer.filter(answer.column(0)).columns[1 : 1 + width]
    deletes = signed_rows(item, were, -1)
    table = pa.Table.from_batches([deletes, inserts]).combine_chunks()
    batches = table.to_batches()
    return batches[0] if batches else deletes


def _check_keys(item: CatalogItem, columns: Sequence[pa.Array]) -> None:
    names = [item.schema.columns[index].name for index in item.key_columns]
    keys = pa.table([columns[index] for index in item.key_columns], names=names)
    if keys.group_by(names).aggregate([]).num_rows < keys.num_rows:
        raise ConstraintViolation(
            f'two rows for "{item.name}" have the same key ({", ".join(names)}), and ON CONFLICT '
            "DO UPDATE changes a row once; leave one of them out",
            name=item.name,
        )


def _check_nulls(item: CatalogItem, columns: Sequence[pa.Array]) -> None:
    for column, values in zip(item.schema.columns, columns, strict=True):
        if not column.nullable and values.null_count:
            raise ConstraintViolation(
                f'column "{column.name}" of "{item.name}" is NOT NULL, and the value is null',
                column=column.name,
                name=item.name,
            )
