"""Positions: a suffix without gaps, a full set that ascends, then one by one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from antiphon.protocol.command import AllowCompaction, CommandSet, Schedule, UpdateConfiguration
from antiphon.protocol.exchange import Exchange
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.stage import Stage
from tests.protocol.scripts import (
    FRESH,
    SEASONED,
    T1,
    U1,
    U2,
    U3,
    complete,
    create,
    drop,
    live,
    numbered,
    peek,
    script,
    subscribe,
)

CONFIGURE = UpdateConfiguration(values={})


def at(stage: Stage, command_set: CommandSet = CommandSet.FULL) -> Exchange:
    facts = FRESH if command_set is CommandSet.FULL else SEASONED
    exchange = Exchange(facts)
    for sent in script(stage, facts, command_set):
        assert exchange.check(sent) is None
        exchange.advance(sent)
    return exchange


def test_a_full_set_ascends_with_gaps() -> None:
    exchange = at(Stage.INITIALIZATION)
    for sent in (numbered(3, create(U1)), numbered(9, create(U2))):
        assert exchange.check(sent) is None
        exchange.advance(sent)
    assert exchange.check(numbered(9, create(U3))) == "position 9 after 9"
    assert exchange.check(numbered(4, create(U3))) == "position 4 after 9"


def test_a_full_set_adopts_the_head_that_it_ends_with() -> None:
    exchange = at(Stage.INITIALIZATION)
    exchange.advance(numbered(3, create(U1)))
    assert exchange.check(live(complete(2))) == "position 3 is past the head 2"
    exchange.advance(live(complete(8)))
    assert (exchange.position, exchange.digest) == (8, b"d")
    assert exchange.check(numbered(9, CONFIGURE)) is None
    assert exchange.check(numbered(10, CONFIGURE)) == "position 10 right after 8"
    assert exchange.check(numbered(8, CONFIGURE)) == "position 8 right after 8"


def test_a_suffix_has_no_gaps_and_reaches_the_head() -> None:
    exchange = at(Stage.INITIALIZATION, CommandSet.SUFFIX)
    assert exchange.position == 5
    assert exchange.check(numbered(7, CONFIGURE)) == "position 7 right after 5"
    assert exchange.check(numbered(5, CONFIGURE)) == "position 5 right after 5"
    exchange.advance(numbered(6, CONFIGURE))
    assert exchange.check(live(complete(7))) == "the suffix ends at 6, not at the head 7"
    assert exchange.check(live(complete(6))) is None


def test_a_suffix_extends_what_the_replica_has() -> None:
    exchange = at(Stage.INITIALIZATION, CommandSet.SUFFIX)
    assert exchange.check(live(Schedule(collection=U1))) is None
    assert exchange.check(numbered(6, create(U1))) == "u1 exists already"
    back = AllowCompaction(collection=U1, frontier=Frontier(9))
    assert exchange.check(live(back)) == "compaction of u1 moves back from [10] to [9]"


def test_a_full_set_starts_from_nothing() -> None:
    facts = replace(SEASONED, session_id=SEASONED.session_id)
    exchange = Exchange(facts)
    for sent in script(Stage.INITIALIZATION, facts):
        exchange.advance(sent)
    assert exchange.position == 0
    assert exchange.check(live(Schedule(collection=U1))) == "there is no u1"
    assert exchange.check(numbered(1, create(U1))) is None


@pytest.mark.parametrize(
    ("sent", "problem"),
    [
        (live(create(U1)), "CreateDataflow without a position"),
        (live(CONFIGURE), "UpdateConfiguration without a position"),
        (live(drop(U1)), "AllowCompaction without a position"),
        (numbered(1, peek()), "Peek at position 1"),
        (numbered(1, subscribe()), "CreateDataflow at position 1"),
        (numbered(1, drop(T1)), "AllowCompaction at position 1"),
        (numbered(1, Schedule(collection=U1)), "Schedule at position 1"),
        (numbered(1, complete(1)), "InitializationComplete at position 1"),
        (
            numbered(1, AllowCompaction(collection=U1, frontier=Frontier(9))),
            "AllowCompaction at position 1",
        ),
    ],
    ids=str,
)
def test_numbered_commands_have_a_position_and_no_others(sent: object, problem: str) -> None:
    exchange = at(Stage.INITIALIZATION)
    assert exchange.check(sent) == problem  # type: ignore[arg-type]


def test_framing_has_no_position() -> None:
    exchange = at(Stage.READ_ONLY)
    (*_, allow) = script(Stage.READ_WRITE)
    assert exchange.check(replace(allow, position=1)) == "AllowWrites at position 1"
