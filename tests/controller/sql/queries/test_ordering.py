"""ORDER BY, LIMIT and OFFSET."""

from __future__ import annotations

from tests.controller.sql.recorded import check


def test_orders_and_cuts_are_planned_as_recorded() -> None:
    check("ordering")
