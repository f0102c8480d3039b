"""Templates of times: what is in none of them is refused by its name."""

from __future__ import annotations

from tests.controller.sql.recorded import check


def test_templates_are_planned_as_recorded() -> None:
    check("time_formats")
