"""Whether a process lives on a data directory: an advisory lock that ends with the process.

It decides nothing about who may write, which is the epoch's part. It lets a newcomer tell a live
process, which is an error, from a killed one, after which it may start at once. The live one may
leave a note of where it listens, for those who are to be sent there.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

LOCK: Final = "lock"  # the file, in the data directory


class Liveness:
    """One try at the lock file; not inherited by processes that are started."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    @property
    def is_held(self) -> bool:
        return self._descriptor is not None

    def acquire(self, note: str = "") -> bool:
        """Whether this process is now, or was already, the live one. Never waits."""
        if self._descriptor is None:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                return False
            self._descriptor = descriptor
        with suppress(OSError):  # a full disk takes no note; who is alive without one is alive
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()}\n{note}\n".encode(), 0)
        return True

    def holder(self) -> str:
        """The process id that the live one wrote, for messages."""
        return self._line(0) or "unknown"

    def note(self) -> str:
        """Where the live one said that it listens; empty: it did not."""
        return self._line(1)

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _line(self, number: int) -> str:
        try:
            lines = self._path.read_text(errors="replace").splitlines()
        except OSError:
            return ""
        return lines[number].strip() if number < len(lines) else ""


@contextmanager
def one_at_a_time(directory: Path) -> Iterator[None]:
    """Within, no other process is within for this directory; it waits for its turn.

    For the moments of opening a store. A live controller and its standby may begin together, and
    SQLite waits for nobody when a fresh file becomes a write-ahead log: one of the two would end.
    """
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
