"""Named holds are taken, acknowledged, released and lost: durable first, then in force or not.

A time is held in memory before its row is on its way to the store, and let go of after the row
says so: at no moment does the store promise what compaction could take away.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from antiphon.controller.catalog_codec import hold_to_bytes
from antiphon.controller.instance.event import HoldMoved, HoldReleased, HoldTaken
from antiphon.controller.instance.holds import check_readable
from antiphon.controller.kernel import Kernel
from antiphon.controller.named_holds import (
    DEADLINE_MS,
    HOLDS_MAX,
    CatalogHold,
    check_deadline,
    check_name,
    check_usable,
    next_row,
)
from antiphon.controller.ports import ErrorReply, HoldReply
from antiphon.controller.request import HoldRequested
from antiphon.history.store import CatalogChange, Committed, Completion, Refused
from antiphon.protocol.errors import (
    ComputeError,
    HoldMissing,
    InvalidArgument,
    LimitExceeded,
    ReadConflict,
)
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId


class NamedHolds:
    """All holds of the instance. `found`: those of the store, of which the instance has taken up
    what is not lost."""

    def __init__(self, kernel: Kernel, found: tuple[CatalogHold, ...]) -> None:
        self._kernel = kernel
        self._durable = {hold.name: hold for hold in found}
        # As they will be once everything under way is durable: what the next change starts from.
        self._planned = dict(self._durable)
        # When each was heard of last. A controller that starts gives everybody their time again.
        self._heard_ms: dict[str, int] = {}

    def all(self) -> list[CatalogHold]:
        return list(self._durable.values())

    def find(self, name: str, target: str = "") -> CatalogHold:
        """A hold that can be subscribed under.

        Raises:
            HoldMissing, HoldLost, InvalidArgument
        """
        hold = self._planned.get(name)
        if hold is None or name not in self._durable:
            raise HoldMissing(f'there is no hold "{name}": take it first', hold=name)
        check_usable(hold, target)
        return hold

    def handle(self, event: HoldRequested) -> None:
        """Take, acknowledge or release, whichever is asked for."""
        try:
            check_name(event.name)
            check_deadline(event.deadline_ms)
            if (event.name in self._planned) != (event.name in self._durable):
                raise ReadConflict(
                    f'the hold "{event.name}" is being taken or released', hold=event.name
                )
            if event.release:
                self._release(event)
            elif event.name in self._planned:
                self._acknowledge(event, self.find(event.name, event.target))
            else:
                self._take(event)
        except ComputeError as error:
            self._kernel.fail(event.request, error)

    def tick(self) -> None:
        """Lose those whose subscribers have been silent for too long, or whose inputs are gone."""
        state, now_ms = self._kernel.instance.state, self._kernel.now_ms
        active = {subscribe.hold for subscribe in state.subscribes.values()}
        for hold in list(self._planned.values()):
            if hold.lost or hold.name not in self._durable:
                continue
            if hold.name in active:
                self._heard_ms[hold.name] = now_ms
            silent_ms = now_ms - self._heard_ms.setdefault(hold.name, now_ms)
            if not all(self._is_live(collection) for collection in hold.imports):
                self._lose(hold, "what it reads was dropped")
            elif silent_ms >= hold.deadline_ms:
                passed = f"its deadline passed, {silent_ms // 1000} s after its subscriber's last"
                self._lose(hold, f"{passed} word")

    def _is_live(self, collection: CollectionId) -> bool:
        found = self._kernel.instance.state.collections.get(collection)
        return found is not None and found.dropped_at is None

    def _take(self, event: HoldRequested) -> None:
        kernel, name, state = self._kernel, event.name, self._kernel.instance.state
        if event.dataflow is None or event.acknowledged is not None:
            raise HoldMissing(f'there is no hold "{name}"', hold=name)
        if len(self._planned) >= HOLDS_MAX:
            raise LimitExceeded(f"{HOLDS_MAX} named holds exist", limit="HOLDS_MAX")
        hold = CatalogHold(
            row=next_row([*self._planned.values(), *self._durable.values()]),
            name=name,
            target=event.target,
            dataflow=event.dataflow,
            time=state.read_time,
            deadline_ms=event.deadline_ms or DEADLINE_MS,
            created_at_ms=kernel.now_ms,
        )
        for collection in hold.imports:
            check_readable(state, collection, hold.time)
        self._heard_ms[name] = kernel.now_ms
        kernel.step(HoldTaken(name=name, imports=hold.imports, time=hold.time))
        self._change(hold, event.request, refused=lambda: kernel.step(HoldReleased(name=name)))

    def _acknowledge(self, event: HoldRequested, hold: CatalogHold) -> None:
        """Only forward; what was acknowledged before is no news, and needs no store."""
        self._heard_ms[hold.name] = self._kernel.now_ms
        seen, after = event.acknowledged, hold
        if seen is not None:
            time = self._before(seen)
            if hold.acknowledged is None or hold.acknowledged.less_than(seen):
                after = replace(hold, acknowledged=seen, time=max(hold.time, time))
        if event.deadline_ms:
            after = replace(after, deadline_ms=event.deadline_ms)
        if after == self._durable[hold.name]:
            self._kernel.reply(event.request, HoldReply(acknowledged=after.acknowledged))
            return
        moved = HoldMoved(name=hold.name, time=after.time)
        self._change(after, event.request, durable=lambda: self._kernel.step(moved))

    def _before(self, seen: Frontier) -> int:
        """The last time that needs no reading any more. Raises InvalidArgument."""
        if not seen.time or seen.time > self._kernel.instance.state.timeline_upper:
            raise InvalidArgument(f"{seen} cannot be acknowledged: nobody has seen it")
        return seen.time - 1

    def _release(self, event: HoldRequested) -> None:
        hold = self._planned.get(event.name)
        if hold is None:
            raise HoldMissing(f'there is no hold "{event.name}"', hold=event.name)
        released = HoldReleased(name=hold.name)
        self._change(hold, event.request, durable=lambda: self._kernel.step(released), removes=True)

    def _lose(self, hold: CatalogHold, reason: str) -> None:
        """Its row stays, to tell its subscriber why."""
        released = HoldReleased(name=hold.name)
        lost = replace(hold, lost=reason)
        self._change(lost, None, durable=lambda: self._kernel.step(released))

    def _change(
        self,
        hold: CatalogHold,
        request: int | None,
        *,
        durable: Callable[[], object] = lambda: None,
        refused: Callable[[], object] = lambda: None,
        removes: bool = False,
    ) -> None:
        """Write the hold's row, or its end; then the effect, then the answer."""
        name = hold.name
        after = None if removes else hold
        _put(self._planned, name, after)

        def done(completion: Completion) -> None:
            match completion:
                case Committed():
                    _put(self._durable, name, after)
                    durable()
                    if request is not None:
                        self._kernel.reply(request, HoldReply(acknowledged=hold.acknowledged))
                case Refused(error=error):
                    _put(self._planned, name, self._durable.get(name))
                    refused()
                    if request is not None:
                        self._kernel.reply(request, ErrorReply(error))

        content = None if removes else hold_to_bytes(hold)
        row = CatalogChange(collection=hold.row, content=content)
        self._kernel.submit(done, catalog=(row,))


def _put(holds: dict[str, CatalogHold], name: str, hold: CatalogHold | None) -> None:
    if hold is None:
        holds.pop(name, None)
    else:
        holds[name] = hold
