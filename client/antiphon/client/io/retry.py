"""Patience: repeats what may be repeated, with exponential pauses and full jitter (tenacity)."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_random_exponential

T = TypeVar("T")

PATIENCE_S: Final = 60.0  # longer than a controller needs to come back and its replicas to rebuild
FIRST_PAUSE_S: Final = 0.05
PAUSE_MAX_S: Final = 2.0


class Patience:
    """Gives up once an attempt has failed `patience_s` after the first failure. An attempt itself
    may take any time: a subscription waits for hours for its next change."""

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s

    async def run(
        self, attempt: Callable[[], Awaitable[T]], may_repeat: Callable[[BaseException], bool]
    ) -> T:
        """Raises the last attempt's error."""
        first_failure_s: float | None = None

        def exhausted(_state: RetryCallState) -> bool:
            nonlocal first_failure_s
            now_s = time.monotonic()
            if first_failure_s is None:
                first_failure_s = now_s
            return now_s - first_failure_s >= self._patience_s

        retrying = AsyncRetrying(
            retry=retry_if_exception(may_repeat),
            wait=wait_random_exponential(multiplier=FIRST_PAUSE_S, max=PAUSE_MAX_S),
            stop=exhausted,
            reraise=True,
        )

        async def once() -> (
            T
        ):  # tenacity wants a coroutine function; an attempt may be any callable
            return await attempt()

        return await retrying(once)
