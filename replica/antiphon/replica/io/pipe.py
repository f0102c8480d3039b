"""Messages between a replica's front process and its worker process.

One socket pair, both ways the same: eight bytes of length, then one pickled value. Pickle is sound
here and nowhere else: both ends are the same program, the pair has no name in the file system, and
what comes from the network is decoded and checked before it is put on the pipe. Arrow data crosses
as the bytes that came in, opened by the worker alone.
"""

from __future__ import annotations

import pickle
import struct
from dataclasses import dataclass
from typing import Any, Final

from antiphon.replica.ports import Event, WorkerReady

_LENGTH: Final = struct.Struct("<Q")
READ_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class ToWorker:
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FromWorker:
    """`handled`: how many events the worker has handled since it started."""

    handled: int
    ready: tuple[WorkerReady, ...]


def encode(message: ToWorker | FromWorker) -> bytes:
    body = pickle.dumps(message, protocol=5)
    return _LENGTH.pack(len(body)) + body


class Decoder:
    """Cuts the byte stream into messages again."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Any]:
        """The messages that `data` completes, in order."""
        self._buffer += data
        messages: list[Any] = []
        start = 0
        while len(self._buffer) - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer, start)
            stop = start + _LENGTH.size + length
            if len(self._buffer) < stop:
                break
            with memoryview(self._buffer) as view:
                messages.append(pickle.loads(view[start + _LENGTH.size : stop]))
            start = stop
        # Cut once, not per message: each cut moves the rest of the buffer.
        del self._buffer[:start]
        return messages
