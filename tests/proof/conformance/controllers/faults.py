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
from antiphon.controller.request import DriverEvent, ReplicaReached
from antiphon.proof.conformance import Report, Verdict, controllers
from antiphon.protocol.command import (
    AcceptRebuild,
    AllowWrites,
    CancelPeek,
    CancelRebuild,
    CreateDataflow,
    Hello,
    InitializationComplete,
    Peek,
    Schedule,
    Sent,
    StartRebuild,
)
from antiphon.protocol.ids import NO_POSITION, ConnectionId, Position, ReplicaId, SessionId

PATIENCE_S: Final = 10.0  # with an honest controller; a check as a whole has a minute
FAULTY_S: Final = 2.0  # with what a faulty one may owe for ever


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
    REBUILDS_EVERYBODY = auto()
    READS_FROM_WHO_IS_REBUILT = auto()
    ACCEPTS_WHAT_DIFFERS = auto()
    LEAVES_A_FAILED_REBUILD = auto()
    ACCEPTS_WHAT_IS_OVER = auto()
    TRUSTS_WHAT_NOBODY_ACCEPTED = auto()


class FaultyLinks(Links):
    """The links of a controller, with a fault between it and every replica."""

    fault = Fault.NONE

    def __init__(self, post: Callable[[DriverEvent], None], fault: Fault) -> None:
        super().__init__(lambda event: post(self._heard(event)))
        self.fault = fault
        self._known: list[Sent] = []  # creations, as they were first sent
        self._rebuilding: dict[ReplicaId, SessionId] = {}  # the first rebuild of each

    def _heard(self, event: DriverEvent) -> DriverEvent:
        if self.fault is Fault.TRUSTS_WHAT_NOBODY_ACCEPTED and isinstance(event, ReplicaReached):
            return replace(event, facts=replace(event.facts, unaccepted=False))
        return event

    def open(self, replica: ReplicaId, commands: tuple[Sent, ...]) -> None:
        self._known += [s for s in commands if isinstance(s.command, CreateDataflow)]
        super().open(replica, tuple(self._mangled(replica, commands, is_opening=True)))
        number = self._rebuilding.pop(replica, None)
        if number is not None and self.fault is Fault.ACCEPTS_WHAT_IS_OVER:
            super().send(replica, (Sent(NO_POSITION, AcceptRebuild(session_id=number)),))

    def close(self, replica: ReplicaId, reason: str) -> None:
        number = self._rebuilding.pop(replica, None)
        if number is None or self.fault is not Fault.LEAVES_A_FAILED_REBUILD:
            super().close(replica, reason)

    def send(self, replica: ReplicaId, commands: tuple[Sent, ...]) -> None:
        for other in self._links:
            also = tuple(sent for sent in commands if self._is_for(other, sent))
            if other != replica and also:
                super().send(other, also)
        mangled = tuple(self._mangled(replica, commands, is_opening=False))
        for sent in mangled:
            match sent.command:
                case StartRebuild(session_id=number):
                    self._rebuilding.setdefault(replica, number)
                case CancelRebuild() | AcceptRebuild():
                    self._rebuilding.pop(replica, None)
        if mangled:
            super().send(replica, mangled)

    def _is_for(self, other: ReplicaId, sent: Sent) -> bool:
        """Whether another replica hears it as well."""
        match self.fault, sent.command:
            case (Fault.ASKS_EVERYBODY, Peek()):
                return True
            case (Fault.READS_FROM_WHO_IS_REBUILT, Peek()):
                return other in self._rebuilding
            case (Fault.REBUILDS_EVERYBODY, StartRebuild()):
                return True
            case _:
                return False

    def _mangled(
        self, replica: ReplicaId, commands: tuple[Sent, ...], *, is_opening: bool
    ) -> list[Sent]:
        said: list[Sent] = []
        for sent in commands:
            is_again = isinstance(sent.command, StartRebuild) and replica in self._rebuilding
            if not (is_again and self.fault is Fault.LEAVES_A_FAILED_REBUILD):
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
            case (Fault.ACCEPTS_WHAT_DIFFERS, CancelRebuild(session_id=number)):
                return [Sent(NO_POSITION, AcceptRebuild(session_id=number))]
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


async def report_of(fault: Fault, *numbers: str) -> Report:
    patience_s = PATIENCE_S if fault is Fault.NONE else FAULTY_S
    async with serving(fault) as address:
        return await controllers.run(address, only=numbers, patience_s=patience_s)


async def assert_caught(fault: Fault, *numbers: str) -> None:
    """The checks of all `numbers` pass for an honest controller and fail for the faulty one."""
    honest = await report_of(Fault.NONE, *numbers)
    assert honest.conforms, honest.rows()
    faulty = await report_of(fault, *numbers)
    passed = [number for number in numbers if faulty.verdict(number) is not Verdict.FAIL]
    assert not passed, f"{fault.name} is not caught by {passed}: {faulty.rows()}"
