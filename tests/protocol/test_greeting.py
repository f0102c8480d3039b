"""Who may speak to a replica: the table of fencing, row by row."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.protocol.command import CommandSet, SyncDecision
from antiphon.protocol.errors import (
    AntiphonError,
    EpochFenced,
    InstanceMismatch,
    RemoteProtocolError,
    StaleFacts,
    VersionMismatch,
)
from antiphon.protocol.greeting import COMMAND_SETS, NOBODY, Incumbent, check_hello
from antiphon.protocol.ids import (
    ClaimId,
    Epoch,
    HistoryId,
    Incarnation,
    InstanceId,
    Position,
    ReplicaId,
    SessionId,
)
from tests.protocol.scripts import CLAIM, CONNECTION, FRESH, OTHER_CONNECTION, SEASONED, hello

FACTS = replace(SEASONED, highest_epoch=Epoch(7))
INCUMBENT = Incumbent(epoch=Epoch(7), claim_id=CLAIM, connection_id=OTHER_CONNECTION)


def test_a_newer_epoch_is_let_in() -> None:
    check_hello(replace(hello(FACTS), epoch=Epoch(8)), FACTS, INCUMBENT)


def test_the_same_claim_of_the_same_epoch_may_reconnect() -> None:
    check_hello(hello(FACTS), FACTS, INCUMBENT)


def test_a_newer_epoch_may_have_any_claim() -> None:
    newer = replace(hello(FACTS), epoch=Epoch(8), claim_id=ClaimId(b"x" * 16))
    check_hello(newer, FACTS, INCUMBENT)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"epoch": Epoch(6)}, EpochFenced),
        ({"claim_id": ClaimId(b"x" * 16)}, EpochFenced),
        ({"connection_id": OTHER_CONNECTION}, RemoteProtocolError),
        ({"protocol_version": 2}, VersionMismatch),
        ({"protocol_version": 2**31}, VersionMismatch),
        ({"replica": ReplicaId("r2")}, InstanceMismatch),
        ({"instance_id": InstanceId(2)}, InstanceMismatch),
        ({"expected_incarnation": Incarnation(b"x" * 16)}, StaleFacts),
        ({"expected_position": Position(4)}, StaleFacts),
        ({"expected_position": Position(6)}, StaleFacts),
        ({"session_id": SessionId(3)}, StaleFacts),
        ({"session_id": SessionId(2)}, StaleFacts),
        ({"decision": SyncDecision.KEEP_UP}, RemoteProtocolError),
        ({"decision": SyncDecision.CATCH_UP}, RemoteProtocolError),
        ({"command_set": CommandSet.SUFFIX}, RemoteProtocolError),
    ],
    ids=str,
)
def test_a_hello_that_does_not_hold_is_refused(
    change: dict[str, Any], error: type[AntiphonError]
) -> None:
    with pytest.raises(error):
        check_hello(replace(hello(FACTS), **change), FACTS, INCUMBENT)


def test_a_suffix_of_another_history_is_refused_a_full_set_is_not() -> None:
    other = HistoryId(b"x" * 16)
    check_hello(replace(hello(FACTS), history_id=other), FACTS, INCUMBENT)
    suffix = replace(hello(FACTS, CommandSet.SUFFIX), history_id=other)
    with pytest.raises(StaleFacts, match="another history"):
        check_hello(suffix, FACTS, INCUMBENT)


def test_a_replica_of_no_instance_takes_any() -> None:
    check_hello(replace(hello(FRESH), instance_id=InstanceId(9)), FRESH, NOBODY)


def test_a_fenced_controller_is_told_so_even_if_its_facts_are_old() -> None:
    old = replace(hello(FACTS), epoch=Epoch(1), expected_position=Position(0))
    with pytest.raises(EpochFenced) as caught:
        check_hello(old, FACTS, INCUMBENT)
    assert caught.value.details == {"epoch": "1", "highest": "7"}


def test_a_stranger_learns_nothing_of_epochs() -> None:
    stranger = replace(hello(FACTS), epoch=Epoch(1), instance_id=InstanceId(2))
    with pytest.raises(InstanceMismatch) as caught:
        check_hello(stranger, FACTS, INCUMBENT)
    assert "7" not in caught.value.message


@given(st.integers(1, 9), st.integers(1, 9), st.booleans())
def test_the_epoch_orders_and_the_claim_decides_a_tie(
    highest: int, speaking: int, same_claim: bool
) -> None:
    facts = replace(FACTS, highest_epoch=Epoch(highest))
    incumbent = Incumbent(epoch=Epoch(highest), claim_id=CLAIM)
    claim = CLAIM if same_claim else ClaimId(b"x" * 16)
    newcomer = replace(hello(facts), epoch=Epoch(speaking), claim_id=claim)
    if speaking > highest or (speaking == highest and same_claim):
        check_hello(newcomer, facts, incumbent)
    else:
        with pytest.raises(EpochFenced):
            check_hello(newcomer, facts, incumbent)


def test_every_decision_says_what_follows() -> None:
    assert set(COMMAND_SETS) == set(SyncDecision)
    for decision, command_set in COMMAND_SETS.items():
        check_hello(
            replace(hello(FACTS, command_set), decision=decision, connection_id=CONNECTION),
            FACTS,
            INCUMBENT,
        )
