"""Inner joins: keys are found, and only needed cross products are made."""

from __future__ import annotations

from tests.controller.sql.recorded import check


def test_joins_are_ordered_as_recorded() -> None:
    check("join_order")
