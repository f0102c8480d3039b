"""FROM: joins, aliases, and what it refuses."""

from __future__ import annotations

from tests.controller.sql.recorded import check


def test_from_is_planned_or_refused_as_recorded() -> None:
    check("from_clause")
