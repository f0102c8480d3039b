"""row_number() compared with constants is a top-k."""

from __future__ import annotations

from tests.controller.sql.recorded import check


def test_bounded_row_numbers_are_top_k() -> None:
    check("row_number")
