"""What a session has said so far, as far as later messages refer to it.

Both ends keep one and look into it before they send or accept anything: a rule is checked where it
could be broken and again where it would do harm. `take_*` records a message, or answers why it is
illegal and changes nothing.

The rules:

- A `CreateDataflow` has at least one export, each new; all are transient or none is; `as_of` is not
  closed.
- `Schedule` and `AllowCompaction` name a collection that was created and not dropped. Allowed
  compaction never moves back. Allowing it up to the closed frontier is the drop, of one collection.
- A `Peek` has an id that no waiting peek has. It is answered once, and `PeekCanceled` answers only
  what was canceled. A `CancelPeek` may come late, and then changes nothing.
- Frontiers never move back, and a closed one is not said again. The first are not before `as_of`,
  but for the write frontier of a materialized view, which is where its shard stands.
- A subscribe's intervals follow one another without gap or overlap. The first begins at or before
  `as_of + 1` and ends after `as_of`. `SubscribeDropped` names the last upper.
- `Dropped` follows a drop, once, and is the last word about a collection.
- A rebuild that runs is not started again; it has one result, which a cancellation may cross; only
  a completed one is accepted.

The ledger is bounded by live state: an entry goes when its last word was said, a peek with its
answer, a collection with `Dropped`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import assert_never

from antiphon.protocol.command import (
    AcceptRebuild,
    AllowCompaction,
    CancelPeek,
    CancelRebuild,
    CreateDataflow,
    Peek,
    Schedule,
    StartRebuild,
    UpdateConfiguration,
)
from antiphon.protocol.dataflow import (
    CopyToExport,
    MaterializedViewExport,
    SubscribeExport,
)
from antiphon.protocol.frontier import CLOSED, START, Frontier
from antiphon.protocol.ids import CollectionId, PeekId, SessionId, is_transient, show
from antiphon.protocol.response import (
    CopyToResponse,
    Draining,
    Dropped,
    Frontiers,
    PeekCanceled,
    PeekResponse,
    RebuildCompleted,
    RebuildResult,
    Response,
    Status,
    SubscribeBatch,
    SubscribeDropped,
    SubscribeResponse,
)

# Commands that the ledger knows; the others are framing, which the session itself checks.
LedgerCommand = (
    UpdateConfiguration | CreateDataflow | AllowCompaction | Peek | CancelPeek | Schedule
    | StartRebuild | CancelRebuild | AcceptRebuild
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class _Entry:
    """How a session sees a collection of a replica, or several. Told apart by identity."""

    kind: SubscribeExport | CopyToExport | None  # None: neither, and no more is asked of it
    as_of: Frontier  # of these two
    compaction: Frontier  # the last one allowed; closed: dropped
    write: Frontier  # the last ones reported
    input: Frontier
    output: Frontier
    covered: Frontier | None = None  # subscribes: the last upper; None: nothing was sent
    ended: bool = False  # subscribes and copy-tos: the last word of their own was said

    @property
    def is_dropped(self) -> bool:
        return self.compaction.is_closed

    @property
    def times(self) -> tuple[int | None, ...]:
        """What tells it apart, where it is neither a subscribe nor a copy-to."""
        return (self.compaction.time, self.write.time, self.input.time, self.output.time)


@dataclass(slots=True)
class Ledger:
    """See the module. Start one per session; `adopt` what a suffix extends.

    A message may speak of a thousand collections, of which most are in the same state. So entries
    are values, shared by those in the same state: a rule is checked once for each state met.
    """

    _collections: dict[CollectionId, _Entry] = field(default_factory=dict)
    # Waiting, by the bytes of the id, which hash ten times as fast; True: canceled.
    _peeks: dict[bytes, bool] = field(default_factory=dict)
    _rebuilds: dict[SessionId, bool] = field(default_factory=dict)  # running; True: completed
    _canceled: set[SessionId] = field(default_factory=set)  # whose result may be on its way

    def adopt(self, collections: Iterable[tuple[CollectionId, Frontier]]) -> None:
        """Collections with their since, which the replica has from before this session.

        Transient ones do not survive a session; frontiers are all reported afresh.
        """
        made: dict[int | None, _Entry] = {}
        for collection, since in collections:
            if is_transient(collection):
                continue
            entry = made.get(since.time)
            if entry is None:
                entry = made[since.time] = _Entry(
                    kind=None, as_of=START, compaction=since, write=START, input=START, output=START
                )
            self._collections[collection] = entry

    def is_waiting(self, peek: PeekId) -> bool:
        """Whether the peek was sent and not yet answered."""
        return peek.value in self._peeks

    # Commands.

    def take_command(self, command: LedgerCommand) -> str | None:
        """Record `command`, or why it is illegal now."""
        match command:
            case Peek(peek_id=peek):
                return self.take_peek(peek)
            case CreateDataflow():
                return self._take_create(command)
            case AllowCompaction():
                return self._take_compaction(command)
            case Schedule():
                return self._look(command.collections, _check_alive)[1]
            case StartRebuild(session_id=session):
                if session in self._rebuilds:
                    return f"rebuild {session} runs already"
                self._rebuilds[session] = False
                self._canceled.discard(session)
            case AcceptRebuild(session_id=session):
                if not self._rebuilds.get(session, False):
                    return f"rebuild {session} has not completed"
                del self._rebuilds[session]
            # A cancel may cross the answer, and then names what is gone.
            case CancelPeek(peek_id=peek):
                if peek.value in self._peeks:
                    self._peeks[peek.value] = True
            case CancelRebuild(session_id=session):
                if self._rebuilds.pop(session, None) is False:
                    self._canceled.add(session)
            case UpdateConfiguration():
                pass
            case _:
                assert_never(command)
        return None

    def take_peek(self, peek: PeekId) -> str | None:
        """`take_command` of a `Peek` of which no more is known than its id."""
        if peek.value in self._peeks:
            return f"the peek {peek} is waiting already"
        self._peeks[peek.value] = False
        return None

    def _take_create(self, command: CreateDataflow) -> str | None:
        problem = self._check_create(command)
        if problem is not None:
            return problem
        start = command.dataflow.as_of
        for export in command.dataflow.exports:
            kind = export.kind
            # A shard is written from where it stands, which may be before as_of.
            durable = isinstance(kind, MaterializedViewExport)
            self._collections[export.collection] = _Entry(
                kind=kind if isinstance(kind, SubscribeExport | CopyToExport) else None,
                as_of=start,
                compaction=START,
                write=START if durable else start,
                input=start,
                output=start,
            )
        return None

    def _check_create(self, command: CreateDataflow) -> str | None:
        dataflow = command.dataflow
        exports = [export.collection for export in dataflow.exports]
        if not exports:
            return "a dataflow without exports"
        if len(set(exports)) < len(exports):
            return f"{dataflow.name} exports a collection twice"
        if len({is_transient(export) for export in exports}) > 1:
            return f"{dataflow.name} exports transient and catalog collections"
        for export in exports:
            if export in self._collections:
                return f"{show(export)} exists already"
        if dataflow.as_of.is_closed:
            return f"{dataflow.name} starts at the closed frontier"
        return None

    def _take_compaction(self, command: AllowCompaction) -> str | None:
        frontier = command.frontier
        if frontier.is_closed and command.others:
            return f"{1 + len(command.others)} collections are dropped at once"
        entries, problem = self._look(
            command.collections, lambda entry, name: _check_compaction(entry, frontier, name)
        )
        if problem is None:
            self._move(
                command.collections, entries, lambda entry: replace(entry, compaction=frontier)
            )
        return problem

    def _look(
        self,
        collections: tuple[CollectionId, ...],
        check: Callable[[_Entry, str], str | None],
    ) -> tuple[list[_Entry | None], str | None]:
        """The collections' states, and why something may not be said of one of them. `check` is
        asked once for each state, with the name of the first collection in it."""
        entries = list(map(self._collections.get, collections))
        for entry in dict.fromkeys(entries):
            name = show(collections[entries.index(entry)])
            problem = f"there is no {name}" if entry is None else check(entry, name)
            if problem is not None:
                return entries, problem
        return entries, None

    def _move(
        self,
        collections: tuple[CollectionId, ...],
        entries: list[_Entry | None],
        change: Callable[[_Entry], _Entry],
    ) -> None:
        """Record what becomes of each of `_look`. Those that come to the same share it."""
        moved: dict[_Entry | None, _Entry] = {}
        shared: dict[tuple[int | None, ...], _Entry] = {}
        for entry in dict.fromkeys(entries):
            assert entry is not None, "looked at before"
            new = change(entry)
            moved[entry] = new if new.kind is not None else shared.setdefault(new.times, new)
        self._collections.update(zip(collections, map(moved.__getitem__, entries), strict=True))

    # Responses.

    def take_response(self, response: Response) -> str | None:
        """Record `response`, or why it is illegal now."""
        match response:
            case PeekResponse(peek_id=peek, result=result):
                canceled = self._peeks.get(peek.value)
                if canceled is None:
                    return f"no peek {peek} is waiting"
                if not canceled and isinstance(result, PeekCanceled):
                    return f"nobody canceled the peek {peek}"
                del self._peeks[peek.value]
            case Frontiers():
                return self._take_frontiers(response)
            case SubscribeResponse() | CopyToResponse() | Dropped():
                return self._take_about(response)
            case RebuildResult(session_id=session, result=result):
                was_canceled = session in self._canceled
                # Results come in the order of their sessions: of older ones nothing is to come.
                self._canceled = {other for other in self._canceled if other > session}
                completed = self._rebuilds.get(session)
                if completed is None and was_canceled:
                    return None
                if completed is None:
                    return f"no rebuild {session} runs"
                if completed:
                    return f"rebuild {session} has completed"
                if isinstance(result, RebuildCompleted):
                    self._rebuilds[session] = True
                else:
                    del self._rebuilds[session]
            case Status() | Draining():
                pass
            case _:
                assert_never(response)
        return None

    def _take_about(self, response: SubscribeResponse | CopyToResponse | Dropped) -> str | None:
        entry = self._collections.get(response.collection)
        if entry is None:
            return f"there is no {show(response.collection)}"
        problem = _check_about(entry, response)
        if problem is not None:
            return problem
        match response:
            case SubscribeResponse(result=SubscribeBatch(upper=upper, failure=failure)):
                self._collections[response.collection] = replace(
                    entry, covered=upper, ended=upper.is_closed or failure is not None
                )
            case SubscribeResponse() | CopyToResponse():
                self._collections[response.collection] = replace(entry, ended=True)
            case Dropped():
                del self._collections[response.collection]
            case _:
                assert_never(response)
        return None

    def _take_frontiers(self, response: Frontiers) -> str | None:
        entries, problem = self._look(
            response.collections, lambda entry, name: _check_frontiers(entry, response, name)
        )
        if problem is None:
            self._move(response.collections, entries, lambda entry: _reported(entry, response))
        return problem


def _check_alive(entry: _Entry, name: str) -> str | None:
    return f"{name} was dropped" if entry.is_dropped else None


def _check_compaction(entry: _Entry, frontier: Frontier, name: str) -> str | None:
    if entry.is_dropped or entry.compaction.less_equal(frontier):
        return _check_alive(entry, name)
    return f"compaction of {name} moves back from {entry.compaction} to {frontier}"


def _check_frontiers(entry: _Entry, response: Frontiers, name: str) -> str | None:
    for kind, old, new in (
        ("write", entry.write, response.write_frontier),
        ("input", entry.input, response.input_frontier),
        ("output", entry.output, response.output_frontier),
    ):
        if new is None:
            continue
        if not old.less_equal(new):
            return f"the {kind} frontier of {name} moves back from {old} to {new}"
        if old.is_closed:
            return f"the {kind} frontier of {name} was closed already"
    return None


def _reported(entry: _Entry, response: Frontiers) -> _Entry:
    return _Entry(
        kind=entry.kind,
        as_of=entry.as_of,
        compaction=entry.compaction,
        write=response.write_frontier or entry.write,
        input=response.input_frontier or entry.input,
        output=response.output_frontier or entry.output,
        covered=entry.covered,
        ended=entry.ended,
    )


def _check_about(
    entry: _Entry, response: SubscribeResponse | CopyToResponse | Dropped
) -> str | None:
    name = show(response.collection)
    match response:
        case SubscribeResponse(result=result):
            if not isinstance(entry.kind, SubscribeExport):
                return f"{name} is no subscribe"
            return f"{name} has ended" if entry.ended else _check_subscribe(entry, result, name)
        case CopyToResponse():
            if not isinstance(entry.kind, CopyToExport):
                return f"{name} is no copy-to"
            return f"{name} has ended" if entry.ended else None
        case Dropped():
            return None if entry.is_dropped else f"nobody dropped {name}"
        case _:
            assert_never(response)


def _check_subscribe(
    entry: _Entry, result: SubscribeBatch | SubscribeDropped, name: str
) -> str | None:
    match result:
        case SubscribeBatch(lower=lower, upper=upper):
            if not lower.less_than(upper):
                return f"an empty interval from {lower} to {upper} of {name}"
            if entry.covered is None:
                # With a snapshot all of the past is in it; without, nothing before as_of is sent.
                starts = not upper.less_equal(entry.as_of) and lower.less_equal(_after(entry.as_of))
                return None if starts else f"{name} starts with {lower} to {upper}"
            follows = lower == entry.covered
            return None if follows else f"{name} continues {entry.covered} with {lower}"
        case SubscribeDropped(at=at):
            if not entry.is_dropped:
                return f"nobody dropped {name}"
            last = entry.covered if entry.covered is not None else START
            return None if at == last else f"{name} ended at {last}, not at {at}"
        case _:
            assert_never(result)


def _after(frontier: Frontier) -> Frontier:
    return CLOSED if frontier.time is None else Frontier(frontier.time + 1)
