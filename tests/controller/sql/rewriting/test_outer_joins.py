"""Outer joins of which nobody sees what they add are none."""

from __future__ import annotations

from tests.controller.sql.recorded import check


def test_outer_joins_are_narrowed_as_recorded() -> None:
    check("outer_joins")
