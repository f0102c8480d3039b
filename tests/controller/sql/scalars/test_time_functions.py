"""Functions of times: what they take and give, and what is refused."""

from __future__ import annotations

from tests.controller.sql.recorded import check


def test_time_functions_are_planned_as_recorded() -> None:
    check("time_functions")
