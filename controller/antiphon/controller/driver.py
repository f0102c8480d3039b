"""The driver: one event in, its effects on the world out. Synchronous, and without a clock.

Theory of operation
-------------------
The driver stands between the world (ports) and the machines that decide. It owns the catalog, the
oracle and the instance of one controller, and performs what they owe in one order: durable, then
sent, then replied. Nothing here waits: the store's completions, the replicas' responses and the
clock are events like every other, so the same code runs on asyncio and in a simulator.

A write costs one submission and one completion; a read touches neither the store nor a thread.
"""

from __future__ import annotations

from typing import Final, assert_never

from antiphon.controller.catalog import Catalog
from antiphon.controller.following import Following
from antiphon.controller.instance.event import (
    DigestsTold,
    LinkLost,
    ReplicaProbed,
    RequestCanceled,
    ResponsesReceived,
    StashReleased,
    Ticked,
)
from antiphon.controller.kernel import Kernel
from antiphon.controller.ports import DoneReply, World
from antiphon.controller.recovery import Recovered
from antiphon.controller.request import (
    AppendReceived,
    DriverEvent,
    HistoryFollowed,
    HoldRequested,
    OwnerSeen,
    ReplicaNamed,
    ReplicaPromoted,
    ReplicaReached,
    ReplicasConfigured,
    ReplicaUnnamed,
    ResultFetched,
    ShardAppendReceived,
    ShardPieceReceived,
    StatementReceived,
)
from antiphon.controller.sql.statement import (
    AlterSystem,
    Copy,
    CreateFeed,
    CreateIndex,
    CreateMaterializedView,
    CreateTable,
    CreateView,
    Delete,
    DropItems,
    Insert,
    InsertSelect,
    Inspect,
    InspectChanges,
    Merge,
    Nothing,
    Rows,
    Select,
    ShowReplicas,
    ShowSettings,
    Subscribe,
    Update,
)
from antiphon.controller.statements.change import Changes
from antiphon.controller.statements.definition import Definitions
from antiphon.controller.statements.holds import NamedHolds
from antiphon.controller.statements.read import Reads
from antiphon.controller.statements.replicas import Members
from antiphon.controller.statements.show import show_replicas, show_settings
from antiphon.controller.status import InstanceStatus, instance_status
from antiphon.controller.write_back import WriteBack
from antiphon.history.store import Committed, Fence, Refused
from antiphon.protocol.errors import ComputeError, NotServed, Standby
from antiphon.protocol.ids import ConnectionId

# What a standby refuses, and answers so.
LIVE_ONLY: Final = (
    StatementReceived, AppendReceived, ShardAppendReceived, ReplicaNamed, ReplicaUnnamed,
    ReplicaPromoted, HoldRequested,
)  # fmt: skip


class Driver:
    """One controller of one instance. `handle` is the only way in."""

    def __init__(
        self,
        *,
        recovered: Recovered,
        fence: Fence,
        world: World,
        ownership_ms: int | None = None,
    ) -> None:
        """`ownership_ms`: reads are not answered once nobody has looked for so long whether the
        store is still ours; None: nobody else can claim it."""
        self.live_address = ""  # of the controller that a standby follows, as far as is known
        self.begin(recovered=recovered, fence=fence, world=world, ownership_ms=ownership_ms)

    def begin(
        self,
        *,
        recovered: Recovered,
        fence: Fence,
        world: World,
        ownership_ms: int | None = None,
    ) -> None:
        """Go on from what was recovered: a standby that begins anew, or is promoted. Nothing of
        before is remembered; nobody may wait for an answer."""
        self._kernel = Kernel(
            instance=recovered.instance,
            oracle=recovered.oracle,
            catalog=recovered.catalog,
            fence=fence,
            world=world,
            ownership_ms=ownership_ms,
        )
        self._following = Following(self._kernel)
        self._definitions = Definitions(self._kernel)
        self._changes = Changes(self._kernel, self._definitions)
        self._reads = Reads(self._kernel)
        self._members = Members(self._kernel)
        self._write_back = WriteBack(self._kernel)
        self.holds = NamedHolds(self._kernel, recovered.holds)

    @property
    def catalog(self) -> Catalog:
        """An immutable value: plan on it anywhere."""
        return self._kernel.catalog

    @property
    def timeline_upper(self) -> int:
        return self._kernel.oracle.upper

    @property
    def wake_at_ms(self) -> int | None:
        """When `Ticked` is due, if nothing else happens before."""
        return self._kernel.wake_at_ms

    @property
    def fault(self) -> ComputeError | None:
        """Why this controller must stop: it was fenced, or its store was poisoned."""
        return self._kernel.fault

    @property
    def is_standby(self) -> bool:
        return self._kernel.instance.state.config.standby

    def check_live(self) -> None:
        """
        Raises:
            Standby: it follows the history of another.
        """
        if self.is_standby:
            where = f" at {self.live_address}" if self.live_address else ""
            raise Standby(
                f"this controller is a standby: ask the live one{where}, or promote this one with"
                " `antiphon promote`",
                live_address=self.live_address,
            )

    @property
    def fence(self) -> Fence:
        return self._kernel.fence

    @property
    def kernel(self) -> Kernel:
        """For introspection and tests."""
        return self._kernel

    def status(self) -> InstanceStatus:
        return instance_status(self._kernel.instance.state, self._kernel.catalog)

    def handle(self, event: DriverEvent) -> None:
        """Take one event and perform everything that follows from it."""
        self._dispatch(event)
        self._kernel.pump()

    def _dispatch(self, event: DriverEvent) -> None:
        kernel = self._kernel
        if isinstance(event, LIVE_ONLY) and self.is_standby:
            try:
                self.check_live()
            except Standby as error:
                kernel.fail(event.request, error)
            return
        match event:
            case HistoryFollowed():
                self.live_address = event.live_address
                self._following.follow(event)
            case OwnerSeen():
                kernel.owner_seen(event)
            case ResponsesReceived():
                kernel.hear(event)
            case StashReleased() | LinkLost() | DigestsTold():
                kernel.step(event)
            case Committed() | Refused():
                kernel.complete(event)
            case AppendReceived():
                self._changes.append(event)
            case StatementReceived():
                self._begin(event)
            case ShardAppendReceived():
                self._write_back.append(event)
            case ShardPieceReceived():
                self._write_back.go_on(event)
            case ResultFetched():
                self._changes.on_fetched(event)
            case RequestCanceled(request=request):
                if not (self._changes.cancel(request) or self._write_back.cancel(request)):
                    kernel.step(event)
            case HoldRequested():
                self.holds.handle(event)
            case Ticked():
                if not self.is_standby:  # who loses a hold writes that down
                    self.holds.tick()
                kernel.reservations.expire(kernel.now_ms)
                kernel.oracle.observe_clock(kernel.now_ms)
                kernel.step(event)
            case ReplicaReached(replica=replica, facts=facts, address=address):
                connection_id = ConnectionId(kernel.world.random.random_id())
                kernel.step(
                    ReplicaProbed(
                        replica=replica, facts=facts, connection_id=connection_id, address=address
                    )
                )
            case ReplicasConfigured():
                self._members.configure(event)
            case ReplicaNamed():
                self._members.add(event)
            case ReplicaUnnamed():
                self._members.remove(event)
            case ReplicaPromoted():
                self._members.promote(event)
            case _:
                assert_never(event)

    def _begin(self, event: StatementReceived) -> None:
        kernel, statement = self._kernel, event.statement
        match statement:
            case Select():
                self._reads.select(event, statement)
            case Insert() | InsertSelect() | Merge() | Update() | Delete():
                self._changes.begin(event, statement)
            case CreateTable(content=InsertSelect() as content):
                self._changes.create(event, statement, content)
            case (
                CreateTable() | CreateFeed() | CreateView() | CreateMaterializedView()
                | CreateIndex() | DropItems() | AlterSystem()
            ):  # fmt: skip
                self._definitions.begin(event, statement)
            case Subscribe():
                self._reads.subscribe(event, statement)
            case Copy():
                self._reads.copy(event, statement)
            case Rows():
                self._reads.rows(event, statement)
            case Inspect() | InspectChanges():
                # Whoever serves Control answers these beside the driver, from what it shows.
                error = NotServed("introspection is not answered by a driver alone")
                kernel.fail(event.request, error)
            case ShowReplicas():
                self._reads.rows(event, show_replicas(statement, self.status()))
            case ShowSettings():
                self._reads.rows(event, show_settings(statement, kernel.instance.state))
            case Nothing(tag=tag, notices=notices):
                kernel.reply(event.request, DoneReply(tag=tag, notices=notices))
            case _:
                assert_never(statement)
