"""The two ends of a session, without any I/O: messages in, errors out.

    ReplicaSession     receive(sent): a command arrived       send(response): one may leave
    ControllerSession  send(sent): a command may leave        receive(...): a response arrived

Each call either records the message or raises and changes nothing. A peer's offence is a
`RemoteProtocolError`, our own a `LocalProtocolError`; both mean that the stream must be closed. A
replica that refuses a Hello raises the `ComputeError` that says why, and keeps its incumbent.

A session is one stream; a new stream is a new object. Whoever owns one calls `close` when its
stream has ended, for whatever reason.
"""

from __future__ import annotations

from antiphon.protocol.command import Hello, Sent
from antiphon.protocol.errors import LocalProtocolError, RemoteProtocolError
from antiphon.protocol.exchange import Exchange
from antiphon.protocol.facts import ReplicaFacts
from antiphon.protocol.greeting import NOBODY, Incumbent, check_hello
from antiphon.protocol.ids import ConnectionId, PeekId, Position
from antiphon.protocol.response import Response
from antiphon.protocol.stage import Stage


class _Session:
    """What both ends show of their stream."""

    __slots__ = ("_exchange",)

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    @property
    def stage(self) -> Stage:
        return self._exchange.stage

    @property
    def hello(self) -> Hello | None:
        """The Hello of this session; None before it."""
        return self._exchange.hello

    @property
    def connection_id(self) -> ConnectionId | None:
        """What every response of this session carries; None before Hello."""
        return None if self._exchange.hello is None else self._exchange.hello.connection_id

    @property
    def position(self) -> Position:
        """Of the last numbered command, or the head that a full set ended with."""
        return self._exchange.position

    @property
    def head_digest(self) -> bytes:
        """Of the history at the head that InitializationComplete named; empty before it."""
        return self._exchange.digest

    def is_waiting(self, peek: PeekId) -> bool:
        """Whether the peek was sent in this session and not yet answered."""
        return self._exchange.ledger.is_waiting(peek)

    def close(self) -> None:
        """The stream has ended: nothing is legal any more. May be repeated."""
        self._exchange.stage = Stage.CLOSED


class ReplicaSession(_Session):
    """The replica's end: validates what arrives, asserts what leaves.

    Args:
        facts: of the replica at this moment; a Hello is checked against them.
        incumbent: whom the replica obeyed last.
    """

    __slots__ = ()

    def __init__(self, facts: ReplicaFacts, incumbent: Incumbent = NOBODY) -> None:
        assert facts.highest_epoch == incumbent.epoch, (
            f"facts of epoch {facts.highest_epoch}, incumbent of {incumbent.epoch}"
        )
        super().__init__(Exchange(facts, screen=lambda hello: check_hello(hello, facts, incumbent)))

    def receive(self, sent: Sent) -> None:
        """A command arrived.

        After a Hello has passed, the caller makes its epoch and claim durable and ends the
        incumbent's stream, in this order, before it goes on.

        Raises:
            RemoteProtocolError: illegal here; close the stream.
            VersionMismatch, InstanceMismatch, EpochFenced, StaleFacts: a Hello that is refused.
        """
        problem = self._exchange.take(sent)
        if problem is not None:
            raise RemoteProtocolError(problem)

    def send(self, response: Response) -> None:
        """A response is about to leave.

        Raises:
            LocalProtocolError: illegal here; it must not leave.
        """
        problem = self._exchange.take_response(response)
        if problem is not None:
            raise LocalProtocolError(problem)


class ControllerSession(_Session):
    """The controller's end: asserts what leaves, validates what arrives.

    Args:
        facts: what the probe said, from which the Hello was made.
    """

    __slots__ = ()

    def __init__(self, facts: ReplicaFacts) -> None:
        super().__init__(Exchange(facts))

    def send(self, sent: Sent) -> None:
        """A command is about to leave.

        Raises:
            LocalProtocolError: illegal here; it must not leave.
        """
        problem = self._exchange.take(sent)
        if problem is not None:
            raise LocalProtocolError(problem)

    def receive(self, connection_id: ConnectionId, response: Response) -> bool:
        """A response arrived. False: it answers another connection and is to be forgotten.

        Raises:
            RemoteProtocolError: illegal here; close the stream.
        """
        if connection_id != self.connection_id:
            return False
        problem = self._exchange.take_response(response)
        if problem is not None:
            raise RemoteProtocolError(problem)
        return True
