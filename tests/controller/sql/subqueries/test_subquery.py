"""Subqueries become joins, or are refused."""

from __future__ import annotations

from tests.controller.sql.recorded import check


def test_subqueries_become_the_recorded_joins() -> None:
    check("subquery")
