"""The functions of lists: what they take and give."""

from __future__ import annotations

from tests.controller.sql.recorded import check


def test_functions_of_lists_have_the_recorded_types() -> None:
    check("list_functions")
