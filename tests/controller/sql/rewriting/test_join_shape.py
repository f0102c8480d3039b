"""Outer joins: what is a key, what is a condition of one side."""

from __future__ import annotations

from tests.controller.sql.recorded import check


def test_outer_joins_take_the_recorded_shape() -> None:
    check("join_shape")
