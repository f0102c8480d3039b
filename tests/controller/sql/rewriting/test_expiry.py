"""What the clock removes is removed early."""

from __future__ import annotations

from tests.controller.sql.recorded import check


def test_filters_by_the_clock_end_up_where_recorded() -> None:
    check("expiry")
