"""The clock and the randomness of this machine, as the driver's ports."""

from __future__ import annotations

import secrets
import time

from antiphon.protocol.ids import RANDOM_ID_BYTES


class WallClock:
    """The driver's `ClockPort`."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000


class Randomness:
    """The driver's `RandomPort`."""

    def random_id(self) -> bytes:
        return secrets.token_bytes(RANDOM_ID_BYTES)
