"""Ticks become rarer when replicas fall behind, and frequent again when they have caught up."""

from antiphon.controller.pace import OUTSTANDING_TICKS_MAX, SPACING_MS_MAX, Pace
from antiphon.protocol.frontier import Frontier


def test_replicas_that_keep_up_cost_no_writer_a_wait() -> None:
    pace = Pace()
    for time in range(1, 200):
        if pace.ticked(time):
            pace.look(Frontier(time))
        assert pace.spacing_ms == 0


def test_replicas_that_stand_still_slow_ticks_to_the_bound_and_no_further() -> None:
    pace = Pace()
    for time in range(1, 100):
        if pace.ticked(time):
            pace.look(Frontier(0))
    assert pace.spacing_ms == SPACING_MS_MAX


def test_ticks_speed_up_again_once_the_backlog_is_gone() -> None:
    pace = Pace()
    for time in range(1, 100):
        if pace.ticked(time):
            pace.look(Frontier(0))
    for time in range(100, 120):
        assert pace.ticked(time) or pace.spacing_ms == 0
        pace.look(Frontier(time))
    assert pace.spacing_ms == 0


def test_with_nobody_to_wait_for_nothing_is_outstanding() -> None:
    pace = Pace()
    for time in range(1, 5 * OUTSTANDING_TICKS_MAX):
        if pace.ticked(time):
            pace.look(None)
    assert pace.spacing_ms == 0
