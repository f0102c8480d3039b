"""From when dataflows start (number 81): a table of bounds and what is chosen within them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.controller.engine.as_of import Candidate, select
from antiphon.protocol.frontier import CLOSED, Frontier
from antiphon.protocol.ids import CollectionId

S, A, M = CollectionId(1), CollectionId(2), CollectionId(3)


def index(collection: CollectionId, *inputs: CollectionId, as_of: int = 0) -> Candidate:
    return Candidate(collection=collection, inputs=inputs, as_of=as_of)


def sink(
    collection: CollectionId, *inputs: CollectionId, upper: int | None, as_of: int = 0
) -> Candidate:
    shard = CLOSED if upper is None else Frontier(upper)
    return Candidate(collection=collection, inputs=inputs, as_of=as_of, shard_upper=shard)


@pytest.mark.parametrize(
    ("candidates", "lag", "chosen"),
    [
        # An index starts as late as its readers want.
        ((index(A, S),), 0, {A: 199}),
        ((index(A, S),), 30, {A: 169}),
        # A sink starts before its shard's upper, and what it reads starts no later.
        ((index(A, S), sink(M, A, upper=150)), 0, {A: 149, M: 149}),
        # A finished shard needs nothing.
        ((index(A, S), sink(M, A, upper=None)), 0, {A: 199, M: 199}),
        # An empty shard starts where it was created.
        ((sink(M, S, upper=1, as_of=120),), 0, {M: 120}),
        # What readers were promised is kept, even if it is later than the policy.
        ((index(A, S, as_of=190),), 30, {A: 190}),
        # Nothing starts before its input can be read.
        ((index(A, S),), 150, {A: 100}),
    ],
)
def test_the_latest_start_within_the_bounds(
    candidates: tuple[Candidate, ...], lag: int, chosen: dict[CollectionId, int]
) -> None:
    selection = select(candidates, {S: 100}, timeline_upper=200, retain_ms=lag)
    assert selection.as_of == chosen
    assert selection.conflicts == ()


def test_a_hard_conflict_yields_the_best_that_is_left_and_a_report() -> None:
    selection = select((sink(M, S, upper=90),), {S: 100}, timeline_upper=200, retain_ms=0)
    assert selection.as_of == {M: 100}
    assert len(selection.conflicts) == 1
    assert "u3" in selection.conflicts[0]


@given(st.data())
def test_every_start_is_readable_in_its_inputs(data: st.DataObject) -> None:
    upper = data.draw(st.integers(1, 100))
    tables = [CollectionId(number) for number in range(1, 4)]
    since = {table: data.draw(st.integers(0, upper - 1)) for table in tables}
    candidates: list[Candidate] = []
    for number in range(4, 4 + data.draw(st.integers(0, 6))):
        known = tables + [candidate.collection for candidate in candidates]
        inputs = data.draw(st.lists(st.sampled_from(known), min_size=1, max_size=3, unique=True))
        as_of = data.draw(st.integers(0, upper - 1))
        shard = data.draw(st.one_of(st.none(), st.integers(1, upper)))
        candidates.append(
            Candidate(
                collection=CollectionId(number),
                inputs=tuple(inputs),
                as_of=as_of,
                shard_upper=None if shard is None else Frontier(shard),
            )
        )
    selection = select(
        candidates, since, timeline_upper=upper, retain_ms=data.draw(st.integers(0, 50))
    )
    started = {**since, **selection.as_of}
    for candidate in candidates:
        assert started[candidate.collection] >= candidate.as_of
        for needed in candidate.inputs:
            assert started[candidate.collection] >= started[needed]


def test_what_a_named_hold_still_reads_starts_no_later_nor_what_it_stands_on() -> None:
    chain = (index(A, S), index(M, A))
    selection = select(chain, {S: 0}, timeline_upper=200, retain_ms=0, held={M: 150})
    assert selection.as_of == {A: 150, M: 150}
    promised = (index(A, S, as_of=160),)
    late = select(promised, {S: 0}, timeline_upper=200, retain_ms=0, held={A: 150})
    assert late.as_of == {A: 160}
