"""A join on OR is joins."""

from __future__ import annotations

from tests.controller.sql.recorded import check


def test_branches_are_joined_as_recorded() -> None:
    check("branches")
