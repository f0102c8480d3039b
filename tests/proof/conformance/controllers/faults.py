"""A controller that does one thing wrong: ours, behind links that mangle what it says."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from enum import Enum, auto
from pathlib import Path
from typing import Final

from antiphon.controller.io.config import load_config
from antiphon.controller.io.link import Links
from antiphon.controller.io.process import Controller
from antiphon.controller.request import DriverEvent
from antiphon.proof.conformance import Report, Verdict, controllers
from antiphon.protocol.command import (
    AllowWrites,
    CancelPeek,
    CreateDataflow,
    Hello,
    InitializationComplete,
    Peek,
    Schedule,
    Sent,
)
from antiphon.protocol.ids import NO_POSITION, ConnectionId, Position, ReplicaId

PATIENCE_S: Final = 2.0


class Fault(Enum):
    """What the controller does wrong."""

    NONE = auto()
    BEGINS_TWICE = auto()
    SAYS_ONE_CONNECTION_ID = auto()
    ALLOWS_WRITES_TOO_EARLY = auto()
    NEVER_ALLOWS_WRITES = auto()
    NEVER_CANCELS = auto()
    ASKS_EVERYBODY = auto()
    ASKS_NOBODY_AGAIN = auto()
    LOSES_A_DATAFLOW = auto()
    SCHEDULES_NOTHING = auto()
    MOVES_POSITIONS = auto()
    SENDS_EVERYTHING_AGAIN = auto()


class FaultyLinks(Links):
    """The links of a controller, with a fault between it and every replica."""

    fault = Fault.NONE

    def __init__(self, post: Callable[[DriverEvent], None], fault: Fault) -> None:
        super().__init__(post)
        self.fault = fault
        self._known: list[Sent] = []  # creations, as they were first sent

    def open(self, replica: ReplicaId, commands: tuple[Sent, ...]) -> None:
        self._known += [s for s in commands if isinstance(s.command, CreateDataflow)]
        super().open(replica, tuple(self._mangled(commands, is_opening=True)))

    def send(self, replica: ReplicaId, commands: tuple[Sent, ...]) -> None:
        if self.fault is Fault.ASKS_EVERYBODY:
            asked = tuple(sent for sent in commands if isinstance(sent.command, Peek))
            for other in self._links:
                if other != replica and asked:
                    super().send(other, asked)
        mangled = tuple(self._mangled(commands, is_opening=False))
        if mangled:
            super().send(replica, mangled)

    def _mangled(self, commands: tuple[Sent, ...], *, is_opening: bool) -> list[Sent]:
        said: list[Sent] = []
        for sent in commands:
            said += self._said(sent, is_opening)
        return said

    def _said(self, sent: Sent, is_opening: bool) -> list[Sent]:
        match self.fault, sent.command:
            case (Fault.BEGINS_TWICE, InitializationComplete()):
                return [sent, sent]
            case (Fault.SAYS_ONE_CONNECTION_ID, Hello() as hello):
                same = ConnectionId(b"\x07" * 16)
                return [Sent(NO_POSITION, replace(hello, connection_id=same))]
            case (Fault.ALLOWS_WRITES_TOO_EARLY, InitializationComplete()):
                return [sent, Sent(NO_POSITION, AllowWrites())]
            case (Fault.NEVER_ALLOWS_WRITES, AllowWrites()):
                return []
            case (Fault.NEVER_CANCELS, CancelPeek()):
                return []
            case (Fault.ASKS_NOBODY_AGAIN, Peek()) if is_opening:
                return []
            case (Fault.LOSES_A_DATAFLOW, CreateDataflow()) if not is_opening:
                return []
            case (Fault.SCHEDULES_NOTHING, Schedule()):
                return []
            case (Fault.MOVES_POSITIONS, CreateDataflow() as create) if sent.position:
                return [Sent(Position(sent.position + 1), create)]
            case (Fault.SENDS_EVERYTHING_AGAIN, Hello()):
                return [sent]
            case (Fault.SENDS_EVERYTHING_AGAIN, InitializationComplete()):
                return [*self._known, sent]
            case _:
                return [sent]


@asynccontextmanager
async def serving(fault: Fault) -> AsyncIterator[str]:
    """A controller with that fault; its address."""
    with tempfile.TemporaryDirectory(prefix="antiphon-") as directory:
        config = load_config(data=Path(directory) / "data", listen="127.0.0.1:0")
        controller = Controller(config)
        controller._links = FaultyLinks(controller.handle, fault)
        async with controller:
            yield controller.address


async def report_of(fault: Fault, *numbers: str, patience_s: float = PATIENCE_S) -> Report:
    async with serving(fault) as address:
        return await controllers.run(address, only=numbers, patience_s=patience_s)


async def assert_caught(fault: Fault, *numbers: str) -> None:
    """The checks of all `numbers` pass for an honest controller and fail for the faulty one."""
    honest = await report_of(Fault.NONE, *numbers)
    assert honest.conforms, honest.rows()
    faulty = await report_of(fault, *numbers)
    passed = [number for number in numbers if faulty.verdict(number) is not Verdict.FAIL]
    assert not passed, f"{fault.name} is not caught by {passed}: {faulty.rows()}"
