"""Whether this process is the controller of its store or stands by, and how the one becomes the
other.

A standby looks at the store every moment, tells its own replicas what it finds, and keeps a lease
on what they have yet to read. Promoted, it claims the next epoch, and begins anew from what is
durable then: its replicas are where the history is, so they are kept up, and are allowed to write.

The live one looks at the claim every moment. Once that is another's, it has been replaced, and
ends; and what it cannot be sure to be right it does not answer: a promotion waits until the older
process has ended, or could no longer answer a read if it was frozen and woke up.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

import structlog

from antiphon.controller.driver import Driver
from antiphon.controller.following import cannot_follow, needed_from
from antiphon.controller.instance.state import STORED_KINDS, InstanceConfig
from antiphon.controller.io.config import ControllerConfig, policy_of
from antiphon.controller.io.link import Links
from antiphon.controller.io.store_runner import StoreRunner
from antiphon.controller.io.tails import Tails
from antiphon.controller.membership import free_names
from antiphon.controller.ports import World
from antiphon.controller.recovery import Recovered, recover
from antiphon.controller.request import DriverEvent, HistoryFollowed, OwnerSeen
from antiphon.history.store import (
    Committed,
    Completion,
    Fence,
    Lease,
    Opened,
    StoredCommand,
    Submission,
)
from antiphon.protocol.delta import Delta
from antiphon.protocol.errors import (
    AntiphonError,
    InvalidArgument,
    OutcomeUnknown,
    SinceViolation,
    Unavailable,
)
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import NO_EPOCH, ClaimId, CollectionId, Epoch, Position, ReplicaId
from antiphon.protocol.limits import LEASE_MS, LEASE_RENEW_MS, LOOK_MS, OWNERSHIP_MS

PROMOTION_WAIT_S: Final = (OWNERSHIP_MS + 500) / 1000  # when the older process does not end

Handle = Callable[[DriverEvent], None]
Configure = Callable[[dict[str, str]], Awaitable[None]]
Failed = Callable[[Exception], None]

_log = structlog.get_logger(__name__)


class Seat:
    """Owns what changes with a promotion. `world`: the ports, whose store is that of a claim."""

    def __init__(
        self, config: ControllerConfig, store: StoreRunner, world: World, tails: Tails, links: Links
    ) -> None:
        self._config = config
        self._store = store
        self._world = world
        self._tails = tails
        self._links = links
        self._claim = ClaimId(world.random.random_id())  # a standby's, among its own replicas
        self._holder = world.random.random_id()
        self._names: dict[str, str] | None = None
        self._standby_store: _StandbyStore | None = None
        self._driver: Driver | None = None
        self._handle: Handle | None = None
        self._configure: Configure | None = None
        self._failed: Failed | None = None
        self._address = ""
        self._task: asyncio.Task[None] | None = None  # that looks
        self._promotion = asyncio.Lock()
        self._promotions: set[asyncio.Task[Epoch]] = set()
        self._is_stopped = False
        self._is_begun = False
        self._moment = -1
        self._renew_at_ms = 0

    async def recover(self) -> Driver:
        """The driver of what the store holds."""
        if self._store.is_standby:
            await self._keep(0)
        _, recovered, fence, world = await self._recover()
        self._driver = Driver(
            recovered=recovered, fence=fence, world=world, ownership_ms=OWNERSHIP_MS
        )
        return self._driver

    async def start(
        self, address: str, handle: Handle, configure: Configure, failed: Failed
    ) -> None:
        """Reach for the replicas, then look at the store from time to time.

        Args:
            address: where this process listens.
            failed: told why it cannot go on, whatever it is.
        """
        self._address = address
        self._handle, self._configure, self._failed = handle, configure, failed
        if not self._store.is_standby:
            await self._store.announce(address)
        await self._reach()
        self._look_on()

    async def stop(self) -> None:
        """Nothing is under way any more. A promotion ends as far as it has come: if the epoch is
        claimed, who comes next claims another."""
        self._is_stopped = True
        for promotion in self._promotions:
            promotion.cancel()
        await self._look_no_more()
        await asyncio.gather(*self._promotions, return_exceptions=True)

    async def promote(self) -> Epoch:
        """Claim the next epoch and go on as the controller. Goes on when its caller gives up.

        Raises:
            InvalidArgument: it is the controller already.
            EpochFenced: another standby was faster by a moment.
            StoreFull, Unavailable: it is a standby as before.
            OutcomeUnknown: it ends, or the medium fails; the epoch may be claimed.
        """
        if self._is_stopped or self._failed is None:
            raise Unavailable("this controller has yet to start, or stops")
        promotion = asyncio.ensure_future(self._promote())
        self._promotions.add(promotion)
        promotion.add_done_callback(self._promotions.discard)
        try:
            return await asyncio.shield(promotion)
        except asyncio.CancelledError:
            if not promotion.cancelled():
                raise
            raise OutcomeUnknown(
                "this controller stops within its promotion: start it again, or promote another"
            ) from None

    async def _promote(self) -> Epoch:
        async with self._promotion:
            if not self._store.is_standby:
                raise InvalidArgument("this controller is live already; name a replica to promote")
            await self._look_no_more()
            try:
                claimed = await self._store.promote(PROMOTION_WAIT_S)
            except Exception:
                self._look_on()  # it stands by as before
                raise
            try:
                opened = await self._begin()
                await self._store.announce(self._address)
            except Exception as error:
                reason = _cannot_begin(error, claimed.epoch)
                self._fail(reason)
                raise reason from error
            self._look_on()
        _log.info("controller.promoted", epoch=opened.epoch, head=opened.head)
        return opened.epoch

    # What is recovered.

    async def _recover(self) -> tuple[Opened, Recovered, Fence, World]:
        config, fence = self._config, self._store.fence
        opened, commands = await self._read()
        if self._standby_store is not None:
            self._standby_store.close()
            self._standby_store = None
        world = self._world
        if fence is None:
            fence = Fence(epoch=opened.epoch, claim_id=self._claim)
            self._standby_store = _StandbyStore(opened, self._hand)
            world = replace(world, store=self._standby_store)
        instance = InstanceConfig(
            instance_id=opened.instance_id,
            name=config.instance,
            history_id=opened.history_id,
            epoch=fence.epoch,
            claim_id=fence.claim_id,
            read_only=config.read_only or self._store.is_standby,
            standby=self._store.is_standby,
            retain_ms=config.retain_ms,
            hydration_limit=config.hydration_limit,
            peek_wait_ms=config.peek_wait_ms,
            policy=policy_of(config),
        )
        recovered = recover(opened, commands, instance, allow_clock_jump=config.allow_clock_jump)
        for conflict in recovered.conflicts:
            _log.error("recovery.conflict", what=conflict)
        return opened, recovered, fence, world

    async def _begin(self) -> Opened:
        """Anew, from what is durable. Replicas keep what they have; their tails go on."""
        driver = self._driver
        assert driver is not None, "recovered before"
        opened, recovered, fence, world = await self._recover()
        await self._links.release()
        try:
            deltas = await self._deltas(driver.timeline_upper, opened)
            self._tails.push(
                Frontier(driver.timeline_upper), Frontier(opened.timeline_upper), deltas
            )
        except SinceViolation as error:
            self._tails.end_all(Unavailable(f"read again from where you are: {error.message}"))
        driver.begin(recovered=recovered, fence=fence, world=world, ownership_ms=OWNERSHIP_MS)
        await self._reach()
        return opened

    async def _reach(self) -> None:
        driver, configure = self._driver, self._configure
        assert driver is not None, "recovered before"
        assert configure is not None, "started before"
        if driver.fence.epoch == NO_EPOCH:
            return  # nobody has ever written here: there is nothing to follow yet
        if self._names is None:
            self._names = self._named(driver)
        if self._is_begun and not driver.is_standby:
            await self._give_way(driver)
        self._is_begun = True
        await configure(self._names)

    async def _give_way(self, driver: Driver) -> None:
        """What was added under one of our names while we stood by is what clients were told of."""
        assert self._names is not None, "named before"
        for name, address in list(self._names.items()):
            added = driver.catalog.replicas.get(ReplicaId(name))
            if added is not None and not added.from_settings and added.address != address:
                _log.warning("replica.gives_way", replica=name, to=added.place)
                del self._names[name]
                await self._links.end_local(ReplicaId(name))

    def _named(self, driver: Driver) -> dict[str, str]:
        """What the settings name. A standby's local replicas run beside those of the live one, in
        the same data directory, so they have names of their own."""
        count = self._config.local_replicas
        if driver.is_standby:
            local = free_names(driver.catalog.replicas, count)
        else:
            local = [f"r{number}" for number in range(1, count + 1)]
        return {**dict.fromkeys(local, ""), **self._config.replicas}

    async def _read(self) -> tuple[Opened, list[StoredCommand]]:
        """What the store holds, and the commands to its head: all at one moment, though somebody
        else may fold the history meanwhile."""
        store = self._store
        while True:
            opened = await store.look(store.read_now)
            commands = await store.commands(Position(1))
            if (await store.look(store.read_now)).base == opened.base:
                return opened, [found for found in commands if found.position <= opened.head]

    # Looking.

    def _look_on(self) -> None:
        look = self._follow if self._store.is_standby else self._watch
        self._task = asyncio.ensure_future(self._looking(look))

    async def _look_no_more(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _looking(self, look: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await look()
            except sqlite3.Error as error:
                # A reader that could not read; the next look may. Reads wait for it meanwhile.
                _log.warning("store.not_read", reason=str(error))
            except Exception as error:
                self._fail(error)
                return
            await asyncio.sleep(LOOK_MS / 1000)

    def _fail(self, error: Exception) -> None:
        assert self._failed is not None, "started before"
        self._failed(error)

    def _hand(self, event: DriverEvent) -> None:
        assert self._handle is not None, "started before"
        self._handle(event)

    async def _watch(self) -> None:
        at_ms = self._world.clock.now_ms()
        owner = await self._store.look(self._store.owner_now)
        self._hand(OwnerSeen(owner=owner, at_ms=at_ms))

    async def _follow(self) -> None:
        driver, store = self._driver, self._store
        assert driver is not None, "recovered before"
        state = driver.kernel.instance.state
        if self._world.clock.now_ms() >= self._renew_at_ms:
            await self._keep(needed_from(state))
        # Where the live one listens is not in the store: it is said some time after the claim.
        moment = await store.look(store.moment)
        live_address = await store.look(store.live_address)
        if moment == self._moment and live_address == driver.live_address:
            return
        opened = await store.look(store.read_now)
        commands: list[StoredCommand] = []
        if opened.head != state.head:
            commands = await store.log(state.head, opened.head)
        reason = cannot_follow(state, opened, tuple(commands))
        if reason is None:
            try:
                deltas = await self._deltas(driver.timeline_upper, opened)
            except SinceViolation as error:
                reason = error.message
            else:
                self._hand(
                    HistoryFollowed(
                        opened=opened,
                        commands=tuple(commands),
                        deltas=deltas,
                        live_address=live_address,
                    )
                )
        if reason is not None:
            _log.info("standby.begins_anew", reason=reason)
            await self._begin()
        self._moment = moment

    async def _deltas(self, lower: int, opened: Opened) -> dict[CollectionId, Delta]:
        """What the tails that are open need of [lower, upper). A tail may open while others are
        read for, and then needs more."""
        upper = opened.timeline_upper
        found: dict[CollectionId, Delta] = {}
        while lower < upper:
            missing = [
                collection
                for collection in self._tails.collections()
                if collection not in found
                and collection in opened.shards
                and opened.shards[collection].kind in STORED_KINDS
            ]
            if not missing:
                break
            for collection in missing:
                parts = await self._store.listen(collection, lower, upper)
                found[collection] = Delta(
                    rows=tuple(batch for part in parts for batch in part.rows),
                    errors=tuple(batch for part in parts for batch in part.errors),
                )
        return {c: delta for c, delta in found.items() if delta.rows or delta.errors}

    async def _keep(self, since: int) -> None:
        now_ms = self._world.clock.now_ms()
        lease = Lease(holder=self._holder, since=since, expires_at_ms=now_ms + LEASE_MS)
        await self._store.look(lambda: self._store.keep(lease))
        self._renew_at_ms = now_ms + LEASE_RENEW_MS


def _cannot_begin(error: Exception, epoch: Epoch) -> Exception:
    """Why a controller whose claim the store has must end; a bug is told as it is."""
    if not isinstance(error, AntiphonError | sqlite3.Error | OSError):
        return error
    return OutcomeUnknown(
        f"epoch {epoch} is claimed, but this controller cannot go on with what is stored, and ends:"
        f" {error}; start it again"
    )


class _StandbyStore:
    """The `StorePort` of who may not write: what its instance would let go of is its lease's to
    say, and needs no transaction."""

    def __init__(self, opened: Opened, answered: Callable[[Completion], None]) -> None:
        self._opened = opened
        self._answered = answered
        self._is_open = True

    def submit(self, submission: Submission) -> None:
        writes = (submission.commands, submission.catalog, submission.tick, submission.new_shards)
        assert not any(writes), "a standby does not write"
        done = Committed(
            token=submission.token, head=self._opened.head, digest=self._opened.head_digest
        )
        asyncio.get_running_loop().call_soon(self._answer, done)

    def close(self) -> None:
        self._is_open = False

    def _answer(self, completion: Completion) -> None:
        if self._is_open:
            self._answered(completion)
