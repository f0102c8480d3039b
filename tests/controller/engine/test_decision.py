"""Decisions are values: equal for equal findings, and complete in themselves."""

from __future__ import annotations

import pytest

from antiphon.controller.engine.decision import Refusal, Sync
from antiphon.protocol.command import SyncDecision


def test_a_decision_carries_its_reason_and_the_row_that_chose_it() -> None:
    made = [
        Sync(sync=SyncDecision.KEEP_UP, protocol_version=1, reason="at the head", code="at_head")
        for _ in range(2)
    ]
    assert made[0] == made[1]
    assert (made[0].code, made[0].reason) == ("at_head", "at the head")
    assert not made[0].verify_content, "content is in doubt only where a row says so"


def test_a_decision_does_not_change() -> None:
    refusal = Refusal(code="epoch_fenced", reason="refused because ours is 3")
    with pytest.raises(AttributeError):
        refusal.code = "other"  # type: ignore[misc]
