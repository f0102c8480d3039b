"""CREATE and DROP, and what they refuse."""

from __future__ import annotations

from tests.controller.sql.recorded import check


def test_definitions_are_planned_or_refused_as_recorded() -> None:
    check("ddl")
