"""Row-wise steps are one, and what does nothing is gone."""

from __future__ import annotations

from tests.controller.sql.recorded import check


def test_steps_are_fused_as_recorded() -> None:
    check("fuse")
