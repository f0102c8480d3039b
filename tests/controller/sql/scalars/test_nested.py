"""Lists and structs: how they are made and read, and what is refused."""

from __future__ import annotations

from tests.controller.sql.recorded import check


def test_lists_and_structs_are_planned_or_refused_as_recorded() -> None:
    check("nested")
