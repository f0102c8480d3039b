"""Filters go towards the data, and no further than they may."""

from __future__ import annotations

from tests.controller.sql.recorded import check


def test_filters_end_up_where_recorded() -> None:
    check("pushdown")
