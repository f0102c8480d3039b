"""The fake replica's rebuilds, and the state that it gives to peers: honest, or with one fault."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import grpc

from antiphon.proof.conformance.content import Change, Row, changes_of, delta_of, digest
from antiphon.protocol.command import (
    AcceptRebuild,
    AllowWrites,
    CancelRebuild,
    Command,
    Hello,
    InitializationComplete,
    StartRebuild,
    SyncDecision,
)
from antiphon.protocol.delta import encode_batch
from antiphon.protocol.errors import (
    AntiphonError,
    CollectionMissing,
    ComputeError,
    EpochFenced,
    InstanceMismatch,
    LimitExceeded,
    LinkTimeout,
    NotComplete,
    SinceViolation,
    Unavailable,
)
from antiphon.protocol.failure import failure_of
from antiphon.protocol.ids import NO_SESSION, CollectionId, Epoch, SessionId
from antiphon.protocol.io.channel import open_channel
from antiphon.protocol.response import RebuildCompleted, RebuildResult, Response
from antiphon.v1 import collections_pb2 as pb
from antiphon.v1 import compute_pb2, compute_pb2_grpc
from tests.proof.conformance.copies import Copy, Export
from tests.proof.conformance.faults import Fault
from tests.proof.conformance.faulty import FaultyReplica, Link

STATES_MAX: Final = 8
POLL_S: Final = 0.01


class Lanes(Copy):
    """A table or feed anew: the base at b, and what the tail brings after it. Once it is whole it
    is a copy like others."""

    def __init__(
        self, export: Export, store: Any, moved: Callable[[], None], fault: Fault, base_time: int
    ) -> None:
        self._marks: set[object] = set()
        self._base_time = base_time
        self.newest = base_time
        first = base_time if fault is Fault.READS_THE_BASE_TIME_TWICE else base_time + 1
        super().__init__(export.table, store, moved, fault, first=first, is_feed=export.is_feed)

    async def load(self, peer: str, epoch: Epoch) -> None:
        """Raises ComputeError."""
        try:
            rows = await (self._from_peer(peer, epoch) if peer else self._from_store())
        except grpc.aio.AioRpcError as error:
            raise Unavailable("the base is gone") from error
        applied = {row[0] for row, _, _ in self.changes}
        marked = self._marks if self._fault is Fault.MARKS_ON_RECEIPT else applied
        base = [
            (row, self._base_time, diff)
            for row, diff in rows
            if not self.is_feed or row[0] not in marked
        ]
        if self._fault is Fault.LETS_THE_BASE_WIN:
            self.changes += [(row, self._base_time, diff) for row, diff in rows]
        else:
            self.changes = base + self.changes

    async def _from_store(self) -> list[tuple[Row, int]]:
        request = pb.SnapshotRequest(collection=self._collection, as_of=self._base_time)
        return [
            (row, diff)
            async for chunk in self._store.Snapshot(request)
            for row, _, diff in changes_of(chunk.delta.batches)
        ]

    async def _from_peer(self, peer: str, epoch: Epoch) -> list[tuple[Row, int]]:
        channel = open_channel(peer)
        request = compute_pb2.FetchStateRequest(
            collection=self._collection, time=self._base_time, epoch=epoch
        )
        came: dict[int, list[Change]] = {}
        count, last, said = 0, None, b""
        try:
            async for chunk in compute_pb2_grpc.ComputeStub(channel).FetchState(request):
                count += 1
                came[chunk.index] = changes_of((chunk.batch,) if chunk.batch else ())
                said = chunk.digest or said
                last = chunk.index if chunk.last else last
                self.newest = max(self.newest, chunk.time)
        finally:
            await channel.close()
        found = count if self._fault is Fault.COUNTS_CHUNKS else len(came)
        if last is None or found <= last:
            raise Unavailable("a chunk is missing")
        rows = [(row, diff) for changes in came.values() for row, _, diff in changes]
        trusts = self._fault is Fault.TRUSTS_A_PEER
        if said and not trusts and digest(_counted(rows)) != said:
            raise Unavailable("the chunks are not what the peer says that it has")
        return rows

    def _take(self, batch: pb.TailBatch) -> bool:
        for delta in batch.deltas:
            self._marks |= {row[0] for row, _, _ in changes_of(delta.batches)}
        return super()._take(batch)


@dataclass(slots=True, kw_only=True)
class _Rebuild:
    command: StartRebuild
    lanes: list[tuple[Export, Lanes]]
    task: asyncio.Task[None] | None = None
    is_completed: bool = False

    def close(self) -> None:
        if self.task is not None:
            self.task.cancel()
        for _, lanes in self.lanes:
            lanes.following.cancel()


class RebuildingReplica(FaultyReplica):
    """With rebuilds, and FetchState."""

    def __init__(self, controller: str, fault: Fault) -> None:
        super().__init__(controller, fault)
        self._rebuilds: list[_Rebuild] = []  # one, unless it is ignored that a newer one began
        self._highest: SessionId = NO_SESSION
        self._states = 0
        self._made: tuple[tuple[Copy, int, int], list[Any]] | None = None

    async def close(self) -> None:
        self._end_rebuilds()
        for export in self._exports.values():
            if export.copy is not None:
                export.copy.following.cancel()
        await super().close()

    def _leave(self) -> None:
        super()._leave()
        self._highest = NO_SESSION
        self._end_rebuilds()

    def _take_over(self, link: Link, hello: Hello) -> None:
        super()._take_over(link, hello)
        if self._fault is Fault.FORGETS_THAT_IT_IS_UNACCEPTED:
            self._become(unaccepted=False)

    def _initialize(self, link: Link, command: InitializationComplete) -> None:
        super()._initialize(link, command)
        assert link.session is not None, "a command came through it"
        assert link.session.hello is not None, "the stage says so"
        if link.session.hello.decision is SyncDecision.REBUILD:
            self._become(unaccepted=bool(self._exports))

    def _become(self, *, unaccepted: bool) -> None:
        if unaccepted or self._fault is not Fault.IS_NEVER_ACCEPTED:
            self.facts = replace(self.facts, unaccepted=unaccepted)

    # Rebuilds.

    def _apply(self, link: Link, command: Command) -> None:
        if isinstance(command, AcceptRebuild | AllowWrites):
            self._become(unaccepted=False)
        match command:
            case StartRebuild():
                self._start(link, command)
            case CancelRebuild() if self._fault is not Fault.IGNORES_A_CANCEL:
                self._end_rebuilds()
            case AcceptRebuild(session_id=number):
                for rebuild in self._rebuilds:
                    if rebuild.command.session_id == number:
                        self._accept(rebuild)
            case _:
                super()._apply(link, command)

    def _start(self, link: Link, command: StartRebuild) -> None:
        self._become(unaccepted=self._fault is not Fault.TAKES_A_REBUILD_FOR_ACCEPTED)
        ignores = self._fault is Fault.IGNORES_A_NEWER_REBUILD
        if command.session_id <= self._highest and not ignores:
            self._fail(link, command, Unavailable("a newer one began"))
            return
        if not ignores:
            for older in self._rebuilds:
                if not older.is_completed:
                    self._fail(link, older.command, Unavailable("a newer one began"))
            self._end_rebuilds()
        self._highest = command.session_id
        exports = [self._exports[collection] for collection in command.collections]
        rebuild = _Rebuild(
            command=command,
            lanes=[
                (one, Lanes(one, self._store, self._settle, self._fault, command.base_time))
                for one in exports
            ],
        )
        rebuild.task = asyncio.ensure_future(self._run(link, rebuild))
        self._rebuilds.append(rebuild)

    async def _run(self, link: Link, rebuild: _Rebuild) -> None:
        command, lanes = rebuild.command, [lanes for _, lanes in rebuild.lanes]
        has_deadline = command.deadline_ms and self._fault is not Fault.IGNORES_A_DEADLINE
        try:
            async with asyncio.timeout(command.deadline_ms / 1_000 if has_deadline else None):
                for one in lanes:
                    loading = one.load(command.peer, self._incumbent.epoch)
                    if self._fault is Fault.COMPLETES_WITHOUT_A_BASE:
                        loading.close()
                    else:
                        await loading
                while not all(self._has_passed(one, command) for one in lanes):
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            self._fail(link, command, LinkTimeout("it took too long"))
        except ComputeError as error:
            self._fail(link, command, error)
        else:
            self._complete(link, rebuild)

    def _has_passed(self, lanes: Lanes, command: StartRebuild) -> bool:
        early = self._fault is Fault.COMPLETES_BEFORE_THE_TARGET
        target = command.base_time if early else command.target_time
        return lanes.reached > max(target, lanes.newest)

    def _complete(self, link: Link, rebuild: _Rebuild) -> None:
        rebuild.is_completed = True
        time = min(lanes.reached for _, lanes in rebuild.lanes) - 1
        told = b"".join(digest(lanes.content(time)) for _, lanes in rebuild.lanes)
        if self._fault is Fault.SAYS_ANOTHER_DIGEST:
            told = bytes(len(told))
        result = RebuildResult(
            session_id=rebuild.command.session_id,
            result=RebuildCompleted(achieved_time=time, digest=told),
        )
        for _ in range(2 if self._fault is Fault.SAYS_A_RESULT_TWICE else 1):
            self._respond(link, result)
        if self._fault is Fault.ACCEPTS_BY_ITSELF:
            self._accept(rebuild)

    def _accept(self, rebuild: _Rebuild) -> None:
        for export, lanes in rebuild.lanes:
            if export.copy is not None and export.copy is not lanes:
                export.copy.following.cancel()
            export.copy = lanes
        self._rebuilds = [one for one in self._rebuilds if one is not rebuild]
        self._settle()

    def _fail(self, link: Link, command: StartRebuild, error: ComputeError) -> None:
        self._respond(link, RebuildResult(session_id=command.session_id, result=failure_of(error)))

    def _end_rebuilds(self) -> None:
        for rebuild in self._rebuilds:
            rebuild.close()
        self._rebuilds.clear()

    def _respond(self, link: Link, response: Response) -> None:
        if isinstance(response, RebuildResult) and link.session is not None:
            with contextlib.suppress(AntiphonError):  # a fault may say what no session lets through
                link.session.send(response)
        super()._respond(link, response)

    # State for peers.

    async def FetchState(self, request: Any, context: Any) -> AsyncIterator[Any]:
        collection, time = CollectionId(request.collection), request.time
        serves_all = self._fault is Fault.GIVES_STATE_TO_AN_OLD_EPOCH
        if request.epoch < self.facts.highest_epoch and not serves_all:
            raise EpochFenced(f"epoch {request.epoch} is over")
        self._check_history(request.history_id)
        copy, time = self._state(collection, time)
        if self._states >= STATES_MAX:
            raise LimitExceeded("too many peers")
        self._states += 1
        try:
            for chunk in self._chunks(copy, time)[request.first_chunk :]:
                yield chunk
                await asyncio.sleep(0)
        except BaseException:
            if self._fault is Fault.KEEPS_THE_PLACE_OF_WHO_HUNG_UP:
                self._states += 1
            raise
        finally:
            self._states -= 1

    def _check_history(self, asked: bytes) -> None:
        gives_any = self._fault is Fault.GIVES_STATE_OF_ANOTHER_HISTORY
        ours = self.facts.history_id
        if asked and not gives_any and (ours is None or ours.value != asked):
            raise InstanceMismatch("that is another history")

    def _state(self, collection: CollectionId, time: int) -> tuple[Copy, int]:
        export = self._exports.get(collection)
        if export is not None:
            copy = self._copy(export)
            if time < export.since:
                raise SinceViolation(f"{time} is gone")
            if copy.reached <= time:
                raise NotComplete(f"{time} is not complete")
            return copy, time
        fed = self._tables.get(collection)
        if fed is None or not fed.is_feed or fed.reached <= time:
            raise CollectionMissing("there is none")
        return fed, fed.reached - 1

    def _chunks(self, copy: Copy, time: int) -> list[Any]:
        """Made once for all who ask for the same."""
        key = (copy, time, copy.reached)
        if self._made is None or self._made[0] != key:
            self._made = key, self._cut(copy, time)
        return self._made[1]

    def _cut(self, copy: Copy, time: int) -> list[Any]:
        now = self._fault is Fault.GIVES_STATE_OF_NOW and not copy.is_feed
        rows = sorted(copy.content(copy.reached - 1 if now else time).items())
        if self._fault is Fault.GIVES_A_FEED_WITH_ANOTHER_TIME and copy.is_feed:
            time -= 10
        said = digest(_counted(rows))
        if self._fault is Fault.GIVES_STATE_WITH_ANOTHER_DIGEST:
            said = bytes(16)
        size = max(1, len(rows) // 3)
        starts = list(range(0, max(1, len(rows)), size))
        found = [
            compute_pb2.StateChunk(
                index=number,
                batch=_encoded([(row, time, diff) for row, diff in rows[start : start + size]]),
                last=number == len(starts) - 1,
                digest=said if number == len(starts) - 1 else b"",
                rows_total=len(rows),
                time=time,
            )
            for number, start in enumerate(starts)
        ]
        if self._fault is Fault.GIVES_STATE_OUT_OF_ORDER:
            found[0], found[1] = found[1], found[0]
        return found


def _counted(rows: list[tuple[Row, int]]) -> Counter[Row]:
    return Counter(dict(rows))


def _encoded(changes: list[Change]) -> bytes:
    return b"".join(encode_batch(batch) for batch in delta_of(changes).rows)
