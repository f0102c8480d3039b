"""Set operations, WITH and VALUES."""

from __future__ import annotations

from tests.controller.sql.recorded import check


def test_queries_are_planned_or_refused_as_recorded() -> None:
    check("query")
