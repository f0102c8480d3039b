"""Frames: the bounds that are meant, and those that no frame has."""

from __future__ import annotations

from tests.controller.sql.recorded import check


def test_frames_are_planned_or_refused_as_recorded() -> None:
    check("window_frame")
