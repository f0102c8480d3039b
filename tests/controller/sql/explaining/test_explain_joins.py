"""EXPLAIN says of a kept view where its joins look up, by whom else that is shared, and why not."""

from __future__ import annotations

from tests.controller.sql.recorded import check


def test_reasons_are_told_as_recorded() -> None:
    check("explain_joins")
