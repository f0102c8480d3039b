"""Commands on what the worker holds. Each takes effect whole or raises and changes nothing."""

from __future__ import annotations

from typing import assert_never

from antiphon.protocol.command import (
    AcceptRebuild,
    AllowCompaction,
    AllowWrites,
    CancelPeek,
    CancelRebuild,
    Command,
    CreateDataflow,
    CreateInstance,
    Hello,
    InitializationComplete,
    Peek,
    Schedule,
    StartRebuild,
    UpdateConfiguration,
)
from antiphon.protocol.dataflow import CopyToExport, DataflowDescription, MaterializedViewExport
from antiphon.protocol.errors import (
    CollectionMissing,
    ComputeError,
    LimitExceeded,
    RemoteProtocolError,
    SinceViolation,
)
from antiphon.protocol.failure import failure_of
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import ClaimId, CollectionId, Epoch, show
from antiphon.replica.held import STORED, Held
from antiphon.replica.installing.exported import InstalledExport
from antiphon.replica.installing.installed import InstalledDataflow
from antiphon.replica.installing.render import render
from antiphon.replica.readers.copy_out import CopyOut


def apply(held: Held, command: Command, writer: tuple[Epoch, ClaimId]) -> None:
    """Raises RemoteProtocolError for what no session lets through and for malformed values."""
    match command:
        case CreateInstance(configuration=values) | UpdateConfiguration(values=values):
            held.configuration = held.configuration.updated(values)
        case CreateDataflow(dataflow=description):
            _create(held, description)
        case Schedule(bases=bases):
            for export in [_find(held, collection) for collection in command.collections]:
                held.start(export.owner, bases, writer[0])
        case AllowCompaction(frontier=frontier):
            for export in [_find(held, collection) for collection in command.collections]:
                _compact(held, export, frontier)
        case Peek():
            held.peeks.start(command, held.configuration)
        case CancelPeek(peek_id=peek_id):
            held.peeks.cancel(peek_id)
        case AllowWrites():
            held.writer = writer
            for sink in held.sinks.values():
                sink.allow(*writer)
        case StartRebuild() | CancelRebuild() | AcceptRebuild():
            raise RemoteProtocolError(f"{type(command).__name__} within a set of commands")
        case Hello() | InitializationComplete():
            raise RemoteProtocolError(f"{type(command).__name__} reached the worker")
        case _:
            assert_never(command)


def _find(held: Held, collection: CollectionId) -> InstalledExport:
    found = held.installed.find(collection)
    if found is None or found.dropped:
        raise RemoteProtocolError(f"there is no {show(collection)}")
    return found


def _require_room(held: Held) -> None:
    """Raises LimitExceeded: what is installed holds all the memory that it may."""
    limit = held.configuration.state_bytes_max
    found = held.state_bytes
    if found >= limit:
        raise LimitExceeded(
            f"this replica's dataflows hold {found} bytes, and state_bytes_max is {limit}: drop an"
            " index or a view, or raise it with ALTER SYSTEM SET state_bytes_max",
            limit="state_bytes_max",
            value=limit,
            found=found,
        )


def _create(held: Held, description: DataflowDescription) -> None:
    """Installs a dataflow. One that cannot run stays and says so to whoever reads it."""
    upstream: list[InstalledExport] = []
    failure = None
    engine = None
    try:
        for imported in description.imports:
            if imported.kind not in STORED:
                upstream.append(_upstream(held, imported.collection, description.as_of))
        _require_room(held)
        engine = render(description, held.clock, shares=True)
    except ComputeError as error:
        failure = failure_of(error)
        upstream = []
    dataflow = InstalledDataflow(description, engine, failure)
    for source in upstream:
        reader = held.read_upstream(source, dataflow.as_of)
        dataflow.upstream.append((source, reader))
        dataflow.inputs.append(reader)
    held.installed.add(dataflow)
    if failure is None:
        held.await_start(dataflow)
    for export, installed in zip(description.exports, dataflow.exports, strict=True):
        held.note_moved(installed)
        if isinstance(export.kind, MaterializedViewExport) and failure is None:
            held.open_sink(installed)
        if isinstance(export.kind, CopyToExport):
            _copy_out(held, installed, export.kind)
        if failure is not None:
            installed.fail(failure)


def _copy_out(held: Held, export: InstalledExport, kind: CopyToExport) -> None:
    copy = CopyOut(
        export.collection,
        export.schema,
        kind,
        export.owner.as_of,
        number=held.number,
        files=held.files,
        responses=held.responses,
    )
    export.copy = held.copies[export.collection] = copy


def _upstream(held: Held, collection: CollectionId, as_of: Frontier) -> InstalledExport:
    """Raises CollectionMissing, SinceViolation: it cannot be read from `as_of` on."""
    found = held.installed.readable(collection)
    if found is None:
        raise CollectionMissing(
            f"{show(collection)} is not kept on this replica", collection=collection
        )
    if not found.trace.since.less_equal(as_of):
        raise SinceViolation(
            f"{show(collection)} at {as_of} is gone: since is {found.trace.since}",
            collection=collection,
        )
    return found


def _compact(held: Held, export: InstalledExport, frontier: Frontier) -> None:
    held.compact_soon(export)
    if not frontier.is_closed:
        export.allowed = export.allowed.join(frontier)
        return
    held.drop(export)
    if export.copy is not None:
        export.copy.drop()
    if export.subscription is not None:
        # What was published but not sent goes first: the drop names the last upper that was sent.
        batch = export.subscription.flush(held.configuration.subscribe_bytes_max)
        last = export.subscription.drop()
        held.responses += [response for response in (batch, last) if response is not None]
