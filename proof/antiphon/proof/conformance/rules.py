"""What no session may ever show, whatever a check is about: looked for in every transcript.

Each rule carries the number of the behaviour it belongs to, so that a replica which breaks it
during an unrelated check fails the right one. This is written from the protocol's words and not on
top of the ledger that our own replica uses, so that the two can disagree.

    1    nothing but heartbeats before InitializationComplete, nothing at all before CreateInstance
    10   the first frontier of each kind is not before as_of
    11   no frontier moves back
    12   a closed frontier is said once
    22   one answer for each peek, none for a peek that was not sent
    28   Canceled only after CancelPeek
    40   a subscribe's intervals are contiguous, its updates inside them and consolidated
    41   SubscribeDropped once, at the last upper, only after the drop, and then silence
    42   nothing after a subscribe's end
    49   one answer for each copy-to
    D1   Dropped once, after a drop, as the last word; nothing about what was never created
    D2   a heartbeat never claims a stage that the controller has not reached
    D3   every response carries its connection's id, and every message can be read
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final, assert_never

from antiphon.proof.conformance.content import CONTENT_ERRORS, changes_of
from antiphon.proof.conformance.transcript import Garbled, Heard, Said, Transcript
from antiphon.protocol.command import (
    AllowCompaction,
    CancelPeek,
    Command,
    CreateDataflow,
    Hello,
    Peek,
)
from antiphon.protocol.dataflow import (
    CopyToExport,
    DataflowDescription,
    ExportKind,
    MaterializedViewExport,
    SubscribeExport,
)
from antiphon.protocol.describe import describe
from antiphon.protocol.frontier import CLOSED, START, Frontier
from antiphon.protocol.ids import CollectionId, ConnectionId, PeekId, show
from antiphon.protocol.response import (
    CopyToResponse,
    Dropped,
    Frontiers,
    PeekCanceled,
    PeekResponse,
    Response,
    Status,
    SubscribeBatch,
    SubscribeDropped,
    SubscribeResponse,
)
from antiphon.protocol.stage import Stage
from antiphon.protocol.transitions import may_respond, next_stage

RULE_NUMBERS: Final = (
    "1", "10", "11", "12", "22", "28", "40", "41", "42", "49", "D1", "D2", "D3",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """`text` is one line; `number` is one of RULE_NUMBERS."""

    number: str
    text: str


def violations(transcript: Transcript) -> tuple[Violation, ...]:
    """Everything that the replica broke on this stream, in order."""
    audit = _Audit(adopted=transcript.adopted)
    for entry in transcript.entries:
        match entry:
            case Said(sent=sent):
                audit.said(sent.command)
            case Heard():
                audit.heard(entry)
            case Garbled(reason=reason):
                audit.blame("D3", f"a message that cannot be read: {reason}")
            case _:
                assert_never(entry)
    return tuple(audit.found)


@dataclass(slots=True)
class _Known:
    """One collection of the session."""

    kind: ExportKind | None = None  # None: adopted
    dataflow: DataflowDescription | None = None
    dropped: bool = False  # by the controller
    gone: bool = False  # `Dropped` was said
    told: dict[str, Frontier] = field(default_factory=dict)
    covered: Frontier | None = None  # a subscribe's last upper
    ended: bool = False  # a subscribe or copy-to has said its last word


@dataclass(slots=True)
class _Audit:
    adopted: frozenset[CollectionId]
    found: list[Violation] = field(default_factory=list)
    stage: Stage = Stage.GREETING
    connection_id: ConnectionId | None = None
    collections: dict[CollectionId, _Known] = field(default_factory=dict)
    peeks: dict[PeekId, bool] = field(default_factory=dict)  # True: canceled
    answered: dict[PeekId, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.collections = {collection: _Known() for collection in sorted(self.adopted)}

    def blame(self, number: str, text: str) -> None:
        assert number in RULE_NUMBERS, f"no rule {number}"
        self.found.append(Violation(number=number, text=text))

    def said(self, command: Command) -> None:
        # What is illegal ends the stream; until then the stage is what it was.
        self.stage = next_stage(self.stage, type(command)) or self.stage
        match command:
            case Hello(connection_id=connection_id):
                self.connection_id = connection_id
            case CreateDataflow(dataflow=dataflow):
                for export in dataflow.exports:
                    self.collections[export.collection] = _Known(export.kind, dataflow)
            case AllowCompaction(frontier=frontier):
                for collection in command.collections:
                    known = self.collections.get(collection)
                    if known is not None:
                        known.dropped = known.dropped or frontier.is_closed
            case Peek(peek_id=peek_id):
                self.peeks[peek_id] = False
            case CancelPeek(peek_id=peek_id):
                if peek_id in self.peeks:
                    self.peeks[peek_id] = True
            case _:
                pass  # it changes nothing that a rule looks at

    def heard(self, entry: Heard) -> None:
        response = entry.response
        if entry.connection_id != self.connection_id:
            said = f"under connection {entry.connection_id}, not {self.connection_id}"
            self.blame("D3", f"{describe(response)} {said}")
            return  # it speaks of another session
        if not may_respond(self.stage, type(response)):
            self.blame("1", f"{describe(response)} in stage {self.stage.name}")
            return
        match response:
            case PeekResponse():
                self._peek(response)
            case Status(stage=stage):
                if stage > self.stage:
                    self.blame("D2", f"stage {stage.name} when {self.stage.name} was reached")
            case Frontiers():
                for collection in response.collections:
                    self._about(replace(response, collection=collection, others=()))
            case SubscribeResponse() | CopyToResponse() | Dropped():
                self._about(response)
            case _:
                pass  # rebuilds and drains have checks of their own

    def _peek(self, response: PeekResponse) -> None:
        peek_id = response.peek_id
        count = self.answered.get(peek_id, 0) + 1
        self.answered[peek_id] = count
        if peek_id not in self.peeks:
            self.blame("22", f"an answer to peek {peek_id}, which was not sent")
        elif count > 1:
            self.blame("22", f"answer {count} to peek {peek_id}")
        elif isinstance(response.result, PeekCanceled) and not self.peeks[peek_id]:
            self.blame("28", f"Canceled for peek {peek_id}, which nobody canceled")

    def _about(self, response: Frontiers | SubscribeResponse | CopyToResponse | Dropped) -> None:
        known = self.collections.get(response.collection)
        if known is None:
            self.blame("D1", f"{describe(response)}, which this session never created")
        elif known.gone:
            self.blame("D1", f"{describe(response)} after Dropped")
        else:
            self._about_known(known, response)

    def _about_known(self, known: _Known, response: Response) -> None:
        match response:
            case Frontiers():
                self._frontiers(known, response)
            case SubscribeResponse(collection=collection, result=result):
                self._subscribe(known, result, show(collection))
            case CopyToResponse(collection=collection):
                if not isinstance(known.kind, CopyToExport):
                    self.blame("49", f"{show(collection)} is no copy-to")
                elif known.ended:
                    self.blame("49", f"a second answer of {show(collection)}")
                known.ended = True
            case Dropped(collection=collection):
                if not known.dropped:
                    self.blame("D1", f"Dropped for {show(collection)}, which nobody dropped")
                known.gone = True
            case _:
                raise AssertionError(f"{type(response).__name__} is about no collection")

    def _frontiers(self, known: _Known, report: Frontiers) -> None:
        name = show(report.collection)
        for kind, frontier in (
            ("write", report.write_frontier),
            ("input", report.input_frontier),
            ("output", report.output_frontier),
        ):
            if frontier is None:
                continue
            last = known.told.get(kind)
            known.told[kind] = frontier
            if last is None:
                start = _first_frontier(known, kind)
                if not start.less_equal(frontier):
                    self.blame("10", f"{name} starts with {kind}={frontier} before as_of {start}")
            elif not last.less_equal(frontier):
                self.blame("11", f"{kind} of {name} moves back from {last} to {frontier}")
            elif last.is_closed:
                self.blame("12", f"{kind} of {name} is closed a second time")

    def _subscribe(
        self, known: _Known, result: SubscribeBatch | SubscribeDropped, name: str
    ) -> None:
        if not isinstance(known.kind, SubscribeExport):
            self.blame("40", f"{name} is no subscribe")
            return
        if known.ended:
            self.blame("42", f"{type(result).__name__} of {name} after its end")
            return
        match result:
            case SubscribeBatch():
                self._interval(known, result, name)
                known.covered = result.upper
                known.ended = result.upper.is_closed or result.failure is not None
            case SubscribeDropped(at=at):
                known.ended = True
                if not known.dropped:
                    self.blame("41", f"SubscribeDropped of {name}, which nobody dropped")
                last = known.covered if known.covered is not None else START
                if at != last:
                    self.blame("41", f"{name} ended at {at}, not at its last upper {last}")
            case _:
                assert_never(result)

    def _interval(self, known: _Known, batch: SubscribeBatch, name: str) -> None:
        assert known.dataflow is not None, "a subscribe is never adopted"
        lower, upper, as_of = batch.lower, batch.upper, known.dataflow.as_of
        if not lower.less_than(upper):
            self.blame("40", f"{name} covers nothing from {lower} to {upper}")
        elif known.covered is None and not (
            lower.less_equal(_after(as_of)) and as_of.less_than(upper)
        ):
            self.blame("40", f"{name} begins with {lower} to {upper}, as_of {as_of}")
        elif known.covered is not None and lower != known.covered:
            self.blame("40", f"{name} goes on from {known.covered} with {lower}")
        for problem in _spoiled(batch, known.dataflow):
            self.blame("40", f"{name} in {lower} to {upper}: {problem}")


def _spoiled(batch: SubscribeBatch, dataflow: DataflowDescription) -> Iterable[str]:
    """What is wrong with a batch's updates."""
    try:
        changes = changes_of(batch.batches, dataflow.schema)
    except CONTENT_ERRORS as error:
        yield f"updates that do not fit the schema: {error}"
        return
    earliest = batch.lower.join(dataflow.as_of)
    seen: set[tuple[object, int]] = set()
    last = 0
    for row, time, diff in changes:
        if not earliest.less_equal(Frontier(time)) or batch.upper.less_equal(Frontier(time)):
            yield f"an update at {time}"
        if diff == 0 or (row, time) in seen:
            yield f"updates at {time} that are not consolidated"
        if time < last:
            yield f"an update at {time} after one at {last}"
        seen.add((row, time))
        last = time


def _first_frontier(known: _Known, kind: str) -> Frontier:
    if known.dataflow is None:
        return START
    # A shard is written from where it stands, which may be before as_of.
    if kind == "write" and isinstance(known.kind, MaterializedViewExport):
        return START
    return known.dataflow.as_of


def _after(frontier: Frontier) -> Frontier:
    return CLOSED if frontier.time is None else Frontier(frontier.time + 1)
