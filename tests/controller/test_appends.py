"""Appended columns: brought into order and type, or refused by name."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pytest

from antiphon.controller import appends
from antiphon.controller.appends import prepare
from antiphon.controller.catalog import CatalogItem, ItemKind
from antiphon.protocol.errors import (
    ComputeError,
    ConstraintViolation,
    InvalidArgument,
    LimitExceeded,
    SchemaMismatch,
)
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.schema import (
    DATE,
    FLOAT64,
    INT64,
    TEXT,
    TIMESTAMP,
    Column,
    Schema,
    decimal,
    list_of,
    struct_of,
)

PAIR = struct_of(Column(name="n", type=INT64), Column(name="w", type=list_of(TEXT)))
SCHEMA = Schema(
    (
        Column(name="k", type=INT64, nullable=False),
        Column(name="s", type=TEXT),
    )
)


def item(kind: ItemKind = ItemKind.TABLE, schema: Schema = SCHEMA) -> CatalogItem:
    return CatalogItem(id=CollectionId(1), name="t", kind=kind, schema=schema, key_columns=(0,))


def one(**columns: pa.Array) -> pa.Table:
    return pa.table(columns)


def test_columns_are_ordered_and_a_diff_is_added() -> None:
    batch = prepare(item(), pa.table({"s": ["a", None], "k": [1, 2]}))
    assert batch.to_pydict() == {"k": [1, 2], "s": ["a", None], "antiphon_diff": [1, 1]}


def test_an_absent_column_is_null_where_that_is_allowed() -> None:
    assert prepare(item(), pa.table({"k": [1]})).column("s").to_pylist() == [None]
    with pytest.raises(ConstraintViolation, match='"k"'):
        prepare(item(), pa.table({"s": ["a"]}))


def test_nothing_is_an_append_too() -> None:
    schema = pa.schema([("k", pa.int64()), ("s", pa.string())])
    assert prepare(item(), schema.empty_table()).num_rows == 0


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (INT64, pa.array([1], pa.int16())),
        (INT64, pa.array([1], pa.uint32())),
        (FLOAT64, pa.array([1.5], pa.float32())),
        (FLOAT64, pa.array([1], pa.int32())),
        (decimal(10, 2), pa.array([1], pa.int64())),
        (decimal(10, 2), pa.array([Decimal("1.5")], pa.decimal128(5, 1))),
        (TEXT, pa.array(["a"], pa.large_string())),
        (TEXT, pa.array(["a"]).dictionary_encode()),
        (TEXT, pa.nulls(1)),
        (DATE, pa.array([0], pa.date64())),
        (TIMESTAMP, pa.array([1_000], pa.timestamp("ns"))),
        (list_of(INT64), pa.nulls(1)),
        (list_of(INT64), pa.array([[1, None]], pa.list_(pa.int16()))),
        (list_of(INT64), pa.array([[1]], pa.large_list(pa.int64()))),
        (list_of(INT64), pa.array([[1, 2]], pa.list_(pa.int8(), 2))),
        (list_of(TEXT), pa.array([["a"]], pa.list_(pa.dictionary(pa.int8(), pa.string())))),
        (list_of(PAIR), pa.array([[{"n": 1, "w": ["x"]}]])),
    ],
)
def test_a_type_of_the_same_family_that_loses_nothing_is_taken(
    kind: object, values: pa.Array
) -> None:
    schema = Schema((Column(name="x", type=kind),))  # type: ignore[arg-type]
    assert prepare(item(schema=schema), one(x=values)).num_rows == 1


def test_lists_and_structs_keep_what_is_in_them() -> None:
    schema = Schema(
        (Column(name="a", type=list_of(INT64)), Column(name="s", type=PAIR)),
    )
    lists = [None, [1, None], [], [2]]
    structs = [{"w": None, "n": 3}, None, {"w": ["x", None], "n": None}, {"w": [], "n": 4}]
    sent = pa.table({"a": pa.array(lists, pa.large_list(pa.int16())), "s": pa.array(structs)})
    for rows in (sent, sent.slice(1, 3)):
        batch = prepare(item(schema=schema), rows)
        assert batch.schema.field("a").type == pa.list_(pa.int64())
        assert batch.drop_columns(["antiphon_diff"]).to_pylist() == rows.to_pylist()


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (INT64, pa.array(["1"])),
        (INT64, pa.array([1.0])),
        (INT64, pa.array([2**64 - 1], pa.uint64())),
        (TEXT, pa.array([1])),
        (DATE, pa.array([0], pa.int32())),
        (TIMESTAMP, pa.array([1], pa.timestamp("ns"))),
        (TIMESTAMP, pa.array([1_000], pa.timestamp("us", "UTC"))),
        (decimal(3, 1), pa.array([Decimal("123.45")])),
        (list_of(INT64), pa.array([["1"]])),
        (list_of(INT64), pa.array([1])),
        (list_of(TEXT), pa.array([[1]])),
        (PAIR, pa.array([{"n": 1}])),
        (PAIR, pa.array([{"n": 1, "w": ["x"], "z": 2}])),
        (PAIR, pa.array([{"n": "1", "w": ["x"]}])),
        (PAIR, pa.array([[1]])),
    ],
)
def test_anything_else_is_refused_by_name(kind: object, values: pa.Array) -> None:
    schema = Schema((Column(name="x", type=kind),))  # type: ignore[arg-type]
    with pytest.raises(SchemaMismatch) as caught:
        prepare(item(schema=schema), one(x=values))
    assert caught.value.details["column"] == "x"


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (pa.table({"k": [1], "z": [1]}), SchemaMismatch),
        (pa.Table.from_arrays([pa.array([1]), pa.array([1])], ["k", "k"]), SchemaMismatch),
        (pa.table({"k": [1], "antiphon_diff": [0]}), InvalidArgument),
        (pa.table({"k": [1], "antiphon_diff": [None]}), SchemaMismatch),
        (pa.table({"k": [1], "antiphon_diff": ["1"]}), SchemaMismatch),
        (pa.table({"k": [None], "s": ["a"]}), SchemaMismatch),
    ],
)
def test_nonsense_is_refused(sent: pa.Table, error: type[ComputeError]) -> None:
    with pytest.raises((error, ConstraintViolation)):
        prepare(item(), sent)


def test_a_table_takes_any_multiplicity_and_a_feed_only_upserts_and_deletes() -> None:
    twice = pa.table({"k": [1], "antiphon_diff": [2]})
    assert prepare(item(), twice).column("antiphon_diff").to_pylist() == [2]
    with pytest.raises(InvalidArgument):
        prepare(item(ItemKind.FEED), twice)


def test_a_feeds_delete_names_its_key_alone() -> None:
    schema = Schema((*SCHEMA.columns, Column(name="v", type=INT64, nullable=False)))
    feed = item(ItemKind.FEED, schema)
    delete = pa.table({"k": [1], "antiphon_diff": [-1]})
    assert prepare(feed, delete).column("v").to_pylist() == [None]
    with pytest.raises(ConstraintViolation):
        prepare(feed, pa.table({"k": [1, 2], "antiphon_diff": [-1, 1]}))


def test_only_tables_and_feeds_are_appended_to() -> None:
    with pytest.raises(InvalidArgument):
        prepare(item(ItemKind.VIEW), pa.table({"k": [1]}))


def test_an_append_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(appends, "APPEND_ROWS_MAX", 2)
    with pytest.raises(LimitExceeded):
        prepare(item(), pa.table({"k": [1, 2, 3]}))
    monkeypatch.setattr(appends, "APPEND_COPIES_MAX", 5)
    assert prepare(item(), pa.table({"k": [1, 2], "antiphon_diff": [3, -2]})).num_rows == 2
    for diffs in ([3, -3], [-(2**63), 1]):
        with pytest.raises(LimitExceeded, match="antiphon_diffs of one append add up to"):
            prepare(item(), pa.table({"k": [1, 2], "antiphon_diff": diffs}))
    monkeypatch.setattr(appends, "APPEND_BYTES_MAX", 10)
    with pytest.raises(LimitExceeded):
        prepare(item(), pa.table({"k": [1, 2]}))
