"""The checks' commands are legal and say what their names say."""

from __future__ import annotations

from antiphon.proof.conformance.content import PAIRS
from antiphon.proof.conformance.dataflows import (
    above,
    constant,
    dataflow,
    divided,
    drop,
    feed,
    get,
    index,
    indexed,
    materialized,
    read,
    read_plan,
    subscribe,
    table,
    view,
)
from antiphon.protocol.codec import command_from_bytes, command_to_bytes, plan_from_bytes
from antiphon.protocol.command import IndexTarget
from antiphon.protocol.dataflow import CollectionKind, IndexExport, SubscribeExport
from antiphon.protocol.frontier import CLOSED
from antiphon.protocol.ids import CollectionId, PeekId, transient
from antiphon.protocol.plan import schema_of

TABLE, X, S, PEEK = CollectionId(1), CollectionId(7), transient(1), PeekId(bytes(16))


def test_every_command_survives_the_wire() -> None:
    for command in (
        index(X, table(TABLE)),
        view(X, feed(TABLE), until=30),
        subscribe(S, indexed(TABLE), with_snapshot=False),
        dataflow((), (X, IndexExport(key_columns=(0,))), plan=constant((1, "a"))),
        index(X, materialized(TABLE), plan=divided(get(TABLE), 6)),
        drop(X),
        read(PEEK, X, 15, keys=[1]),
        read_plan(PEEK, get(TABLE), (table(TABLE),), 15),
    ):
        assert command_from_bytes(command_to_bytes(command)) == command


def test_without_a_plan_a_dataflow_is_its_import() -> None:
    created = index(X, table(TABLE)).dataflow
    assert plan_from_bytes(created.plan) == get(TABLE)
    assert created.imports[0].kind is CollectionKind.TABLE


def test_every_plan_gives_pairs() -> None:
    types = PAIRS.types
    for plan in (get(TABLE), above(get(TABLE), 1), divided(get(TABLE), 6), constant((1, "a"))):
        assert schema_of(plan).types == types


def test_a_drop_is_compaction_to_the_end() -> None:
    assert drop(X).frontier == CLOSED


def test_no_keys_and_keys_that_are_none_differ() -> None:
    without, empty = read(PEEK, X, 15).target, read(PEEK, X, 15, keys=[]).target
    assert isinstance(without, IndexTarget)
    assert isinstance(empty, IndexTarget)
    assert without.keys is None
    assert empty.keys


def test_a_subscribe_keeps_its_choice_of_snapshot() -> None:
    kind = subscribe(S, table(TABLE), with_snapshot=False).dataflow.exports[0].kind
    assert kind == SubscribeExport(with_snapshot=False)
