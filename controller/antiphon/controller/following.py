"""How a standby keeps up with a history that another controller writes.

It looks at the store again and again; what it finds there since the last look becomes one event of
its instance, and is pushed to the tails of its replicas, so that these compute what the live
controller's compute. Where the store has moved on in a way that cannot be followed, another epoch,
or content that is folded already, the standby begins anew from what is there: its replicas keep
what they have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from antiphon.controller.instance.event import Followed, StoredInput
from antiphon.controller.instance.on_followed import unknown_imports
from antiphon.controller.instance.state import STORED_KINDS, State
from antiphon.controller.kernel import Kernel
from antiphon.controller.recovery import catalog_of
from antiphon.controller.request import HistoryFollowed
from antiphon.history.store import Opened, StoredCommand
from antiphon.protocol.dataflow import CollectionKind
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId


class Following:
    """Feeds a standby's kernel from what its store shows."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._rows: Mapping[CollectionId, bytes] | None = None  # of the catalog, as last seen

    def follow(self, event: HistoryFollowed) -> None:
        """Raises AssertionError unless `cannot_follow` finds nothing."""
        kernel, opened = self._kernel, event.opened
        lower, upper = Frontier(kernel.oracle.upper), Frontier(opened.timeline_upper)
        kernel.oracle.follow(opened.timeline_upper)
        if lower.less_than(upper):
            kernel.world.tails.push(lower, upper, event.deltas)
        if opened.catalog != self._rows:
            self._rows = opened.catalog
            kernel.catalog = replace(catalog_of(opened), version=kernel.catalog.version + 1)
        kernel.step(followed(kernel.instance.state, opened, event.commands))


def followed(state: State, opened: Opened, commands: tuple[StoredCommand, ...]) -> Followed:
    """What has changed between what the instance knows and what the store holds."""
    shards = opened.shards
    return Followed(
        upper=opened.timeline_upper,
        stored=tuple(
            StoredInput(collection=shard.collection, kind=shard.kind, schema=shard.schema)
            for shard in sorted(shards.values(), key=lambda found: found.collection)
            if shard.kind in STORED_KINDS and shard.collection not in state.collections
        ),
        commands=commands,
        gone=tuple(c.id for c in state.collections.values() if c.is_stored and c.id not in shards),
        shard_uppers={
            shard.collection: shard.upper
            for shard in shards.values()
            if shard.kind is CollectionKind.MATERIALIZED_VIEW
        },
    )


def cannot_follow(state: State, opened: Opened, commands: tuple[StoredCommand, ...]) -> str | None:
    """Why a standby has to begin anew; None: it can go on."""
    if opened.epoch != state.config.epoch:
        return f"epoch {opened.epoch} has begun"
    if opened.base > state.head:
        return f"the history is folded up to {opened.base}, and was known up to {state.head}"
    if len(commands) != opened.head - state.head:  # of a log that has no gaps
        return f"the history after {state.head} was folded while it was read"
    for shard in opened.shards.values():
        known = state.collections.get(shard.collection)
        if known is not None and known.since.less_than(Frontier(shard.since)):
            return f"what is needed of {shard.collection} from {known.since} on is folded"
    missing = unknown_imports(state, followed(state, opened, commands))
    if missing:
        return f"{missing[0]} came and went between two looks"
    return None


def needed_from(state: State) -> int:
    """The earliest time of stored content that this instance may still ask for: its lease."""
    times = [
        collection.since.time for collection in state.collections.values() if collection.is_in_store
    ]
    return min((time for time in times if time is not None), default=0)
