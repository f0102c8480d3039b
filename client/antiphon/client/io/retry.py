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
        try:
            return await attempt()  # as nearly always: to get ready for more costs more than a call
        except BaseException as error:
            if not may_repeat(error):
                raise
            failure = error
        return await self._repeat(failure, attempt, may_repeat)

    async def _repeat(
        self,
        failure: BaseException,
        attempt: Callable[[], Awaitable[T]],
        may_repeat: Callable[[BaseException], bool],
    ) -> T:
        """Goes on after the first attempt, which ended in `failure`."""
        first_failure_s = time.monotonic()
        first: BaseException | None = failure

        def exhausted(_state: RetryCallState) -> bool:
            return time.monotonic() - first_failure_s >= self._patience_s

        retrying = AsyncRetrying(
            retry=retry_if_exception(may_repeat),
            wait=wait_random_exponential(multiplier=FIRST_PAUSE_S, max=PAUSE_MAX_S),
            stop=exhausted,
            reraise=True,
        )

        async def once() -> T:
            nonlocal first
            if first is not None:
                error, first = first, None
                raise error
            return await attempt()

        return await retrying(once)
