"""Statements that change data, and appends that come without SQL.

`INSERT ... VALUES` appends at once. `UPDATE`, `DELETE`, `INSERT ... SELECT`, `CREATE TABLE AS` and
what says `ON CONFLICT` read first, at the latest time, and append on the condition that what they
read from has not changed since; if it has, they read again. So they are serialisable with
everything else, and nothing is locked, but for a statement that was overtaken several times:
appends of others then wait until it is through.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, assert_never

import pyarrow as pa

from antiphon.controller.catalog import ItemKind
from antiphon.controller.instance.event import PeekRequested, RequestCanceled, StashReleased
from antiphon.controller.kernel import Kernel
from antiphon.controller.ports import (
    AppendReply,
    DoneReply,
    ErrorReply,
    ReplanReply,
    Reply,
    RowsReply,
    StashReply,
)
from antiphon.controller.request import (
    AppendReceived,
    ResultFetched,
    StatementReceived,
)
from antiphon.controller.sql.statement import (
    CreateTable,
    DataStatement,
    Delete,
    Insert,
    InsertSelect,
    Merge,
    Update,
)
from antiphon.controller.sql.statements.change import (
    deleted_rows,
    inserted_rows,
    merged_rows,
    returned_rows,
    updated_rows,
)
from antiphon.controller.statements.definition import Definitions
from antiphon.history.store import Append, AppendApplied, AppendRefused
from antiphon.protocol.delta import decode_batch
from antiphon.protocol.errors import (
    CollectionMissing,
    ComputeError,
    LimitExceeded,
    ReadConflict,
    SinceViolation,
    Unavailable,
)
from antiphon.protocol.ids import CollectionId, PeekId, ReplicaId, show
from antiphon.protocol.limits import APPEND_BYTES_MAX, APPEND_ROWS_MAX
from antiphon.protocol.schema import arrow_schema

READS_MAX: Final = 8  # of one statement that others overtake, before it gives up
READS_BEFORE_RESERVING: Final = 3  # then it has others wait for it
assert READS_BEFORE_RESERVING + 2 < READS_MAX, "what was under way may overtake it once more"

ReadingStatement = InsertSelect | Merge | Update | Delete


@dataclass(slots=True)
class _Run:
    """One statement between its read and its append."""

    event: StatementReceived
    statement: ReadingStatement
    creates: CreateTable | None = None  # the table that the rows are for
    reads: int = 0
    reading: int | None = None  # the internal request of the read that is under way
    reserved: bool = False  # it has asked that others wait
    applied: AppendApplied | None = None  # by an earlier attempt: what it found is read once more


class Changes:
    """Performs data statements; any number at a time."""

    def __init__(self, kernel: Kernel, definitions: Definitions) -> None:
        self._kernel = kernel
        self._definitions = definitions
        self._runs: dict[int, _Run] = {}  # by the caller's request
        self._fetching: dict[int, Callable[[ResultFetched], None]] = {}

    def append(self, event: AppendReceived) -> None:
        """An append from outside, whose rows were checked before."""
        kernel = self._kernel

        def outcome(result: AppendApplied | AppendRefused) -> None:
            match result:
                case AppendApplied(time=time, row_count=row_count, duplicate=duplicate):
                    reply = AppendReply(time=time, row_count=row_count, duplicate=duplicate)
                    kernel.reply(event.request, reply)
                case AppendRefused(error=error):
                    kernel.fail(event.request, error)

        if event.collection not in kernel.catalog.items:
            kernel.fail(event.request, _gone(event.collection))
            return
        append = Append(collection=event.collection, rows=event.rows, producer=event.producer)
        kernel.append(append, outcome)

    def begin(self, event: StatementReceived, statement: DataStatement) -> None:
        known = self._kernel.catalog.items.get(statement.item.id)
        if known is None or known.name != statement.item.name:
            self._kernel.reply(event.request, ReplanReply())
            return
        match statement:
            case Insert():
                self._insert(event, statement)
            case InsertSelect() | Merge() | Update() | Delete():
                run = _Run(event, statement)
                self._runs[event.request] = run
                self._read(run)
            case _:
                assert_never(statement)

    def create(
        self, event: StatementReceived, statement: CreateTable, content: InsertSelect
    ) -> None:
        """CREATE TABLE AS: read, then create the table with what was found, whole."""
        run = _Run(event, content, creates=statement)
        self._runs[event.request] = run
        self._read(run)

    def cancel(self, request: int) -> bool:
        """The caller is gone. A read is given up; an append that waits is still made, and its
        outcome stays unknown to the caller. False: no statement has this request."""
        run = self._runs.pop(request, None)
        if run is None:
            return False
        self._kernel.reservations.release(request, self._kernel.now_ms)
        if run.reading is not None:
            self._kernel.forget(run.reading)
            self._fetching.pop(run.reading, None)
            self._kernel.step(RequestCanceled(request=run.reading))
        return True

    def on_fetched(self, event: ResultFetched) -> None:
        then = self._fetching.pop(event.request, None)
        if then is not None:
            then(event)

    def _insert(self, event: StatementReceived, statement: Insert) -> None:
        kernel = self._kernel

        returned = None if statement.returning is None else statement.returning.rows
        try:
            _check_returned(event, returned)
        except LimitExceeded as error:
            kernel.fail(event.request, error)
            return

        def outcome(result: AppendApplied | AppendRefused) -> None:
            match result:
                case AppendApplied(duplicate=True) if _is_clocked(statement):
                    reply = _forgotten(statement, statement.rows.num_rows, result)
                    kernel.reply(event.request, reply)
                case AppendApplied(time=time):
                    reply = _done(statement, statement.rows.num_rows, time, returned)
                    kernel.reply(event.request, reply)
                case AppendRefused(error=error):
                    kernel.fail(event.request, error)

        append = Append(collection=statement.item.id, rows=statement.rows, producer=event.producer)
        kernel.append(append, outcome)

    def _read(self, run: _Run) -> None:
        """Ask for the affected rows at the latest time; or as they were before an earlier attempt,
        which nobody had changed until then."""
        kernel, read = self._kernel, run.statement.read
        if any(needed not in kernel.catalog.items for needed in read.imports):
            if run.applied is None:
                self._finish(run, ReplanReply())
            else:
                self._forget(run, run.applied)
            return
        run.reads += 1
        run.reading = kernel.expect(lambda reply: self._on_read(run, reply))
        kernel.step(
            PeekRequested(
                request=run.reading,
                peek_id=PeekId(kernel.world.random.random_id()),
                target=read.target,
                schema=read.schema,
                finishing=read.finishing,
                imports=read.imports,
                time=None if run.applied is None else run.applied.time - 1,
                replica=run.event.options.replica,
                rows_max=APPEND_ROWS_MAX,
                bytes_max=APPEND_BYTES_MAX,
            )
        )

    def _on_read(self, run: _Run, reply: Reply) -> None:
        match reply:
            case RowsReply(batches=batches, time=time):
                self._append_change(run, batches, time)
            case StashReply(peek_id=peek_id, replica=replica, time=time):
                self._fetch(run, peek_id, replica, time)
            case ErrorReply(error=SinceViolation()) if run.applied is not None:
                self._forget(run, run.applied)
            case ErrorReply():
                self._finish(run, reply)
            case _:
                raise AssertionError(f"a read was answered by {type(reply).__name__}")

    def _fetch(self, run: _Run, peek_id: bytes, replica: ReplicaId, time: int) -> None:
        reading = run.reading
        assert reading is not None, "a result came without a read"

        def then(event: ResultFetched) -> None:
            if event.error is None:
                self._append_change(run, event.batches, time)
                return
            self._kernel.step(StashReleased(replica=replica, peek_id=PeekId(peek_id)))
            if run.reads < READS_MAX:
                self._read(run)  # who kept the answer may be gone, and another one has it too
            else:
                # Whatever became of the call that read: nothing was changed.
                self._finish(run, ErrorReply(Unavailable(event.error.message)))

        self._fetching[reading] = then
        self._kernel.world.links.fetch(replica, PeekId(peek_id), reading)

    def _append_change(self, run: _Run, batches: tuple[bytes, ...], time: int) -> None:
        run.reading = None
        statement = run.statement
        try:
            answer = _one_batch(batches, arrow_schema(statement.read.schema))
            rows = _changed_rows(statement, answer)
            returned = returned_rows(statement, answer)
            _check_returned(run.event, returned)
        except ComputeError as error:
            self._finish(run, ErrorReply(error))
            return
        if run.applied is not None:
            reply = _done(statement, answer.num_rows, run.applied.time, returned)
            self._finish(run, reply)
            return
        if run.creates is not None:
            content = Append(
                collection=statement.item.id,
                rows=rows,
                unchanged=statement.read.sources,
                unchanged_since=time,
            )
            self._definitions.begin(
                run.event, run.creates, content, lambda reply: self._on_created(run, reply)
            )
            return
        if answer.num_rows == 0 and run.event.producer is None:
            self._finish(run, _done(statement, 0, time, returned))
            return
        # With a producer even nothing is appended: a retry that finds nothing left to change is
        # answered with what its first attempt did, and when.
        append = Append(
            collection=statement.item.id,
            rows=rows,
            producer=run.event.producer,
            unchanged=statement.read.sources,
            unchanged_since=time,
        )
        self._kernel.append(
            append,
            lambda result: self._on_outcome(run, answer.num_rows, returned, result),
            run.event.request,
        )

    def _on_outcome(
        self,
        run: _Run,
        row_count: int,
        returned: pa.RecordBatch | None,
        result: AppendApplied | AppendRefused,
    ) -> None:
        match result:
            case AppendApplied(duplicate=True) if _is_clocked(run.statement):
                self._forget(run, result)
            case AppendApplied(duplicate=True) if returned is not None:
                run.applied = result
                self._read(run)
            case AppendApplied(time=time, row_count=appended, duplicate=duplicate):
                changed = row_count
                if duplicate:
                    changed = _changed_count(run.statement, appended, row_count)
                self._finish(run, _done(run.statement, changed, time, returned))
            case AppendRefused(error=error):
                self._on_refused(run, error)

    def _on_created(self, run: _Run, reply: Reply | None) -> None:
        match reply:
            case ErrorReply(error=error):
                self._on_refused(run, error)
            case _:
                self._finish(run, reply)

    def _on_refused(self, run: _Run, error: ComputeError) -> None:
        if not isinstance(error, ReadConflict):
            self._finish(run, ErrorReply(error))
        elif run.reads >= READS_MAX:
            conflict = ReadConflict(
                f"what the statement read was changed by others {READS_MAX} times in a row",
                reads=READS_MAX,
            )
            self._finish(run, ErrorReply(conflict))
        elif run.event.request in self._runs:
            self._read_again(run)

    def _read_again(self, run: _Run) -> None:
        request, reservations = run.event.request, self._kernel.reservations
        if run.reserved or run.reads < READS_BEFORE_RESERVING:
            self._read(run)
            return
        run.reserved = True  # once: a reservation that ran out is not had again
        sources = run.statement.read.sources
        reservations.wish(request, sources, self._kernel.now_ms, lambda: self._read(run))

    def _forget(self, run: _Run, applied: AppendApplied) -> None:
        row_count = _changed_count(run.statement, applied.row_count, 0)
        self._finish(run, _forgotten(run.statement, row_count, applied))

    def _finish(self, run: _Run, reply: Reply | None) -> None:
        """`reply` None: it was given already."""
        self._kernel.reservations.release(run.event.request, self._kernel.now_ms)
        # Absent: the caller went away meanwhile.
        if self._runs.pop(run.event.request, None) is not None and reply is not None:
            self._kernel.reply(run.event.request, reply)


def _changed_rows(statement: ReadingStatement, answer: pa.RecordBatch) -> pa.RecordBatch:
    match statement:
        case InsertSelect():
            rows = inserted_rows(statement, answer)
        case Merge():
            rows = merged_rows(statement, answer)
        case Update():
            rows = updated_rows(statement, answer)
        case Delete():
            rows = deleted_rows(statement, answer)
        case _:
            assert_never(statement)
    if rows.num_rows > APPEND_ROWS_MAX:
        raise LimitExceeded(
            f"the statement changes {rows.num_rows} rows, at most {APPEND_ROWS_MAX}: change them in"
            " parts",
            limit="APPEND_ROWS_MAX",
        )
    return rows


def _changed_count(statement: ReadingStatement, appended: int, found: int) -> int:
    """Rows that a person would say were changed, where an earlier attempt did it: a table's update
    appends each old and new row. How many rows a merge found is not kept: as many as it `found`
    now, if that can be."""
    if isinstance(statement, Merge):
        return min(max(found, (appended + 1) // 2), appended)
    replaces = isinstance(statement, Update) and statement.item.kind is ItemKind.TABLE
    return appended // 2 if replaces else appended


def _one_batch(batches: tuple[bytes, ...], schema: pa.Schema) -> pa.RecordBatch:
    """
    Raises:
        SchemaMismatch: the replica answered with other columns than were asked for.
    """
    decoded = [decode_batch(message, schema) for message in batches]
    if len(decoded) == 1:
        return decoded[0]
    table = pa.Table.from_batches(decoded, schema=schema).combine_chunks()
    parts = table.to_batches()
    return parts[0] if parts else pa.RecordBatch.from_pylist([], schema=schema)


def _done(
    statement: DataStatement, row_count: int, time: int, returned: pa.RecordBatch | None
) -> DoneReply:
    tag = f"{statement.tag} {row_count}"
    return DoneReply(tag=tag, row_count=row_count, time=time, returned=returned)


def _is_clocked(statement: DataStatement) -> bool:
    return statement.returning is not None and statement.returning.is_clocked


def _check_returned(event: StatementReceived, returned: pa.RecordBatch | None) -> None:
    """
    Raises:
        LimitExceeded: RETURNING gives more than the caller takes; nothing has been done yet.
    """
    if returned is None:
        return
    options = event.options
    for limit, value, found in (
        ("rows_max", options.rows_max, returned.num_rows),
        ("bytes_max", options.bytes_max, returned.nbytes),
    ):
        if found > value:
            raise LimitExceeded(
                f"RETURNING gives {found} {limit.removesuffix('_max')}, more than {limit} = "
                f"{value}; nothing was changed",
                limit=limit, value=value, found=found,
            )  # fmt: skip


def _forgotten(statement: DataStatement, row_count: int, applied: AppendApplied) -> DoneReply:
    """Of an earlier attempt, whose answer was lost for good."""
    notice = (
        f"an earlier attempt of the statement took effect at {applied.time}; what it returned "
        "cannot be told again: read the table"
    )
    return DoneReply(
        tag=f"{statement.tag} {row_count}", row_count=row_count, time=applied.time,
        notices=(notice,),
    )  # fmt: skip


def _gone(collection: CollectionId) -> CollectionMissing:
    return CollectionMissing(f"{show(collection)} was dropped", collection=show(collection))
