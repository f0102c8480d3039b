"""Queries of introspection collections: planned on their own catalog, never mixed, never kept."""

from __future__ import annotations

from tests.controller.sql.recorded import check


def test_introspection_is_read_alone_and_kept_nowhere() -> None:
    check("introspect")
