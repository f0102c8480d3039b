"""What a check may do: one bench for each check, one session for each stream it opens.

Checks are written against these and know neither sockets nor clocks; `io/` implements them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from antiphon.proof.conformance.content import Row
from antiphon.proof.conformance.peer import Chunk, ScriptedPeer
from antiphon.proof.conformance.positions import ScriptedHistory
from antiphon.proof.conformance.store import Mischief, ScriptedStore
from antiphon.proof.conformance.transcript import Transcript
from antiphon.protocol.command import Command, Hello, Sent
from antiphon.protocol.errors import AntiphonError
from antiphon.protocol.facts import ReplicaFacts
from antiphon.protocol.ids import ClaimId, CollectionId, ConnectionId, Epoch, PeekId

Found = TypeVar("Found")


class Session(Protocol):
    """One stream, from the controller's end. Nothing is checked before it leaves: a check may say
    what no controller would."""

    @property
    def transcript(self) -> Transcript: ...

    async def say(self, *commands: Sent) -> None:
        """In one batch, as they are."""
        ...

    async def send(self, *commands: Command) -> None:
        """In one batch, numbered where they have to be."""
        ...

    async def until(self, find: Callable[[Transcript], Found | None], expected: str) -> Found:
        """What `find` returns once it returns something true.

        Raises:
            Failed: patience ran out, or the stream ended; it names what was `expected`.
            NotApplicable: the stream ended because the replica does not serve this.
        """
        ...

    async def end(self) -> AntiphonError | None:
        """How the replica ended the stream; None: without an error. Raises Failed if it does
        not."""
        ...

    @property
    def ended(self) -> bool: ...

    async def close(self) -> None:
        """Ends the stream from here."""
        ...


class Bench(Protocol):
    """One check's world: a store of its own, ids that no other check uses, the replica."""

    @property
    def store(self) -> ScriptedStore: ...

    @property
    def history(self) -> ScriptedHistory: ...

    @property
    def peer(self) -> ScriptedPeer: ...

    @property
    def peer_address(self) -> str:
        """Where the replica finds the peer."""
        ...

    @property
    def epoch(self) -> Epoch:
        """Of the controller that the check is."""
        ...

    # Ids.

    def collection(self) -> CollectionId: ...

    def transient(self) -> CollectionId: ...

    def peek_id(self) -> PeekId: ...

    def connection_id(self) -> ConnectionId: ...

    def claim_id(self) -> ClaimId: ...

    # The store.

    def table(self, *rows: Row) -> CollectionId:
        """A new table, filled from the beginning."""
        ...

    async def append(
        self,
        time: int,
        collection: CollectionId,
        *changes: tuple[Row, int],
        errors: tuple[tuple[str, int], ...] = (),
        mischief: Mischief = Mischief.NONE,
    ) -> None:
        """One tick, pushed to the open tails, or not, as `mischief` says."""
        ...

    async def release(self) -> None:
        """Snapshots that the store holds back are given."""
        ...

    # The replica.

    async def probe(self) -> ReplicaFacts: ...

    async def facts_where(
        self, holds: Callable[[ReplicaFacts], bool], expected: str
    ) -> ReplicaFacts:
        """The facts once they are as expected: they may lag behind what took effect. Raises
        Failed."""
        ...

    async def stored(self, holds: Callable[[ScriptedStore], bool], expected: str) -> None:
        """Waits until the store is as expected. Raises Failed."""
        ...

    async def hello(self, **fields: Any) -> Hello:
        """As the facts demand, but for `fields`."""
        ...

    def next_epoch(self) -> None:
        """Another controller speaks from here on: the next epoch, claimed anew."""
        ...

    def open(self) -> Session:
        """A stream on which nothing was said."""
        ...

    async def connect(self, *commands: Command, **fields: Any) -> Session:
        """A session up to InitializationComplete, all of it in one batch. `fields` are those of
        Hello. A refusal shows when the session is used."""
        ...

    async def fetch(self, peek_id: PeekId) -> list[tuple[bytes, int]]:
        """The chunks of a stashed result, each with its row count. Raises ComputeError."""
        ...

    async def state(
        self,
        collection: CollectionId,
        time: int,
        *,
        epoch: Epoch | None = None,
        history_id: bytes = b"",
        first_chunk: int = 0,
        chunks_max: int | None = None,
    ) -> list[Chunk]:
        """The state, as a peer fetches it; after `chunks_max` it hangs up. `history_id`: of whose
        collections it takes it for; empty: it does not say. Raises ComputeError."""
        ...

    async def health(self) -> bool:
        """Whether the health service says that Compute is serving. Raises ComputeError."""
        ...

    async def restart(self) -> None:
        """The replica's process is killed and started again. Raises NotApplicable if nobody said
        how."""
        ...

    async def pause(self, seconds: float) -> None:
        """For what must not happen."""
        ...
