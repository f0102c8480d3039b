"""What equalities imply is used on both sides."""

from __future__ import annotations

from tests.controller.sql.recorded import check


def test_conditions_are_implied_as_recorded() -> None:
    check("implied")
