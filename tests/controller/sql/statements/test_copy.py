"""COPY ... TO: a query and a path, or a place where they are wrong."""

from __future__ import annotations

from tests.controller.sql.recorded import check


def test_copies_are_planned_or_refused_with_a_remedy() -> None:
    check("copy")
