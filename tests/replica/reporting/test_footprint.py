"""The sum of what dataflows hold follows whoever says that it changed."""

from __future__ import annotations

from dataclasses import dataclass

from antiphon.replica.reporting.footprint import Footprint


@dataclass(eq=False)
class Holding:
    held: int
    measured: int = 0  # times

    @property
    def state_bytes(self) -> int:
        self.measured += 1
        return self.held


def test_only_what_changed_is_measured_again() -> None:
    footprint: Footprint[Holding] = Footprint()
    many = [Holding(10) for _ in range(100)]
    for one in many:
        footprint.changed(one)
    assert footprint.byte_count == 1_000
    many[3].held = 25
    footprint.changed(many[3])
    assert footprint.byte_count == 1_015
    assert sum(one.measured for one in many) == 101


def test_what_is_gone_holds_nothing() -> None:
    footprint: Footprint[Holding] = Footprint()
    known, unknown, stays = Holding(1), Holding(2), Holding(4)
    footprint.changed(known)
    footprint.changed(stays)
    assert footprint.byte_count == 5
    footprint.changed(known)
    footprint.changed(unknown)
    footprint.forget(known)
    footprint.forget(unknown)
    assert footprint.byte_count == 4
    assert (known.measured, unknown.measured) == (1, 0)
