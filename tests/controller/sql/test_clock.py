"""The current time in what is kept up to date: bounds for each row, or a refusal by name."""

from __future__ import annotations

from tests.controller.sql.recorded import check


def test_comparisons_with_the_clock_become_bounds_as_recorded() -> None:
    check("clock")
