"""Deltas survive the wire; a tail's batch covers what it lists."""

from __future__ import annotations

import pyarrow as pa
import pytest

from antiphon.protocol.codec.delta import (
    delta_from_proto,
    delta_to_proto,
    tail_batch_from_proto,
    tail_batch_to_proto,
)
from antiphon.protocol.codec.field import MalformedMessage
from antiphon.protocol.delta import ERROR_SCHEMA, Delta, delta_schema
from antiphon.protocol.frontier import CLOSED, Frontier
from antiphon.protocol.schema import INT64, TEXT, Column, Schema
from antiphon.v1 import collections_pb2 as pb
from tests.protocol.scripts import U1, U2

SCHEMA = Schema((Column(name="a", type=INT64), Column(name="b", type=TEXT)))
ROWS = pa.RecordBatch.from_pydict(
    {"a": [1, None], "b": ["x", "y"], "antiphon_time": [5, 6], "antiphon_diff": [1, -1]},
    schema=delta_schema(SCHEMA),
)
ERRORS = pa.RecordBatch.from_pydict(
    {
        "code": ["division_by_zero"],
        "message": ["1 / 0"],
        "expression": ["a / 0"],
        "antiphon_time": [5],
        "antiphon_diff": [1],
    },
    schema=ERROR_SCHEMA,
)
DELTA = Delta(rows=(ROWS,), errors=(ERRORS,))


def test_a_delta_survives() -> None:
    data = delta_to_proto(U1, DELTA).SerializeToString()
    assert delta_from_proto(pb.CollectionDelta.FromString(data), SCHEMA) == DELTA


def test_a_batch_of_another_schema_is_refused_by_name() -> None:
    other = Schema((Column(name="a", type=TEXT),) * 9)
    with pytest.raises(MalformedMessage) as caught:
        delta_from_proto(delta_to_proto(U1, DELTA), other)
    assert caught.value.path == "batches[0]"


def test_bytes_that_are_no_batch_are_refused_by_name() -> None:
    message = delta_to_proto(U1, DELTA)
    message.error_batches.append(b"nonsense")
    with pytest.raises(MalformedMessage) as caught:
        delta_from_proto(message, SCHEMA)
    assert caught.value.path == "error_batches[1]"


def test_a_tail_batch_survives() -> None:
    message = tail_batch_to_proto(Frontier(5), Frontier(7), {U1: DELTA, U2: Delta()})
    again = pb.TailBatch.FromString(message.SerializeToString())
    lower, upper, deltas = tail_batch_from_proto(again, {U1: SCHEMA, U2: SCHEMA}.get)
    assert (lower, upper) == (Frontier(5), Frontier(7))
    assert deltas == {U1: DELTA, U2: Delta()}


def test_a_collection_that_is_not_of_the_tail_is_refused() -> None:
    message = tail_batch_to_proto(Frontier(5), Frontier(7), {U1: Delta(), U2: Delta()})
    with pytest.raises(MalformedMessage, match=r"deltas\[1\].collection: 2 is not of this tail"):
        tail_batch_from_proto(message, {U1: SCHEMA}.get)


def test_a_collection_listed_twice_is_refused() -> None:
    message = tail_batch_to_proto(Frontier(5), Frontier(7), {U1: Delta()})
    message.deltas.append(message.deltas[0])
    with pytest.raises(MalformedMessage, match="listed twice"):
        tail_batch_from_proto(message, {U1: SCHEMA}.get)


def test_an_interval_does_not_go_back() -> None:
    message = tail_batch_to_proto(CLOSED, Frontier(7), {})
    with pytest.raises(MalformedMessage, match=r"upper: \[7\] is before \[\]"):
        tail_batch_from_proto(message, {U1: SCHEMA}.get)
