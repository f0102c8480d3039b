"""What a replica needs when it connects: refused, or rebuilt, always with a reason."""

from __future__ import annotations

from dataclasses import replace

import pytest

from antiphon.controller.engine.decision import Observation, Refusal, Sync, decide
from antiphon.protocol.command import SyncDecision
from antiphon.protocol.facts import ReplicaFacts
from antiphon.protocol.ids import (
    Epoch,
    HistoryId,
    Incarnation,
    InstanceId,
    Position,
    ReplicaId,
)
from antiphon.protocol.version import SPOKEN, VersionRange

OURS = HistoryId(b"h" * 16)
NEW = ReplicaFacts(replica=ReplicaId("r1"), incarnation=Incarnation(b"i" * 16), versions=SPOKEN)
KNOWN = replace(
    NEW,
    instance_id=InstanceId(7),
    history_id=OURS,
    highest_epoch=Epoch(3),
    applied_position=Position(5),
    command_digest=b"d" * 32,
)


def observe(facts: ReplicaFacts) -> Observation:
    return Observation(
        facts=facts,
        instance_id=InstanceId(7),
        history_id=OURS,
        epoch=Epoch(3),
        head=Position(5),
        head_digest=b"d" * 32,
    )


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (NEW, "it is new"),
        (replace(KNOWN, history_id=HistoryId(b"x" * 16)), "its history is"),
        (replace(KNOWN, applied_position=Position(9)), "beyond the head 5"),
        (KNOWN, "at the head 5"),
        (replace(KNOWN, command_digest=b"e" * 32), "digest differs"),
        (replace(KNOWN, applied_position=Position(2)), "position 2 of 5"),
    ],
)
def test_this_version_rebuilds_and_says_what_it_found(facts: ReplicaFacts, reason: str) -> None:
    decision = decide(observe(facts))
    assert isinstance(decision, Sync)
    assert decision.sync is SyncDecision.REBUILD
    assert decision.reason.startswith("rebuild because ")
    assert reason in decision.reason
    assert decision.protocol_version == SPOKEN.max


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        (replace(KNOWN, instance_id=InstanceId(8)), "instance_mismatch"),
        (replace(KNOWN, highest_epoch=Epoch(4)), "epoch_fenced"),
        (replace(KNOWN, versions=VersionRange(min=98, max=99)), "version_mismatch"),
    ],
)
def test_strangers_and_the_fenced_are_refused(facts: ReplicaFacts, code: str) -> None:
    decision = decide(observe(facts))
    assert isinstance(decision, Refusal)
    assert decision.code == code
    assert decision.reason.startswith("refused because ")
