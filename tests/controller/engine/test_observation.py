"""What can be told from facts: where a replica is, whose commands it has, what it may keep."""

from __future__ import annotations

from dataclasses import replace

import pytest

from antiphon.controller.engine.observation import maintained, reusable
from antiphon.protocol.facts import DataflowFacts, ReplicaFacts
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId, Position, transient
from tests.controller.engine.facts import OURS, at, dataflow, digest, new, observe, wanted


@pytest.mark.parametrize(
    ("position", "in_log"), [(3, False), (4, True), (5, True), (10, True), (11, False)]
)
def test_the_log_serves_whoever_is_at_its_edge(position: int, in_log: bool) -> None:
    """Sync 4."""
    seen = observe(at(position))
    assert seen.has_suffix is in_log
    assert in_log is (position + 1 >= seen.tail and position <= seen.head)


@pytest.mark.parametrize(
    ("facts", "agrees"),
    [
        (at(10), True),
        (at(7), True),
        (replace(at(10), command_digest=digest(10, "b")), False),
        (replace(at(7), command_digest=digest(7, "b")), False),
        (at(3), None),  # folded: nobody remembers
        (at(0), True),
        (replace(at(0), command_digest=b""), True),
        (new(), True),
    ],
)
def test_digests_are_compared_where_the_replica_is(
    facts: ReplicaFacts, agrees: bool | None
) -> None:
    assert observe(facts).digest_agrees is agrees


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (at(5), None),
        (new(), None),
        (replace(at(5), durable_position=Position(5)), None),
        (replace(at(5), durable_position=Position(6)), "its durable position 6 is beyond 5"),
        (replace(at(5), history_id=None), "it is at position 5 of no history"),
        (replace(at(5), command_digest=b""), "it is at position 5 and has no digest"),
    ],
)
def test_facts_that_cannot_all_be_true_are_found(facts: ReplicaFacts, words: str | None) -> None:
    assert observe(facts).contradiction == words


def test_ad_hoc_work_is_nothing_that_could_be_kept() -> None:
    subscribe = replace(dataflow(1), exports=(transient(1),))
    facts = replace(at(5), dataflows=(subscribe, dataflow(2)))
    assert maintained(facts) == {(CollectionId(2),): dataflow(2)}


@pytest.mark.parametrize(
    ("held", "kept"),
    [
        ((dataflow(1), dataflow(2)), [1, 2]),
        ((dataflow(2),), []),  # what it reads is built anew, so it is too
        ((dataflow(1, plan="changed"), dataflow(2)), []),
        ((dataflow(1, since=6), dataflow(2)), []),  # no longer readable where it is wanted
        ((dataflow(1, since=4), dataflow(2, since=6)), [1]),
        ((), []),
    ],
)
def test_a_dataflow_stays_if_all_it_stands_on_does(
    held: tuple[DataflowFacts, ...], kept: list[int]
) -> None:
    """Sync 29. Numbers 57, 59, 60: what the controller expects of a replica."""
    seen = observe(replace(at(3), dataflows=held), full=(wanted(1), wanted(2, imports=(1,))))
    assert [each.exports[0] for each in reusable(seen)] == kept


def test_what_restarts_with_every_connection_is_not_kept() -> None:
    seen = observe(at(3, holds=(1,)), full=(replace(wanted(1), restarts=True),))
    assert reusable(seen) == ()


def test_the_order_of_exports_does_not_matter() -> None:
    first, second = wanted(1).exports[0], wanted(2).exports[0]
    held = replace(dataflow(1), exports=(second, first))
    seen = observe(
        replace(at(3), dataflows=(held,)), full=(replace(wanted(1), exports=(first, second)),)
    )
    assert len(reusable(seen)) == 1


def test_a_replica_is_where_its_process_says() -> None:
    facts = replace(at(8), durable_position=Position(2), history_id=OURS)
    assert observe(facts).position == 8
    assert observe(facts).wanted[0].as_of == Frontier(5)
