"""What every statement stands on: the instance, the oracle, the catalog, and the order of effects.

The kernel performs what the instance is owed, keeps what was submitted and not yet answered, runs
the ticks, and knows whom a reply is for. Statements are written against it and never touch a port.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import assert_never

from antiphon.controller.catalog import Catalog
from antiphon.controller.instance.event import (
    CompactionDurable,
    CompactionRefused,
    Event,
    ProtocolBroken,
    ResponsesReceived,
    TimelineAdvanced,
)
from antiphon.controller.instance.progress import best_frontier
from antiphon.controller.instance.ready import (
    AskDigests,
    CloseSession,
    CompactionEntry,
    ConnectLink,
    DisconnectLink,
    FoldEntry,
    NumberedEntry,
    OpenSession,
    Ready,
    Send,
    SendCommands,
)
from antiphon.controller.instance.step import Instance
from antiphon.controller.named_error import with_name
from antiphon.controller.oracle import Oracle
from antiphon.controller.pace import Pace
from antiphon.controller.ports import ErrorReply, Reply, RowsReply, StashReply, World
from antiphon.controller.request import OwnerSeen
from antiphon.controller.reservations import Reservations
from antiphon.history.journal import new_command
from antiphon.history.store import (
    Append,
    AppendApplied,
    AppendRefused,
    CatalogChange,
    Committed,
    Completion,
    Fence,
    NewCommand,
    NewShard,
    Refused,
    ShardAppend,
    Submission,
    Tick,
)
from antiphon.protocol.command import Command, Sent
from antiphon.protocol.errors import (
    ComputeError,
    EpochFenced,
    LimitExceeded,
    RemoteProtocolError,
    StorePoisoned,
    Unavailable,
)
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId, Position, ReplicaId
from antiphon.protocol.response import Response
from antiphon.protocol.session import ControllerSession

OnCompletion = Callable[[Completion], None]
OnOutcome = Callable[[AppendApplied | AppendRefused], None]
OnReply = Callable[[Reply], None]


class Kernel:
    """The driver's state. One thread, one event at a time."""

    def __init__(
        self,
        *,
        instance: Instance,
        oracle: Oracle,
        catalog: Catalog,
        fence: Fence,
        world: World,
        ownership_ms: int | None = None,
    ) -> None:
        self.instance = instance
        state = instance.state
        state.unheard_until_ms = world.clock.now_ms() + state.config.replica_gone_ms
        self.oracle = oracle
        self.catalog = catalog
        self.fence = fence
        self.world = world
        self.pace = Pace()
        self.reservations = Reservations()
        self._instance_wake_at_ms: int | None = None
        self.fault: ComputeError | None = None  # after it nothing becomes durable any more
        self._tokens = 0
        self._ownership_ms = ownership_ms
        self._owned_at_ms = world.clock.now_ms()  # when the store was last known to be ours
        self._retired: ComputeError | None = None
        self._submitted: deque[tuple[int, int, OnCompletion]] = deque()  # token, since when
        self._waiting: dict[int, OnOutcome] = {}  # appends, by the oracle's request number
        self._append_numbers = 0
        self._continuations: dict[int, OnReply] = {}
        self._internal_numbers = 0
        self._sessions: dict[ReplicaId, ControllerSession] = {}

    @property
    def now_ms(self) -> int:
        return self.world.clock.now_ms()

    @property
    def wake_at_ms(self) -> int | None:
        """When something is due by itself."""
        due = (
            self._instance_wake_at_ms, self.oracle.wake_at_ms, self.reservations.wake_at_ms,
        )  # fmt: skip
        return min((at_ms for at_ms in due if at_ms is not None), default=None)

    # The instance.

    def step(self, event: Event) -> tuple[NumberedEntry, ...]:
        """Feed the instance and perform what it is owed; numbered entries go back to the caller,
        who makes them durable together with what they belong to."""
        ready = self.instance.step(event, self.now_ms)
        self._instance_wake_at_ms = ready.wake_at_ms
        return self._perform(ready)

    def _perform(self, ready: Ready) -> tuple[NumberedEntry, ...]:
        numbered: list[NumberedEntry] = []
        for entry in ready.entries:
            match entry:
                case NumberedEntry():
                    numbered.append(entry)
                case CompactionEntry():
                    self._persist_compaction(entry)
                case FoldEntry(to=to):
                    self.submit(lambda _: None, fold_to=to)
        for send in ready.sends:
            self._send(send)
        for request, reply in ready.replies:
            self.reply(request, reply)
        return tuple(numbered)

    def _send(self, send: Send) -> None:
        links = self.world.links
        match send:
            case SendCommands(replica=replica, commands=commands):
                self._say(replica, commands)
                links.send(replica, commands)
            case OpenSession(replica=replica, commands=commands):
                facts = self.instance.state.replicas[replica].facts
                assert facts is not None, "a session follows a probe"
                self._sessions[replica] = ControllerSession(facts)
                self._say(replica, commands)
                links.open(replica, commands)
            case CloseSession(replica=replica, reason=reason):
                self._sessions.pop(replica, None)
                links.close(replica, reason)
            case ConnectLink(replica=replica, address=address):
                links.connect(replica, address)
            case AskDigests(replica=replica, collections=collections, time=time):
                links.ask_digests(replica, collections, time)
            case DisconnectLink(replica=replica):
                self._sessions.pop(replica, None)
                links.disconnect(replica)
            case _:
                assert_never(send)

    def _say(self, replica: ReplicaId, commands: tuple[Sent, ...]) -> None:
        """Assert of every command that it may leave now."""
        session = self._sessions[replica]
        for sent in commands:
            session.send(sent)

    def hear(self, event: ResponsesReceived) -> None:
        """Validate what a replica says, and pass on what is of this connection."""
        session = self._sessions.get(event.replica)
        if session is None:
            return
        heard: list[Response] = []
        broken: RemoteProtocolError | None = None
        for response in event.responses:
            try:
                if session.receive(event.connection_id, response):
                    heard.append(response)
            except RemoteProtocolError as error:
                broken = error
                break
        if heard:
            self.step(replace(event, responses=tuple(heard)))
        if broken is not None:
            self.step(ProtocolBroken(replica=event.replica, reason=str(broken)))

    def _persist_compaction(self, entry: CompactionEntry) -> None:
        def done(completion: Completion) -> None:
            match completion:
                case Committed():
                    self.step(CompactionDurable(compaction=entry.compaction))
                case Refused():
                    self.step(CompactionRefused())

        # A drop that is on its way to the store forgets its collection there; nothing revives it.
        installs = self.instance.state.installs.values()
        dropping = {dropped for install in installs for dropped in install.drops}
        self.submit(
            done,
            compaction={c: f for c, f in entry.compaction.items() if c not in dropping},
            since={c: t for c, t in entry.since.items() if c not in dropping},
        )

    # Replies.

    def reply(self, request: int, reply: Reply) -> None:
        """To whoever waits: the world, or a statement that reads on its way."""
        if request >= 0:
            if isinstance(reply, RowsReply | StashReply):
                doubt = self._doubt()
                reply = reply if doubt is None else ErrorReply(doubt)
            if isinstance(reply, ErrorReply):
                reply = ErrorReply(with_name(reply.error, self.catalog))
            self.world.replies.reply(request, reply)
            return
        self._continuations.pop(request)(reply)

    # Ownership.

    def owner_seen(self, event: OwnerSeen) -> None:
        """Another one, and this controller has been replaced."""
        if event.owner == self.fence:
            self._owned_at_ms = max(self._owned_at_ms, event.at_ms)
            return
        self._note_fault(
            EpochFenced(
                f"epoch {event.owner.epoch} owns the instance, this controller's"
                f" {self.fence.epoch} is over",
                epoch=event.owner.epoch,
            )
        )

    def retire(self, reason: ComputeError) -> None:
        """Answer no read any more: another controller may write from now on."""
        self._retired = reason

    def _doubt(self) -> ComputeError | None:
        """Why what a replica answered may be old: somebody else may have written since."""
        if isinstance(self.fault, EpochFenced):
            return self.fault
        if self._retired is not None or self._ownership_ms is None:
            return self._retired
        unseen_ms = self.now_ms - self._owned_at_ms
        if unseen_ms <= self._ownership_ms:
            return None
        return Unavailable(
            f"for {unseen_ms} ms this controller has not seen whether it still owns the instance"
        )

    def expect(self, on_reply: OnReply) -> int:
        """A number whose one reply comes here instead of going out."""
        self._internal_numbers -= 1
        self._continuations[self._internal_numbers] = on_reply
        return self._internal_numbers

    def forget(self, request: int) -> None:
        """The reply of an expected number is not wanted any more; it will not come."""
        self._continuations.pop(request, None)

    # The store.

    def submit(
        self,
        done: OnCompletion,
        *,
        commands: tuple[NewCommand, ...] = (),
        new_shards: tuple[NewShard, ...] = (),
        dropped_shards: tuple[CollectionId, ...] = (),
        catalog: tuple[CatalogChange, ...] = (),
        next_id: int | None = None,
        tick: Tick | None = None,
        shard_appends: tuple[ShardAppend, ...] = (),
        drafted: tuple[ShardAppend, ...] = (),
        discarded: tuple[int, ...] = (),
        compaction: Mapping[CollectionId, Frontier] | None = None,
        since: Mapping[CollectionId, int] | None = None,
        fold_to: Position | None = None,
    ) -> None:
        """One durable transaction; `done` hears what became of it, in order of submission."""
        self._tokens += 1
        self._submitted.append((self._tokens, self.now_ms, done))
        self.world.store.submit(
            Submission(
                token=self._tokens,
                fence=self.fence,
                now_ms=self.now_ms,
                expected_head=self.instance.state.head if commands else None,
                commands=commands,
                new_shards=new_shards,
                dropped_shards=dropped_shards,
                catalog=catalog,
                next_id=next_id,
                tick=tick,
                shard_appends=shard_appends,
                drafted=drafted,
                discarded=discarded,
                compaction=compaction or {},
                since=since or {},
                fold_to=fold_to,
            )
        )

    def complete(self, completion: Completion) -> None:
        """The store's answer to the oldest submission."""
        assert self._submitted, "an answer to nothing"
        token, at_ms, done = self._submitted.popleft()
        assert token == completion.token, f"the answer to {completion.token} before {token}'s"
        if isinstance(completion, Refused):
            self._note_fault(completion.error)
        else:
            self._owned_at_ms = max(self._owned_at_ms, at_ms)
        done(completion)

    def _note_fault(self, error: ComputeError) -> None:
        if self.fault is None and isinstance(error, EpochFenced | StorePoisoned):
            self.fault = error

    def number(self, command: Command, offset: int) -> NewCommand:
        """The command as the history takes it, `offset` places after the head."""
        state = self.instance.state
        return new_command(
            command,
            instance_id=state.config.instance_id,
            epoch=self.fence.epoch,
            position=Position(state.head + 1 + offset),
            now_ms=self.now_ms,
        )

    # Ticks.

    def append(self, append: Append, outcome: OnOutcome, owner: int | None = None) -> None:
        """Let an append take part in the next tick, or wait for a statement that has reserved what
        it changes, unless it is by its `owner`. A refusal is its outcome."""
        if self.reservations.blocks(append, owner):
            if not self.reservations.wait(append, lambda: self.append(append, outcome, owner)):
                error = LimitExceeded(
                    "too many appends wait for a statement", limit="WAITING_APPENDS_MAX"
                )
                outcome(AppendRefused(error))
            return
        self._append_numbers += 1
        number = self._append_numbers
        try:
            self.oracle.enqueue(number, append, self.now_ms)
        except ComputeError as error:
            outcome(AppendRefused(error))
            return
        self._waiting[number] = outcome

    def pump(self) -> None:
        """Start the next tick if something waits and none is in flight."""
        state = self.instance.state
        self.oracle.follows_clock = bool(state.clocked) and not state.config.standby
        tick = self.oracle.begin_tick(self.now_ms, self.pace.spacing_ms)
        if tick is not None:
            self.submit(self._on_tick_completion, tick=tick)

    def _on_tick_completion(self, completion: Completion) -> None:
        match completion:
            case Committed():
                self._on_tick_durable(completion)
            case Refused(error=error):
                for number in self.oracle.refuse_tick():
                    self._waiting.pop(number)(AppendRefused(error))

    def _on_tick_durable(self, committed: Committed) -> None:
        """Replicas first: their work is on the way while the writers get their answers."""
        lower = Frontier(self.oracle.upper)
        tick, numbers = self.oracle.commit_tick()
        upper = Frontier(tick.time + 1)
        self.world.tails.push(lower, upper, committed.deltas)
        self.step(TimelineAdvanced(upper=tick.time + 1))
        if self.pace.ticked(tick.time):
            self.pace.look(best_frontier(self.instance.state))
        for number, outcome in zip(numbers, committed.outcomes, strict=True):
            self._waiting.pop(number)(outcome)

    def fail(self, request: int, error: ComputeError) -> None:
        self.reply(request, ErrorReply(error))
