"""The stages of a session."""

from __future__ import annotations

from enum import IntEnum


class Stage(IntEnum):
    """The numbers are those of `antiphon.v1.Stage`, and ascend with a session. `transitions` says
    what each means and which command, and which response, may come in it."""

    GREETING = 1
    CREATION = 2
    INITIALIZATION = 3
    READ_ONLY = 4
    READ_WRITE = 5
    CLOSED = 6
