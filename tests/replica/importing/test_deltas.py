"""Deltas between the wire and the engine."""

from __future__ import annotations

import pytest

from antiphon.protocol.errors import SchemaMismatch
from antiphon.protocol.schema import INT64, Column, Schema
from antiphon.replica.importing.deltas import decode, encode
from antiphon.replica.ports import EncodedDelta
from tests.replica.scripted import PAIRS, changes_of, delta, error_delta


def test_a_delta_is_split_by_time_and_put_together_again() -> None:
    sent = delta(((1, "a"), 5, 1), ((2, "b"), 5, 2), ((1, "a"), 7, -1))
    ticks = decode(sent, PAIRS)
    assert [(time, change.row_count) for time, change in ticks] == [(5, 2), (7, 1)]
    again = encode(PAIRS, ticks)
    assert sorted(changes_of(again.rows)) == sorted(changes_of(sent.rows))


def test_what_cancels_within_a_time_is_not_sent() -> None:
    ticks = decode(delta(((1, "a"), 5, 1), ((1, "a"), 5, -1)), PAIRS)
    assert encode(PAIRS, ticks) == EncodedDelta()


def test_errors_travel_beside_rows() -> None:
    ((time, change),) = decode(error_delta("division_by_zero", 5), PAIRS)
    assert time == 5
    assert change.row_count == 0
    assert change.errors is not None
    assert encode(PAIRS, [(time, change)]).errors


def test_batches_of_another_schema_are_refused() -> None:
    other = Schema((Column(name="k", type=INT64),))
    with pytest.raises(SchemaMismatch):
        decode(EncodedDelta(rows=(b"junk",)), PAIRS)
    with pytest.raises(SchemaMismatch):
        decode(delta(((1, "a"), 5, 1)), other)
