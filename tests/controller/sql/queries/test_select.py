"""One SELECT: its clauses, and what it refuses."""

from __future__ import annotations

from tests.controller.sql.recorded import check


def test_selects_are_planned_or_refused_as_recorded() -> None:
    check("select")
