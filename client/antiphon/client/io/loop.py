"""One event loop on one background thread for all blocking clients of the process.

gRPC's asyncio stack shares a poller per process; several loops disturb each other. So every
blocking client uses the same one. A forked child gets a new one.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

T = TypeVar("T")

STOP_TIMEOUT_S: Final = 1.0  # for what is cancelled; the thread is a daemon, and never hangs us


class BackgroundLoop:
    """Runs coroutines on a daemon thread, and blocks callers until they are done."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="antiphon-client", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Its result or its error. An interrupt of the wait cancels it, and waits until it has
        ended: what it held is then free to be closed."""
        assert threading.current_thread() is not self._thread, "this would wait for itself"
        ended = threading.Event()

        async def whole() -> T:
            try:
                return await coroutine
            finally:
                ended.set()

        future = asyncio.run_coroutine_threadsafe(whole(), self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            ended.wait(STOP_TIMEOUT_S)
            raise

    def stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(STOP_TIMEOUT_S)


_lock = threading.Lock()
_shared: BackgroundLoop | None = None


def background_loop() -> BackgroundLoop:
    """The process's loop; the first call starts it."""
    global _shared  # noqa: PLW0603  one per process is the point
    with _lock:
        if _shared is None:
            _shared = BackgroundLoop()
            atexit.register(_shared.stop)
        return _shared


def _forget() -> None:
    global _shared  # noqa: PLW0603
    _shared = None  # the thread did not survive the fork


os.register_at_fork(after_in_child=_forget)
