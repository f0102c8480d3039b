"""Operators: the types of PostgreSQL."""

from __future__ import annotations

from tests.controller.sql.recorded import check


def test_operators_have_the_recorded_types() -> None:
    check("scalar")
