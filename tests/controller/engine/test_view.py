"""What the engine knows: who counts as up to date, and what counts as durable."""

from __future__ import annotations

from dataclasses import replace

import pytest

from antiphon.controller.engine.decision import Refusal, Sync
from antiphon.controller.engine.policy import Policy
from antiphon.controller.engine.session import Session, SessionRef, completed, failed, issue
from antiphon.controller.engine.view import EngineState, View, with_view
from antiphon.protocol.command import SyncDecision
from antiphon.protocol.ids import Position, ReplicaId, SessionId
from tests.controller.engine.facts import EPOCH, INSTANCE, R1, R2, R3, incarnation

REF = SessionRef(
    session_id=SessionId(1),
    kind=SyncDecision.REBUILD,
    epoch=EPOCH,
    incarnation=incarnation(1),
)
SESSION = issue(REF, start=Position(0), target=Position(9), now_ms=0)
KEEPS_UP = Sync(sync=SyncDecision.KEEP_UP, protocol_version=1, reason="keep-up because")
REBUILDS = Sync(sync=SyncDecision.REBUILD, protocol_version=1, reason="rebuild because")


def view(replica: ReplicaId = R1, durable: int = 0) -> View:
    return View(replica=replica, address="here", decision=KEEPS_UP, durable=Position(durable))


def state(*views: View, quorum: int = 1) -> EngineState:
    return EngineState(
        instance_id=INSTANCE, policy=Policy(durable_quorum=quorum), views=tuple(views)
    )


def test_up_to_date_is_who_keeps_up_or_has_completed() -> None:
    """Sync 23."""
    assert not View(replica=R1, address="here").is_synced
    assert view().is_synced
    assert not replace(view(), decision=REBUILDS).is_synced
    assert not replace(view(), decision=REBUILDS, session=SESSION).is_synced
    assert not replace(view(), decision=REBUILDS, session=failed(SESSION, "x")).is_synced
    assert not replace(view(), decision=Refusal(code="x", reason="x")).is_synced
    done = completed(SESSION, Position(9), base_complete=True)
    assert isinstance(done, Session)
    assert replace(view(), decision=REBUILDS, session=done).is_synced


@pytest.mark.parametrize(("quorum", "durable"), [(1, 9), (2, 7), (3, 4), (4, 0)])
def test_durable_is_what_a_quorum_has(quorum: int, durable: int) -> None:
    """Sync 17."""
    found = state(view(R1, 7), view(R2, 9), view(R3, 4), quorum=quorum)
    assert found.durable == durable


def test_who_is_being_rebuilt_does_not_count_as_durable() -> None:
    """Sync 23."""
    assert state(replace(view(R1, 9), session=SESSION), view(R2, 4)).durable == 4


def test_views_are_found_and_replaced_by_replica() -> None:
    found = state(view(R1), view(R2))
    changed = with_view(found, view(R2, 5))
    assert changed.view(R2) == view(R2, 5)
    assert changed.view(R1) == view(R1)
    assert changed.view(R3) is None
    assert found.last_session(R1) == 0
