"""Window functions: what they are planned as, and what is refused by name."""

from __future__ import annotations

from tests.controller.sql.recorded import check


def test_windows_are_served_or_refused_as_recorded() -> None:
    check("windows")
