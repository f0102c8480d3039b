"""ALTER SYSTEM: names and values are checked with their places."""

from __future__ import annotations

from tests.controller.sql.recorded import check


def test_settings_are_set_reset_and_shown() -> None:
    check("setting")
