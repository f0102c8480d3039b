"""The closed sets, and the words in which a decision is recorded."""

from __future__ import annotations

from typing import get_args

from antiphon.controller.engine.event import EVENTS, Event
from tests.controller.engine.facts import R1, Run, acked, assigned, at


def test_there_are_seven_events() -> None:
    assert set(get_args(Event)) == set(EVENTS)
    assert len(EVENTS) == 7


def test_a_decision_is_said_everywhere_as_it_was_worded() -> None:
    run = Run(assigned(R1))
    run.now_ms = 1_234
    (decided,) = run.feed(acked(at(7))).decided
    assert (decided.at_ms, decided.session_id) == (1_234, 1)
    assert str(decided) == f"r1: {decided.decision.reason}"
    assert str(decided) == "r1: catch-up because it is at position 7 of 10: it missed 3 commands"
