"""DROP of several at once, and views that are replaced."""

from __future__ import annotations

from tests.controller.sql.recorded import check


def test_what_goes_goes_whole_or_not_at_all_as_recorded() -> None:
    check("drop")
