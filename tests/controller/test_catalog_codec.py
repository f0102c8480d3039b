"""Items come back from their bytes; other bytes are refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.controller import named_holds
from antiphon.controller.catalog import CatalogItem, ColumnDefault, ColumnLength, ItemKind
from antiphon.controller.catalog_codec import (
    hold_from_bytes,
    hold_to_bytes,
    item_from_bytes,
    item_to_bytes,
    replica_from_bytes,
    replica_to_bytes,
)
from antiphon.controller.membership import FIRST_ROW, CatalogReplica
from antiphon.controller.named_holds import CatalogHold
from antiphon.protocol.codec.field import MalformedMessage
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId, ReplicaId
from antiphon.protocol.schema import INT32, TEXT, Column, Schema, decimal
from antiphon.v1 import catalog_pb2 as pb
from tests.controller.instance.machine import index

SCHEMA = Schema(
    (
        Column(name="a", type=INT32, nullable=False),
        Column(name="b", type=decimal(10, 2)),
        Column(name="c", type=TEXT),
    )
)
ids = st.integers(1, 2**63 - 1).map(CollectionId)


@st.composite
def items(draw: st.DrawFn) -> CatalogItem:
    kind = draw(st.sampled_from(ItemKind))
    return CatalogItem(
        id=draw(ids),
        name=draw(st.text(min_size=1, max_size=9)),
        kind=kind,
        schema=SCHEMA,
        key_columns=tuple(draw(st.lists(st.integers(0, 2), unique=True))),
        sql=draw(st.text(max_size=20)),
        plan=draw(st.binary(max_size=20)),
        depends_on=tuple(draw(st.lists(ids, max_size=3))),
        on=draw(ids) if kind is ItemKind.INDEX else None,
        created_at_ms=draw(st.integers(0, 2**60)),
        defaults=tuple(
            ColumnDefault(column=column, sql=draw(st.text(max_size=9)))
            for column in draw(st.lists(st.integers(0, 2), unique=True))
        ),
        lengths=tuple(
            ColumnLength(column=2, characters=characters)
            for characters in draw(st.lists(st.integers(1, 2**20), max_size=1))
        ),
    )


@given(items())
def test_an_item_comes_back_from_its_bytes(item: CatalogItem) -> None:
    assert item_from_bytes(item_to_bytes(item)) == item
    assert item_to_bytes(item) == item_to_bytes(item_from_bytes(item_to_bytes(item)))


def good() -> pb.CatalogItem:
    table = CatalogItem(id=CollectionId(1), name="t", kind=ItemKind.TABLE, schema=SCHEMA)
    return pb.CatalogItem.FromString(item_to_bytes(table))


@pytest.mark.parametrize(
    ("field", "value", "path"),
    [("id", 0, "id"), ("name", "", "name"), ("kind", 0, "kind"), ("on", 7, "on")],
)
def test_a_field_that_is_wrong_is_named(field: str, value: object, path: str) -> None:
    message = good()
    setattr(message, field, value)
    with pytest.raises(MalformedMessage) as caught:
        item_from_bytes(message.SerializeToString())
    assert caught.value.path == path


def test_a_key_beyond_the_schema_and_a_missing_schema_are_refused() -> None:
    message = good()
    message.key_columns.append(3)
    with pytest.raises(MalformedMessage, match="beyond"):
        item_from_bytes(message.SerializeToString())
    message = good()
    message.ClearField("schema")
    with pytest.raises(MalformedMessage, match="schema"):
        item_from_bytes(message.SerializeToString())


@given(st.binary(max_size=60))
def test_any_bytes_are_an_item_or_refused(data: bytes) -> None:
    try:
        item = item_from_bytes(data)
    except MalformedMessage:
        return
    assert item_from_bytes(item_to_bytes(item)) == item


REPLICA = CatalogReplica(
    row=FIRST_ROW, name=ReplicaId("r1"), address="h:1", read_only=True, created_at_ms=5
)


@pytest.mark.parametrize("read_only", [True, False])
@pytest.mark.parametrize("from_settings", [True, False])
@pytest.mark.parametrize("address", ["", "unix:/tmp/x"])
def test_replicas_come_back_as_they_were(
    read_only: bool, from_settings: bool, address: str
) -> None:
    replica = replace(REPLICA, read_only=read_only, from_settings=from_settings, address=address)
    assert replica_from_bytes(replica.row, replica_to_bytes(replica)) == replica


def test_a_replica_without_a_name_is_refused() -> None:
    with pytest.raises(MalformedMessage, match="name"):
        replica_from_bytes(FIRST_ROW, b"")


@given(st.binary(max_size=60))
def test_any_bytes_are_a_replica_or_refused(data: bytes) -> None:
    try:
        replica = replica_from_bytes(FIRST_ROW, data)
    except MalformedMessage:
        return
    assert replica_from_bytes(FIRST_ROW, replica_to_bytes(replica)) == replica


HOLD = CatalogHold(
    row=named_holds.FIRST_ROW, name="mine", target="SELECT 1", dataflow=index(7), time=5,
    created_at_ms=9,
)  # fmt: skip


@pytest.mark.parametrize("seen", [None, Frontier(6)])
@pytest.mark.parametrize("lost", ["", "its deadline passed"])
def test_holds_come_back_as_they_were(seen: Frontier | None, lost: str) -> None:
    hold = replace(HOLD, acknowledged=seen, lost=lost)
    assert hold_from_bytes(hold.row, hold_to_bytes(hold)) == hold


@given(st.binary(max_size=60))
def test_any_bytes_are_a_hold_or_refused(data: bytes) -> None:
    try:
        hold = hold_from_bytes(HOLD.row, data)
    except MalformedMessage:
        return
    assert hold_from_bytes(HOLD.row, hold_to_bytes(hold)) == hold
