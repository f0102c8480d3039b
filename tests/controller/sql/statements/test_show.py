"""SHOW answers from the catalog."""

from __future__ import annotations

from tests.controller.sql.recorded import check


def test_show_lists_what_the_catalog_has() -> None:
    check("show")
