"""Streams between processes, as gRPC gives them: ordered and reliable while they last, of any
delay, and ended for both sides when either dies or the line is cut.

A cut loses what is under way, in both directions; each side learns of it later, and not at the same
time. Nothing is ever lost in the middle of a stream, and nothing is reordered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from antiphon.proof.simulation.world import Process, World

DELAY_MS_MAX: Final = 20  # usual
SLOW_DELAY_MS_MAX: Final = 800  # now and then
SLOW_PERCENT: Final = 2
NOTICE_MS_MAX: Final = 300  # until a side learns that the stream is gone


class Stream:
    """One bidirectional stream between two lives of two processes."""

    def __init__(self, world: World, near: Process, far: Process) -> None:
        self._world = world
        self._ends = ((near, near.life), (far, far.life))
        self._arrival_ms = [0, 0]
        self._handlers: list[Callable[[Any], None] | None] = [None, None]
        self._lost: list[Callable[[str], None] | None] = [None, None]
        self.is_open = True

    def attach(self, end: int, receive: Callable[[Any], None], lost: Callable[[str], None]) -> None:
        """What the process at `end` (0: near, 1: far) does with a message, and with the loss."""
        self._handlers[end] = receive
        self._lost[end] = lost

    def send(self, end: int, message: Any) -> None:
        """From `end` to the other side. Into a stream that is gone: nothing happens."""
        if not self.is_open:
            return
        other = 1 - end
        process, life = self._ends[other]
        delay = self._world.random.between(0, DELAY_MS_MAX)
        if self._world.random.chance(SLOW_PERCENT):
            delay = self._world.random.between(0, SLOW_DELAY_MS_MAX)
        arrival = max(self._arrival_ms[other], self._world.now_ms + delay)
        self._arrival_ms[other] = arrival
        if process.alive and process.life == life:
            self._world.after(
                arrival - self._world.now_ms, lambda: self._deliver(other, message), process
            )

    def cut(self, reason: str) -> None:
        """End it. Each living side learns of it after a while."""
        if not self.is_open:
            return
        self.is_open = False
        for end, (process, life) in enumerate(self._ends):
            if process.alive and process.life == life:
                notice = self._world.random.between(0, NOTICE_MS_MAX)
                self._world.after(notice, lambda end=end: self._report(end, reason), process)  # type: ignore[misc]

    def close(self, end: int, reason: str) -> None:
        """`end` ends it knowingly: only the other side is told, behind what was sent before."""
        if not self.is_open:
            return
        other = 1 - end
        process, life = self._ends[other]
        if process.alive and process.life == life:
            delay = max(self._arrival_ms[other] - self._world.now_ms, 0)
            self._world.after(delay, lambda: self._finish(other, reason), process)
        else:
            self.is_open = False
        self._handlers[end] = None
        self._lost[end] = None

    def joins(self, process: Process) -> bool:
        return any(end is process for end, _ in self._ends)

    def _finish(self, end: int, reason: str) -> None:
        if self.is_open:
            self.is_open = False
            self._report(end, reason)

    def _deliver(self, end: int, message: Any) -> None:
        handler = self._handlers[end]
        if self.is_open and handler is not None:
            handler(message)

    def _report(self, end: int, reason: str) -> None:
        lost = self._lost[end]
        if lost is not None:
            lost(reason)


class Network:
    """All streams of the world, so that a process's death and a cut find theirs."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._streams: list[Stream] = []
        self._away: set[str] = set()

    def open(self, near: Process, far: Process) -> Stream:
        self._streams = [stream for stream in self._streams if stream.is_open]
        stream = Stream(self._world, near, far)
        self._streams.append(stream)
        if near.name in self._away or far.name in self._away:
            self._world.after(0, lambda: stream.cut("nobody is reached"))
        return stream

    def part(self, process: Process) -> None:
        """Nobody reaches it, nor it anybody, until `join`. It lives on."""
        self._away.add(process.name)
        self.cut(process, "nobody is reached")

    def join(self, process: Process) -> None:
        self._away.discard(process.name)

    def cut(self, process: Process, reason: str) -> None:
        """Cut every stream of a process; call it after `kill` to let the peers notice."""
        for stream in self._streams:
            if stream.joins(process):
                stream.cut(reason)

    def call(
        self,
        near: Process,
        far: Process,
        ask: Callable[[], Any],
        answer: Callable[[Any], None],
    ) -> None:
        """A unary call: `ask` runs in the far process, `answer` in the near one with its result, or
        with a `ConnectionError` if either leg is lost."""
        stream = self.open(near, far)

        def serve(_: Any) -> None:
            stream.send(1, ask())

        def done(result: Any) -> None:
            stream.is_open = False
            answer(result)

        stream.attach(0, done, lambda reason: answer(ConnectionError(reason)))
        stream.attach(1, serve, lambda reason: None)
        if far.alive:
            stream.send(0, None)
        else:
            stream.cut("nobody listens")
