"""Stages of a session, seen from the replica: enforced there, asserted by the controller.

PLACEHOLDER-FOR-TABLE
"""

from __future__ import annotations

from enum import IntEnum


class Stage(IntEnum):
    """The numbers are those of `antiphon.v1.Stage`."""

    GREETING = 1
    CREATION = 2
    INITIALIZATION = 3
    READ_ONLY = 4
    READ_WRITE = 5
    CLOSED = 6
