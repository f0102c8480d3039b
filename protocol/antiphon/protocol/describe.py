"""The one renderer: logs, scenario files, CLI and console say the same words.

One line for each value, without line breaks: the name of the message in lower case with dashes,
what it is about, then `name=value` in a fixed order. Row data and plans are counted, not shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import assert_never

from antiphon.protocol.command import (
    COMMANDS,
    AcceptRebuild,
    AllowCompaction,
    AllowWrites,
    CancelPeek,
    CancelRebuild,
    Command,
    CreateDataflow,
    CreateInstance,
    Hello,
    IndexTarget,
    InitializationComplete,
    Peek,
    PlanTarget,
    Schedule,
    Sent,
    StartRebuild,
    UpdateConfiguration,
)
from antiphon.protocol.dataflow import (
    UNFINISHED,
    CopyToExport,
    DataflowDescription,
    Export,
    Finishing,
    IndexExport,
    MaterializedViewExport,
    SubscribeExport,
)
from antiphon.protocol.facts import ReplicaFacts
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId, show
from antiphon.protocol.response import (
    RESPONSES,
    CopyToDropped,
    CopyToResponse,
    CopyToRows,
    Draining,
    Dropped,
    Failure,
    Frontiers,
    PeekCanceled,
    PeekResponse,
    PeekRows,
    PeekStashed,
    RebuildCompleted,
    RebuildProgress,
    RebuildResult,
    Response,
    Status,
    SubscribeBatch,
    SubscribeDropped,
    SubscribeResponse,
)
from antiphon.protocol.stage import Stage

Describable = Sent | Command | Response | Failure | Frontier | Stage | ReplicaFacts
_DIGEST_BYTES_SHOWN = 4
_COLLECTIONS_SHOWN_MAX = 8


def describe(value: Describable) -> str:
    """One line."""
    match value:
        case Sent(position=position, command=command):
            return f"#{position} {describe(command)}" if position else describe(command)
        case Frontier():
            return str(value)
        case Stage():
            return kebab(value.name)
        case Failure():
            return _failure(value)
        case ReplicaFacts():
            return _facts(value)
        case _:
            return _message(value)


def _message(value: Command | Response) -> str:
    name = kebab(type(value).__name__)
    # Two match statements, so that each stays short enough to read beside its closed set.
    rest = _command(value) if isinstance(value, Command) else _response(value)
    return f"{name} {_one_line(rest)}" if rest else name


def kebab(name: str) -> str:
    """`AllowCompaction` and `READ_ONLY` as `allow-compaction` and `read-only`."""
    if "_" in name or name.isupper():
        return name.lower().replace("_", "-")
    dashed = "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name)
    return dashed.removeprefix("-")


def _command(command: Command) -> str:
    match command:
        case Hello():
            return _hello(command)
        case CreateInstance(instance_id=instance, name=name, configuration=configuration):
            return _words(f"{instance} name={name}", _pairs(configuration))
        case InitializationComplete(head_position=head, head_digest=digest):
            return f"head={head} digest={_digest(digest)}"
        case AllowWrites():
            return ""
        case StartRebuild():
            return _words(
                f"{command.session_id} {_ids(command.collections)} base={command.base_time}",
                f"target={command.target_time} deadline_ms={command.deadline_ms}",
                f"peer={command.peer}" if command.peer else "",
            )
        case CancelRebuild(session_id=session, reason=reason):
            return f"{session} reason={reason!r}"
        case AcceptRebuild(session_id=session):
            return f"{session}"
        case UpdateConfiguration(values=values):
            return _pairs(values)
        case CreateDataflow(dataflow=dataflow):
            return _dataflow(dataflow)
        case AllowCompaction(frontier=frontier):
            return f"{_several(command.collections)} frontier={frontier}"
        case Peek():
            return _peek(command)
        case CancelPeek(peek_id=peek):
            return f"{peek}"
        case Schedule(bases=bases):
            named = _several(command.collections)
            return _words(named, *(f"{show(b.collection)}@{b.peer}" for b in bases))
        case _:
            assert_never(command)


def _several(collections: tuple[CollectionId, ...]) -> str:
    """Some by name; of many only how many there are."""
    if len(collections) <= _COLLECTIONS_SHOWN_MAX:
        return ",".join(show(collection) for collection in collections)
    return f"{show(collections[0])} and {len(collections) - 1:,} more"


def _hello(hello: Hello) -> str:
    return (
        f"{hello.replica} epoch={hello.epoch} claim={hello.claim_id} "
        f"connection={hello.connection_id} version={hello.protocol_version} "
        f"decision={kebab(hello.decision.name)} set={kebab(hello.command_set.name)} "
        f"session={hello.session_id} incarnation={hello.expected_incarnation} "
        f"position={hello.expected_position}"
    )


def _dataflow(dataflow: DataflowDescription) -> str:
    exports = ",".join(_export(export) for export in dataflow.exports)
    imports = _ids(item.collection for item in dataflow.imports)
    return _words(
        f"{exports} as_of={dataflow.as_of}",
        f"until={dataflow.until}" if dataflow.until is not None else "",
        f"imports={imports}" if imports else "",
        f"name={dataflow.name!r}" if dataflow.name else "",
        f"plan={len(dataflow.plan)}B",
    )


def _export(export: Export) -> str:
    name = show(export.collection)
    match export.kind:
        case IndexExport(key_columns=keys):
            return f"{name}:index({_numbers(keys)})"
        case MaterializedViewExport():
            return f"{name}:materialized-view"
        case SubscribeExport(with_snapshot=with_snapshot):
            return f"{name}:subscribe" if with_snapshot else f"{name}:subscribe-changes"
        case CopyToExport(uri=uri, format=form):
            return f"{name}:copy-to({uri},{form})"
        case _:
            assert_never(export.kind)


def _peek(peek: Peek) -> str:
    match peek.target:
        case IndexTarget(collection=collection, keys=keys, plan=plan, profile=profile):
            target = _words(
                show(collection),
                "by-key" if keys is not None else "",
                "profile" if profile else "",
                _size("plan", plan),
            )
        case PlanTarget(plan=plan, imports=imports):
            target = _words(_size("plan", plan), f"of={_ids(item.collection for item in imports)}")
        case _:
            assert_never(peek.target)
    return _words(f"{peek.peek_id} time={peek.time}", target, _finishing(peek.finishing))


def _finishing(finishing: Finishing) -> str:
    if finishing == UNFINISHED:
        return ""
    keys = ",".join(
        f"{column}{' desc' if descending else ''}".replace(" ", "-")
        for column, descending, _ in finishing.order_by
    )
    return _words(
        f"order={keys}" if keys else "",
        f"offset={finishing.offset}" if finishing.offset else "",
        f"limit={finishing.limit}" if finishing.limit is not None else "",
        f"columns={_numbers(finishing.project)}" if finishing.project is not None else "",
    )


def _response(response: Response) -> str:
    match response:
        case Frontiers():
            said = (
                ("write", response.write_frontier),
                ("input", response.input_frontier),
                ("output", response.output_frontier),
            )
            moved = (f"{name}={value}" for name, value in said if value is not None)
            return _words(_several(response.collections), *moved)
        case PeekResponse(peek_id=peek, result=result):
            return f"{peek} {_peek_result(result)}"
        case SubscribeResponse(collection=collection, result=result):
            return f"{show(collection)} {_subscribe_result(result)}"
        case CopyToResponse(collection=collection, result=result):
            return f"{show(collection)} {_copy_to_result(result)}"
        case Dropped(collection=collection):
            return show(collection)
        case RebuildResult(session_id=session, result=result):
            return f"{session} {_rebuild_result(result)}"
        case Status():
            return _status(response)
        case Draining(reason=reason):
            return f"reason={reason!r}"
        case _:
            assert_never(response)


def _peek_result(result: PeekRows | PeekStashed | PeekCanceled | Failure) -> str:
    match result:
        case PeekRows(row_count=count):
            return f"rows={count}"
        case PeekStashed(row_count=count, byte_count=size):
            return f"stashed rows={count} bytes={size}"
        case PeekCanceled():
            return "canceled"
        case Failure():
            return _failure(result)
        case _:
            assert_never(result)


def _subscribe_result(result: SubscribeBatch | SubscribeDropped) -> str:
    match result:
        case SubscribeBatch(lower=lower, upper=upper, failure=failure):
            size = sum(len(batch) for batch in result.batches)
            failed = "" if failure is None else _failure(failure)
            return _words(f"{lower}..{upper}", f"bytes={size}" if size else "", failed)
        case SubscribeDropped(at=at):
            return f"dropped at={at}"
        case _:
            assert_never(result)


def _copy_to_result(result: CopyToRows | CopyToDropped | Failure) -> str:
    match result:
        case CopyToRows(row_count=count, path=path):
            return _words(f"rows={count}", f"path={path!r}" if path else "")
        case CopyToDropped():
            return "dropped"
        case Failure():
            return _failure(result)
        case _:
            assert_never(result)


def _rebuild_result(result: RebuildCompleted | Failure) -> str:
    match result:
        case RebuildCompleted(achieved_time=time, digest=digest):
            return f"completed time={time} digest={_digest(digest)}"
        case Failure():
            return _failure(result)
        case _:
            assert_never(result)


def _status(status: Status) -> str:
    rebuild = status.rebuild
    hydration = ",".join(
        f"{show(item.collection)}:{item.rows_done}/{item.rows_total}" for item in status.hydration
    )
    return _words(
        f"{kebab(status.stage.name)} applied={status.applied_position}",
        f"durable={status.durable_position} dataflows={status.dataflow_count}",
        f"backlog={status.backlog_ticks} backlog_age_ms={status.backlog_age_ms}",
        f"hydration={hydration}" if hydration else "",
        "" if rebuild is None else f"rebuild={_rebuild_progress(rebuild)}",
    )


def _rebuild_progress(progress: RebuildProgress) -> str:
    return (
        f"{progress.session_id}:{progress.base_rows}/{progress.base_rows_total}"
        f"+{progress.live_rows}:{progress.dataflows_filled}/{progress.dataflows_total}"
    )


def _failure(failure: Failure) -> str:
    definite = "" if failure.definite else "indefinite"
    text = _words(f"error {failure.code}", definite, _pairs(failure.details))
    return _one_line(f"{text}: {failure.message}")


def _facts(facts: ReplicaFacts) -> str:
    instance = "none" if facts.instance_id is None else facts.instance_id
    return (
        f"facts {facts.replica} incarnation={facts.incarnation} instance={instance} "
        f"history={facts.history_id or 'none'} epoch={facts.highest_epoch} "
        f"applied={facts.applied_position} durable={facts.durable_position} "
        f"digest={_digest(facts.command_digest)} stage={kebab(facts.stage.name)} "
        f"session={facts.session_id} dataflows={len(facts.dataflows)} versions={facts.versions}"
    )


def _words(*words: str) -> str:
    return " ".join(word for word in words if word)


def _ids(collections: Iterable[CollectionId]) -> str:
    return ",".join(show(collection) for collection in collections)


def _numbers(numbers: Iterable[int]) -> str:
    return ",".join(str(number) for number in numbers)


def _pairs(pairs: Mapping[str, str]) -> str:
    return " ".join(f"{name}={pairs[name]}" for name in sorted(pairs))


def _size(name: str, data: bytes | None) -> str:
    return "" if data is None else f"{name}={len(data)}B"


def _digest(digest: bytes) -> str:
    return digest[:_DIGEST_BYTES_SHOWN].hex() or "none"


def _one_line(text: str) -> str:
    """Messages come from anywhere; a line break in one must not forge a log line."""
    return text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)


assert not {kebab(kind.__name__) for kind in COMMANDS} & {kebab(k.__name__) for k in RESPONSES}, (
    "no command reads like a response"
)
