"""From what an UPDATE, a DELETE or an INSERT read to the rows that it appends."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from antiphon.controller.catalog import CatalogItem, ItemKind
from antiphon.controller.sql.statement import Delete, InsertSelect, Merge, Update
from antiphon.controller.sql.statements.text_lengths import fitted_columns
from antiphon.history.revision import latest
from antiphon.protocol.delta import DIFF_COLUMN
from antiphon.protocol.errors import ConstraintViolation
from antiphon.protocol.row_hash import hash_rows
from antiphon.protocol.schema import Schema, arrow_schema

_DIFF_FIELD = pa.field(DIFF_COLUMN, pa.int64(), nullable=False)


def change_schema(schema: Schema) -> pa.Schema:
    """The columns, then `antiphon_diff`: what an append carries."""
    return pa.schema([*arrow_schema(schema), _DIFF_FIELD])


def signed_rows(item: CatalogItem, columns: Sequence[pa.Array], diff: int) -> pa.RecordBatch:
    """The columns with one diff for all rows.

    Raises:
        ConstraintViolation: an inserted row has a null where the item allows none, or a text that
            is too long.
    """
    if diff > 0:
        _check_nulls(item, columns)
        columns = fitted_columns(item, columns)
    count = len(columns[0])
    diffs = pa.array(np.full(count, diff, dtype=np.int64))
    return pa.RecordBatch.from_arrays([*columns, diffs], schema=change_schema(item.schema))


def inserted_rows(statement: InsertSelect, answer: pa.RecordBatch) -> pa.RecordBatch:
    return signed_rows(statement.item, _own(statement, answer), 1)


def returned_rows(
    statement: InsertSelect | Merge | Update | Delete, answer: pa.RecordBatch
) -> pa.RecordBatch | None:
    """What RETURNING says of the rows that were read to be written; None: it is not there."""
    if statement.returning is None:
        return None
    columns = answer.columns[answer.num_columns - len(statement.returning.schema) :]
    returned = pa.RecordBatch.from_arrays(columns, schema=arrow_schema(statement.returning.schema))
    if isinstance(statement, InsertSelect):
        return as_written(statement.item, answer.columns, returned)
    return returned


def as_written(
    item: CatalogItem, columns: Sequence[pa.Array], returned: pa.RecordBatch
) -> pa.RecordBatch:
    """What is returned of those of the inserted rows that stand: of a feed the last of each key."""
    if item.kind is not ItemKind.FEED:
        return returned
    places = pa.array(np.arange(returned.num_rows))
    names = [str(index) for index in range(len(item.key_columns) + 1)]
    keyed = pa.RecordBatch.from_arrays([*(columns[i] for i in item.key_columns), places], names)
    last = latest(keyed, tuple(range(len(item.key_columns)))).column(len(item.key_columns))
    return returned.take(last.take(pc.sort_indices(last)))


def _own(
    statement: InsertSelect | Merge | Update | Delete, answer: pa.RecordBatch
) -> list[pa.Array]:
    """The answer's columns without those of RETURNING."""
    returned = 0 if statement.returning is None else len(statement.returning.schema)
    own: list[pa.Array] = answer.columns[: answer.num_columns - returned]
    return own


def deleted_rows(statement: Delete, answer: pa.RecordBatch) -> pa.RecordBatch:
    """A feed: deletes by key, other columns null."""
    item = statement.item
    if item.kind is not ItemKind.FEED:
        return signed_rows(item, _own(statement, answer), -1)
    columns = [
        column if index in item.key_columns else pa.nulls(answer.num_rows, column.type)
        for index, column in enumerate(_own(statement, answer))
    ]
    return signed_rows(item, columns, -1)


def updated_rows(statement: Update, answer: pa.RecordBatch) -> pa.RecordBatch:
    """A table: the old rows at -1, then the new ones at +1. A feed: upserts of the new ones."""
    item = statement.item
    width = len(item.schema)
    own = _own(statement, answer)
    assert len(own) == 2 * width, f"{len(own)} columns for {width}"
    inserts = signed_rows(item, own[width:], 1)
    if item.kind is ItemKind.FEED:
        return inserts
    deletes = signed_rows(item, own[:width], -1)
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
    own = _own(statement, answer)
    assert len(own) == 1 + 2 * width, f"{len(own)} columns for {width}"
    future = own[1 + width :]
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
    words = np.stack(hash_rows([columns[index] for index in item.key_columns]))
    if np.unique(words, axis=1).shape[1] < words.shape[1]:
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
