"""Positions: a suffix without gaps, a full set that ascends, then one by one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from antiphon.protocol.command import (
    AllowCompaction,
    CommandSet,
    Schedule,
    Sent,
    UpdateConfiguration,
)
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


def take(exchange: Exchange, sent: Sent) -> str | None:
    """What it says, and that a refused one changes nothing."""
    before = repr(exchange)
    problem = exchange.take(sent)
    assert problem is None or repr(exchange) == before
    return problem


def at(stage: Stage, command_set: CommandSet = CommandSet.FULL) -> Exchange:
    facts = FRESH if command_set is CommandSet.FULL else SEASONED
    exchange = Exchange(facts)
    for sent in script(stage, facts, command_set):
        assert take(exchange, sent) is None
    return exchange


def test_a_full_set_ascends_with_gaps() -> None:
    exchange = at(Stage.INITIALIZATION)
    for sent in (numbered(3, create(U1)), numbered(9, create(U2))):
        assert take(exchange, sent) is None
    assert take(exchange, numbered(9, create(U3))) == "position 9 after 9"
    assert take(exchange, numbered(4, create(U3))) == "position 4 after 9"


def test_a_full_set_adopts_the_head_that_it_ends_with() -> None:
    exchange = at(Stage.INITIALIZATION)
    assert take(exchange, numbered(3, create(U1))) is None
    assert take(exchange, live(complete(2))) == "position 3 is past the head 2"
    assert take(exchange, live(complete(8))) is None
    assert (exchange.position, exchange.digest) == (8, b"d")
    assert take(exchange, numbered(10, CONFIGURE)) == "position 10 right after 8"
    assert take(exchange, numbered(8, CONFIGURE)) == "position 8 right after 8"
    assert take(exchange, numbered(9, CONFIGURE)) is None


def test_a_suffix_has_no_gaps_and_reaches_the_head() -> None:
    exchange = at(Stage.INITIALIZATION, CommandSet.SUFFIX)
    assert exchange.position == 5
    assert take(exchange, numbered(7, CONFIGURE)) == "position 7 right after 5"
    assert take(exchange, numbered(5, CONFIGURE)) == "position 5 right after 5"
    assert take(exchange, numbered(6, CONFIGURE)) is None
    assert take(exchange, live(complete(7))) == "the suffix ends at 6, not at the head 7"
    assert take(exchange, live(complete(6))) is None


def test_a_suffix_extends_what_the_replica_has() -> None:
    exchange = at(Stage.INITIALIZATION, CommandSet.SUFFIX)
    assert take(exchange, live(Schedule(collection=U1))) is None
    assert take(exchange, numbered(6, create(U1))) == "u1 exists already"
    back = AllowCompaction(collection=U1, frontier=Frontier(9))
    assert take(exchange, live(back)) == "compaction of u1 moves back from [10] to [9]"


def test_a_full_set_starts_from_nothing() -> None:
    facts = replace(SEASONED, session_id=SEASONED.session_id)
    exchange = Exchange(facts)
    for sent in script(Stage.INITIALIZATION, facts):
        assert take(exchange, sent) is None
    assert exchange.position == 0
    assert take(exchange, live(Schedule(collection=U1))) == "there is no u1"
    assert take(exchange, numbered(1, create(U1))) is None


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
    assert take(exchange, sent) == problem  # type: ignore[arg-type]


def test_framing_has_no_position() -> None:
    exchange = at(Stage.READ_ONLY)
    (*_, allow) = script(Stage.READ_WRITE)
    assert take(exchange, numbered(1, allow.command)) == "AllowWrites at position 1"
