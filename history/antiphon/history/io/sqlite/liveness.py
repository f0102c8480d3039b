"""Whether a controller lives on a data directory: an advisory lock that ends with its process.

It decides nothing about who may write, which is the epoch's part. It only lets a newcomer tell a
live controller, which is an error, from a killed one, after which it may start at once.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class Liveness:
    """One try at the lock file; not inherited by processes that are started."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    @property
    def is_held(self) -> bool:
        return self._descriptor is not None

    def acquire(self) -> bool:
        """Whether this process is now, or was already, the live one. Never waits."""
        if self._descriptor is not None:
            return True
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor
        return True

    def holder(self) -> str:
        """The process id that the live controller wrote, for messages."""
        return self._path.read_text(errors="replace").strip() or "unknown"

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
