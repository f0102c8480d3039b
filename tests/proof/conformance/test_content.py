"""What is encoded is decoded again, and sums tell what is there."""

from __future__ import annotations

from collections import Counter

import pytest

from antiphon.proof.conformance.content import (
    changes_of,
    delta_of,
    digest,
    key_stream,
    rows_of,
    summed,
)
from antiphon.protocol.delta import encode_batch
from antiphon.protocol.errors import SchemaMismatch

CHANGES = [((1, "a"), 5, 1), ((2, None), 6, -1)]


def test_changes_survive_the_wire() -> None:
    encoded = [encode_batch(batch) for batch in delta_of(CHANGES).rows]
    assert changes_of(encoded) == CHANGES


def test_a_digest_depends_on_the_rows_and_how_often_they_are_there() -> None:
    once, twice = Counter({(1, "a"): 1, (2, "b"): 1}), Counter({(1, "a"): 2})
    assert digest(once) == digest(Counter({(2, "b"): 1, (1, "a"): 1}))
    assert len({digest(once), digest(twice), digest(Counter())}) == 3
    assert digest(Counter()) == bytes(16)


def test_nothing_is_no_batch() -> None:
    delta = delta_of([])
    assert (delta.rows, delta.errors) == ((), ())


def test_errors_travel_beside_the_rows() -> None:
    (errors,) = delta_of([], [("bad", 7, -1)]).errors
    assert errors.to_pylist() == [
        {
            "code": "bad",
            "message": "a bad",
            "expression": "k",
            "antiphon_time": 7,
            "antiphon_diff": -1,
        }
    ]


def test_batches_of_another_schema_are_refused() -> None:
    with pytest.raises(SchemaMismatch):
        rows_of([b"no batch at all"])


def test_a_sum_stops_at_its_time_and_keeps_what_is_negative() -> None:
    assert summed(CHANGES, 5) == Counter({(1, "a"): 1})
    assert summed(CHANGES)[(2, None)] == -1
    assert summed([*CHANGES, ((1, "a"), 7, -1)]) == Counter({(2, None): -1})


def test_a_stream_of_no_keys_is_a_stream() -> None:
    assert key_stream([]) != b""
