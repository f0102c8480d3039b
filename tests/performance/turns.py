"""Sides that tick in turn: each some milliseconds of ticks, then the next, until all are through.

Two runs one after another meet two machines, where others are at work: what they leave of a core
changes by a factor of two within minutes. Turns of milliseconds meet the same one.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from threading import Timer
from types import TracebackType
from typing import Any, Self

from tests.performance.sides import ROOT, SIDE_TIMEOUT_S, Side, Times, times_of
from tests.performance.workload import TURN


class Player:
    """A side that runs, and the turns it is given."""

    def __init__(self, side: Side) -> None:
        self._side = side
        self._said = ""  # since its last turn
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 -- closed on exit
        self._process = subprocess.Popen(
            side.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors,
            text=True, cwd=ROOT, env=side.environment,
        )  # fmt: skip
        self._timer = Timer(SIDE_TIMEOUT_S, self._process.kill)
        self._timer.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._timer.cancel()
        self._process.kill()
        self._process.communicate()
        self._errors.close()

    def waits(self) -> bool:
        """Whether it asks for its turn, after all of the last one; False: it is through."""
        assert self._process.stdout is not None, "a pipe was asked for"
        for line in self._process.stdout:
            if line == f"{TURN}\n":
                return True
            self._said += line
        return False

    def go(self) -> None:
        assert self._process.stdin is not None, "a pipe was asked for"
        with suppress(BrokenPipeError):  # its answer says what became of it
            self._process.stdin.write("\n")
            self._process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        """
        Raises:
            SideMissing: it failed, or took too long.
        """
        code = self._process.wait()
        self._errors.seek(0)
        return self._side.answer(self._said, code, self._errors.read())


def in_turn(sides: Sequence[Side]) -> list[Times]:
    """What each took, of workloads that have turns. One at a time has its turn; they load together.

    Raises:
        SideMissing: one failed, or took too long.
    """
    with ExitStack() as stack:
        players = [stack.enter_context(Player(side)) for side in sides]
        waiting = [player for player in players if player.waits()]
        while waiting:
            for player in list(waiting):
                player.go()
                if not player.waits():
                    waiting.remove(player)
        return [times_of(player.answer()) for player in players]
