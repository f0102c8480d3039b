"""Columns that nobody reads are not there."""

from __future__ import annotations

from tests.controller.sql.recorded import check


def test_only_needed_columns_are_kept() -> None:
    check("prune")
