"""Grouping sets: what they are planned as, and what is refused."""

from __future__ import annotations

from tests.controller.sql.recorded import check


def test_grouping_sets_are_planned_or_refused_as_recorded() -> None:
    check("grouping")
