"""Reads at one time: what each waits for, and its answer.

A peek waits until all it reads is complete past its time, and holds that time meanwhile: a later
compaction, even a drop, does not take from it what it was promised. It is answered exactly once.
Errors win over rows; a read before since is a failure, not a guess.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol, assert_never

import pyarrow as pa

from antiphon.protocol.command import IndexTarget, Peek, PlanTarget
from antiphon.protocol.dataflow import CollectionKind, Import
from antiphon.protocol.errors import (
    CollectionMissing,
    ComputeError,
    InvalidArgument,
    SinceViolation,
)
from antiphon.protocol.failure import failure_of
from antiphon.protocol.frontier import CLOSED, Frontier
from antiphon.protocol.ids import CollectionId, PeekId, show
from antiphon.protocol.plan import Plan
from antiphon.protocol.response import (
    Failure,
    PeekCanceled,
    PeekResponse,
    PeekRows,
    PeekStashed,
)
from antiphon.protocol.schema import Schema, arrow_type
from antiphon.replica.configuration import Configuration
from antiphon.replica.dataflow.arrangements.trace import Trace
from antiphon.replica.dataflow.columns.zset import Zset
from antiphon.replica.dataflow.graph import ImportSpec, evaluate_once
from antiphon.replica.importing.deltas import decode
from antiphon.replica.installing.render import decode_plan, specs_of
from antiphon.replica.ports import (
    CancelSnapshot,
    DropStash,
    ReadSnapshot,
    Request,
    SnapshotFailed,
    SnapshotPart,
    Stash,
)
from antiphon.replica.readers.data_errors import data_failure
from antiphon.replica.readers.finishing import Answer, finish

# Answers whose cancellation may still have to free a stash; older ones expire in the front.
STASHES_REMEMBERED_MAX: Final = 1_024
_STORED: Final = (CollectionKind.TABLE, CollectionKind.FEED)


class Readable(Protocol):
    """An index or materialized view of this replica."""

    @property
    def schema(self) -> Schema: ...

    @property
    def trace(self) -> Trace: ...

    @property
    def failure(self) -> Failure | None:
        """Why it will never be complete, if so."""
        ...

    def profile(self) -> Zset:
        """What the operators that keep it have done: rows of `PROFILE`."""
        ...


@dataclass(slots=True)
class _Snapshot:
    """What is read from the store for one peek."""

    imported: Import
    parts: list[Zset] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class _Pending:
    peek: Peek
    plan: Plan | None = None  # decoded before it waits, so that a bad one is refused at once
    specs: dict[CollectionId, ImportSpec] = field(default_factory=dict)  # of what the plan reads
    traces: dict[CollectionId, Readable] = field(default_factory=dict)
    missing: set[int] = field(default_factory=set)  # snapshots under way
    snapshots: list[_Snapshot] = field(default_factory=list)


class Peeks:
    """The peeks of one connection that wait, and the stashes of those that do not.

    `find` gives a collection of this replica; `number` draws snapshot numbers; requests are
    appended to `requests`, answers to `responses`.
    """

    def __init__(
        self,
        find: Callable[[CollectionId], Readable | None],
        number: Callable[[], int],
        requests: list[Request],
        respond: Callable[[PeekResponse], None],
    ) -> None:
        self._find = find
        self._number = number
        self._requests = requests
        self._respond = respond
        self._waiting: dict[PeekId, _Pending] = {}
        self._reading: dict[int, tuple[_Pending, _Snapshot]] = {}
        self._stashed: dict[PeekId, None] = {}

    def start(self, peek: Peek, configuration: Configuration) -> None:
        """Answers at once if all is there."""
        try:
            pending = self._resolve(peek)
        except ComputeError as error:
            self._respond(PeekResponse(peek_id=peek.peek_id, result=failure_of(error)))
            return
        self._waiting[peek.peek_id] = pending
        if self._is_ready(pending):
            self._finish(pending, configuration)

    def cancel(self, peek_id: PeekId) -> None:
        """A waiting peek is answered with `PeekCanceled`; an answered one only frees its stash."""
        pending = self._waiting.get(peek_id)
        if pending is not None:
            self._forget(pending)
            self._respond(PeekResponse(peek_id=peek_id, result=PeekCanceled()))
        elif peek_id in self._stashed:
            del self._stashed[peek_id]
            self._requests.append(DropStash(peek_id=peek_id))

    def answer_ready(self, configuration: Configuration) -> None:
        """Answers what waited for progress that has been made."""
        for pending in list(self._waiting.values()):
            if self._is_ready(pending):
                self._finish(pending, configuration)

    def clear(self) -> None:
        """The connection is gone: nobody waits for the answers."""
        for pending in list(self._waiting.values()):
            self._forget(pending)

    def hold(self, collection: CollectionId) -> Frontier:
        """The earliest time at which a waiting peek reads the collection; closed: none does."""
        earliest = CLOSED
        for pending in self._waiting.values():
            if collection in pending.traces:
                earliest = earliest.meet(Frontier(pending.peek.time))
        return earliest

    def owns(self, snapshot: int) -> bool:
        return snapshot in self._reading

    def snapshot_part(self, part: SnapshotPart, configuration: Configuration) -> None:
        """Raises SchemaMismatch if the part is not of the collection."""
        pending, snapshot = self._reading[part.snapshot]
        ticks = decode(part.delta, snapshot.imported.schema)
        snapshot.parts += [change for _, change in ticks]
        if not part.last:
            return
        del self._reading[part.snapshot]
        pending.missing.discard(part.snapshot)
        if self._is_ready(pending):
            self._finish(pending, configuration)

    def snapshot_failed(self, event: SnapshotFailed) -> None:
        pending, _ = self._reading.pop(event.snapshot)
        pending.missing.discard(event.snapshot)
        self._fail(pending, failure_of(event.error))

    def _resolve(self, peek: Peek) -> _Pending:
        pending = _Pending(peek=peek)
        stored: list[Import] = []
        match peek.target:
            case IndexTarget(profile=True, plan=plan, keys=keys) if plan or keys:
                raise InvalidArgument("a profile has neither keys nor a plan")
            case IndexTarget(collection=collection, plan=plan):
                found = self._readable(collection, peek.time)
                pending.traces[collection] = found
                if plan is not None:
                    imported = Import(
                        collection=collection, kind=CollectionKind.INDEX, schema=found.schema
                    )
                    pending.plan = decode_plan(plan, (imported,))
                    pending.specs = specs_of((imported,))
            case PlanTarget(plan=plan, imports=imports):
                pending.plan = decode_plan(plan, imports)
                pending.specs = specs_of(imports)
                for imported in imports:
                    if imported.kind in _STORED:
                        stored.append(imported)
                    else:
                        pending.traces[imported.collection] = self._readable(
                            imported.collection, peek.time
                        )
            case _:
                assert_never(peek.target)
        for imported in stored:  # only once nothing more can be refused
            self._read(pending, imported)
        return pending

    def _readable(self, collection: CollectionId, time: int) -> Readable:
        found = self._find(collection)
        if found is None:
            raise CollectionMissing(
                f"{show(collection)} is not kept on this replica", collection=collection
            )
        since = found.trace.since
        if not since.less_equal(Frontier(time)):
            raise SinceViolation(
                f"{show(collection)} at {time} is gone: since is {since}",
                collection=collection,
                time=time,
            )
        return found

    def _read(self, pending: _Pending, imported: Import) -> None:
        number = self._number()
        snapshot = _Snapshot(imported)
        pending.missing.add(number)
        pending.snapshots.append(snapshot)
        self._reading[number] = (pending, snapshot)
        self._requests.append(
            ReadSnapshot(snapshot=number, collection=imported.collection, as_of=pending.peek.time)
        )

    def _is_ready(self, pending: _Pending) -> bool:
        if pending.missing:
            return False
        time = pending.peek.time
        return all(
            found.failure is not None or found.trace.upper.passes(time)
            for found in pending.traces.values()
        )

    def _finish(self, pending: _Pending, configuration: Configuration) -> None:
        peek = pending.peek
        try:
            answer = _evaluate(pending, configuration)
        except ComputeError as error:
            self._fail(pending, failure_of(error))
            return
        if isinstance(answer, Failure):
            self._fail(pending, answer)
            return
        self._forget(pending)
        result: PeekRows | PeekStashed
        if answer.byte_count <= configuration.inline_bytes_max:
            result = PeekRows(batches=answer.batches, row_count=answer.row_count)
        else:
            self._stash(peek.peek_id, answer)
            result = PeekStashed(row_count=answer.row_count, byte_count=answer.byte_count)
        self._respond(PeekResponse(peek_id=peek.peek_id, result=result))

    def _stash(self, peek_id: PeekId, answer: Answer) -> None:
        self._requests.append(
            Stash(peek_id=peek_id, batches=answer.batches, row_counts=answer.row_counts)
        )
        self._stashed[peek_id] = None
        if len(self._stashed) > STASHES_REMEMBERED_MAX:
            del self._stashed[next(iter(self._stashed))]

    def _fail(self, pending: _Pending, failure: Failure) -> None:
        self._forget(pending)
        self._respond(PeekResponse(peek_id=pending.peek.peek_id, result=failure))

    def _forget(self, pending: _Pending) -> None:
        del self._waiting[pending.peek.peek_id]
        for number in sorted(pending.missing):
            del self._reading[number]
            self._requests.append(CancelSnapshot(snapshot=number))


def _evaluate(pending: _Pending, configuration: Configuration) -> Answer | Failure:
    """Raises ComputeError: a limit, a malformed key, an operator that is not served."""
    for found in pending.traces.values():
        if found.failure is not None:
            return found.failure
    peek = pending.peek
    target = peek.target
    if isinstance(target, IndexTarget) and target.profile:
        rows = pending.traces[target.collection].profile()
        return _finished(peek, rows, configuration)
    inputs = _inputs(pending)
    for read in inputs.values():
        failure = data_failure(read.errors)
        if failure is not None:
            return failure
    if pending.plan is None:
        (rows,) = inputs.values()
    else:
        rows = evaluate_once(pending.plan, pending.specs, inputs, peek.time)
        failure = data_failure(rows.errors)
        if failure is not None:
            return failure
    return _finished(peek, rows, configuration)


def _finished(peek: Peek, rows: Zset, configuration: Configuration) -> Answer:
    return finish(
        rows.columns,
        rows.diffs,
        finishing=peek.finishing,
        schema=peek.schema,
        rows_max=peek.rows_max,
        bytes_max=min(peek.bytes_max, configuration.result_bytes_max),
    )


def _inputs(pending: _Pending) -> dict[CollectionId, Zset]:
    """What the peek reads, at its time. Raises InvalidArgument: malformed keys."""
    target, time = pending.peek.target, pending.peek.time
    if isinstance(target, IndexTarget) and target.keys is not None:
        trace = pending.traces[target.collection].trace
        return {target.collection: trace.lookup(_keys(target.keys, trace), time)}
    inputs = {
        collection: found.trace.snapshot(time) for collection, found in pending.traces.items()
    }
    for snapshot in pending.snapshots:
        inputs[snapshot.imported.collection] = Zset.concat(snapshot.imported.schema, snapshot.parts)
    return inputs


def _keys(stream: bytes, trace: Trace) -> tuple[pa.Array, ...]:
    """A column for each of the arrangement's key columns, of its type."""
    wanted = [arrow_type(trace.schema.columns[index].type) for index in trace.key_columns]
    try:
        with pa.ipc.open_stream(pa.py_buffer(stream)) as reader:
            table = reader.read_all()
        if table.num_columns != len(wanted):
            raise InvalidArgument(f"{table.num_columns} key columns where {len(wanted)} are due")
        columns = [_one_chunk(column) for column in table.columns]
        return tuple(
            column if column.type == kind else column.cast(kind)
            for column, kind in zip(columns, wanted, strict=True)
        )
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        raise InvalidArgument(f"the keys do not fit the index: {error}") from error


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
