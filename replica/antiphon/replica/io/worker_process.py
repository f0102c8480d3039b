"""The process that computes: a loop around the pure `Worker`.

It ends when its pipe closes, so it never outlives its front; and as a computation does not look at
the pipe, the kernel is asked to kill it with its parent as well.
"""

from __future__ import annotations

import ctypes
import gc
import select
import signal
import socket
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

from antiphon.replica.io.files import Files
from antiphon.replica.io.pipe import READ_BYTES, Decoder, FromWorker, ToWorker, encode
from antiphon.replica.ports import WorkerReady
from antiphon.replica.worker import Worker

# A slice of work between two looks at the pipe: a few milliseconds of one operator's rows.
FUEL_ROWS: Final = 20_000
_PR_SET_PDEATHSIG: Final = 1


def serve(pipe: socket.socket, worker: Worker, files: Files) -> None:
    """Handles messages as they come and works in between; returns when the pipe closes."""
    pipe.setblocking(False)
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    poll.register(files.done, select.POLLIN)
    decoder = Decoder()
    handled = told = 0
    busy = False
    wake_at_ms: int | None = None
    while True:
        poll.poll(_timeout_ms(busy, wake_at_ms))
        messages = _receive(pipe, decoder)
        if messages is None:
            return
        ready: list[WorkerReady] = []
        for message in messages:
            for event in message.events:
                ready.append(worker.handle(event, now_ms()))
                handled += 1
        # These are events of our own: the front did not post them, and counts none.
        ready += [worker.handle(event, now_ms()) for event in files.take()]
        worth: tuple[WorkerReady, ...] = ()
        if ready:
            busy, wake_at_ms = ready[-1].busy, ready[-1].wake_at_ms
            worth = _worth_sending(ready, files)
        is_due = busy or (wake_at_ms is not None and wake_at_ms <= now_ms())
        # Answered peeks leave before the next slice of work, which may be long; how much was
        # handled can wait for what the slice gives.
        if worth or (handled != told and not is_due):
            told = _send(pipe, handled, worth)
        if is_due:
            done = worker.work(FUEL_ROWS, now_ms())
            busy, wake_at_ms = done.busy, done.wake_at_ms
            worth = _worth_sending([done], files)
            if worth or handled != told:
                told = _send(pipe, handled, worth)


def now_ms() -> int:
    """For deadlines only: data never carries it."""
    return time.monotonic_ns() // 1_000_000


def _timeout_ms(busy: bool, wake_at_ms: int | None) -> int | None:
    if busy:
        return 0
    return None if wake_at_ms is None else max(0, wake_at_ms - now_ms())


def _receive(pipe: socket.socket, decoder: Decoder) -> list[ToWorker] | None:
    """All messages that are there; None once the other end has closed."""
    messages: list[ToWorker] = []
    while True:
        try:
            data = pipe.recv(READ_BYTES)
        except BlockingIOError:
            return messages
        except ConnectionResetError:
            return None
        if not data:
            return None
        messages += decoder.feed(data)
        if len(data) < READ_BYTES:
            return messages


def _worth_sending(ready: list[WorkerReady], files: Files) -> tuple[WorkerReady, ...]:
    """What the front has to know. What is to be done with files is done here."""
    worth: list[WorkerReady] = []
    for one in ready:
        for request in one.files:
            files.perform(request)
        if one.requests or one.responses or one.progress is not None:
            worth.append(replace(one, files=()) if one.files else one)
    return tuple(worth)


def _send(pipe: socket.socket, handled: int, ready: tuple[WorkerReady, ...]) -> int:
    """Returns `handled`: that much the front knows of now."""
    pipe.setblocking(True)
    try:
        pipe.sendall(encode(FromWorker(handled=handled, ready=ready)))
        return handled
    except (BrokenPipeError, ConnectionResetError):
        sys.exit(0)
    finally:
        pipe.setblocking(False)


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def main() -> None:
    if not __debug__:
        sys.exit("antiphon does not run with assertions switched off (-O)")
    _die_with_parent()
    # These reach the whole process group; the front drains first, and then closes the pipe.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    pipe = socket.socket(fileno=int(sys.argv[1]))
    files = Files(Path(sys.argv[3]), sys.argv[2])
    worker = Worker(time.perf_counter_ns)
    # What is loaded now lives for ever: collections need not look at it again.
    gc.collect()
    gc.freeze()
    serve(pipe, worker, files)
    files.close()


if __name__ == "__main__":
    main()
