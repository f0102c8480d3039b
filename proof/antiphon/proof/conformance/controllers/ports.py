"""What a check of a controller may do: play replicas, and be a client at the same time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from antiphon.proof.conformance.content import Row
from antiphon.proof.conformance.controllers.scripted import Heard, ScriptedReplica
from antiphon.protocol.command import Peek
from antiphon.protocol.errors import ComputeError
from antiphon.protocol.facts import ReplicaFacts
from antiphon.protocol.response import Response

Found = TypeVar("Found")


class Stream(Protocol):
    """One session of one replica."""

    @property
    def heard(self) -> Heard: ...

    async def until(self, find: Callable[[Heard], Found | None], expected: str) -> Found:
        """What `find` returns once it returns something true. Raises Failed."""
        ...

    async def say(self, *responses: Response) -> None:
        """What a replica may say now."""
        ...

    async def blurt(self, *responses: Response) -> None:
        """What no replica may say now."""
        ...

    async def answer(self, peek: Peek, *rows: Row) -> None:
        """These rows, in the columns that the peek names."""
        ...

    async def ended(self, expected: str) -> None:
        """Waits until the controller has ended the stream. Raises Failed."""
        ...

    async def hang_up(self) -> None:
        """The replica ends the stream."""
        ...


class Replica(Protocol):
    """A scripted replica that listens."""

    @property
    def name(self) -> str: ...

    @property
    def address(self) -> str: ...

    @property
    def scripted(self) -> ScriptedReplica: ...

    def claim(self, **facts: Any) -> None:
        """It says of itself, from the next probe on, that this is so."""
        ...

    def mute(self) -> None:
        """No heartbeat from here on."""
        ...

    async def stream(self, number: int = 1) -> Stream:
        """The session of that number, once it is initialized. Raises Failed."""
        ...

    async def probed(self, count: int) -> None:
        """Waits until it was probed so often more. Raises Failed."""
        ...


class Asked(Protocol):
    """A statement that somebody waits for."""

    async def rows(self) -> list[Row]:
        """Raises Failed, ComputeError."""
        ...

    async def error(self) -> ComputeError:
        """Raises Failed if there is none."""
        ...

    @property
    def is_done(self) -> bool: ...

    async def cancel(self) -> None:
        """The client gives up."""
        ...


class Subscribed(Protocol):
    """A client's running subscription."""

    async def next(self) -> tuple[int, int, list[tuple[Row, int, int]]]:
        """The next interval: lower, upper, and (row, time, diff). Raises Failed, ComputeError."""
        ...

    async def close(self) -> None: ...


class ControllerBench(Protocol):
    """One check's world. Replicas and names are its own, and go with it."""

    def name(self, prefix: str) -> str:
        """A name for a collection, that no other check uses."""
        ...

    async def sql(self, statement: str) -> list[Row]:
        """Raises ComputeError."""
        ...

    async def table(self) -> str:
        """A table of (k bigint, v text), with a first row."""
        ...

    def ask(self, statement: str, replica: str = "") -> Asked: ...

    def subscribe(self, target: str, replica: str = "") -> Subscribed: ...

    async def replica(
        self, *, read_only: bool = False, like: Replica | None = None, **facts: Any
    ) -> Replica:
        """One that was added, and says this of itself; `like`: and else what that one says."""
        ...

    async def remove(self, replica: Replica) -> None: ...

    async def promote(self, replica: Replica) -> None: ...

    async def history(self) -> list[tuple[int, bytes]]:
        """The durable commands: position, and the digest with it."""
        ...

    async def reason(self, replica: Replica) -> str:
        """What `ExplainReplica` says last. Raises Failed if it says nothing."""
        ...

    async def tail(self, table: str, lower: int) -> tuple[int, int, list[tuple[Row, int, int]]]:
        """What a tail of one table brings first, as a replica reads it: lower, upper, changes."""
        ...

    async def snapshot(self, table: str, as_of: int) -> list[Row]: ...

    async def append_view(
        self, view: str, epoch: int, claim: bytes, lower: int, upper: int
    ) -> bool:
        """Nothing, by compare-and-append, under a claim. Whether it applied. Raises
        ComputeError."""
        ...

    async def append_in_pieces(
        self, view: str, epoch: int, claim: bytes, upper: int, *pieces: Row, whole: bool = True
    ) -> bool:
        """A row a piece, all at the time before `upper`, to a view of pairs that nobody has
        written. Not `whole`: the call is canceled before the last. Whether it applied. Raises
        ComputeError."""
        ...

    async def upper(self) -> int:
        """Of the timeline."""
        ...

    async def pause(self, seconds: float) -> None: ...


__all__ = ["Asked", "ControllerBench", "Replica", "ReplicaFacts", "Stream", "Subscribed"]
