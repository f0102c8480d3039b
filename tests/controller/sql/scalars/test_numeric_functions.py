"""Functions of numbers: what they take and give, and what is refused."""

from __future__ import annotations

from tests.controller.sql.recorded import check


def test_numeric_functions_are_planned_as_recorded() -> None:
    check("numeric_functions")
