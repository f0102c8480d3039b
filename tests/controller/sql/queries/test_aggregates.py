"""Aggregates: their types, and what they refuse."""

from __future__ import annotations

from tests.controller.sql.recorded import check


def test_aggregates_have_the_recorded_types() -> None:
    check("aggregates")
