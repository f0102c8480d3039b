"""Budgets and thresholds that contradict themselves are refused where they are made."""

from __future__ import annotations

import pytest

from antiphon.controller.engine.policy import BUDGETS, DEFAULT, Budget, Policy
from antiphon.history.retention import Bounds
from antiphon.protocol.command import SyncDecision


def test_a_catch_up_may_send_whatever_a_pin_may_keep() -> None:
    assert BUDGETS[SyncDecision.CATCH_UP].entries_max == Bounds().entries_max
    assert DEFAULT.bounds == Bounds()


def test_keeping_up_has_no_end() -> None:
    assert BUDGETS[SyncDecision.KEEP_UP] == Budget()


def test_a_budget_is_not_negative() -> None:
    with pytest.raises(AssertionError):
        Budget(duration_ms_max=-1)


def test_the_cheaper_remedy_is_tried_first() -> None:
    with pytest.raises(AssertionError):
        Policy(failures_before_reconcile=3, failures_before_rebuild=3)
    with pytest.raises(AssertionError):
        Policy(durable_quorum=0)
    with pytest.raises(AssertionError):
        Policy(budgets={SyncDecision.KEEP_UP: Budget()})
