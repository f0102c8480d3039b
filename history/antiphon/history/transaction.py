"""What one submission does to a store, whatever keeps it.

`prepare` finds every reason to refuse a submission whole, before anything is written; `perform`
then cannot fail but by a failure of the medium. A tick's appends are refused one by one instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import pyarrow as pa

from antiphon.history import shard as shards
from antiphon.history import shard_appends
from antiphon.history.appends import Group
from antiphon.history.digest import EMPTY_DIGEST, extend
from antiphon.history.envelope import MalformedEnvelope
from antiphon.history.folding import fold_stored
from antiphon.history.limits import SEQUENCE_MAX
from antiphon.history.revision import Side
from antiphon.history.shard import FIRST_UPPER, STORED_TIME_MAX, Shard
from antiphon.history.shard_appends import Draft
from antiphon.history.store import (
    Append,
    AppendApplied,
    AppendRefused,
    Committed,
    Fence,
    Opened,
    StoredCommand,
    Submission,
    Tick,
)
from antiphon.history.tables import ProducerEntry, Tables
from antiphon.protocol.dataflow import CollectionKind
from antiphon.protocol.delta import Delta
from antiphon.protocol.errors import (
    CollectionExists,
    ComputeError,
    EpochFenced,
    InvalidArgument,
    LimitExceeded,
    ReadConflict,
    StaleFacts,
    UpperMismatch,
)
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import (
    NO_POSITION,
    CollectionId,
    HistoryId,
    InstanceId,
    Position,
    is_transient,
    show,
)

FIRST_ID: Final = 1


@dataclass(slots=True)
class State:
    """The facts of a store that its writer holds in memory. Only `perform` changes them."""

    fence: Fence
    head: Position = NO_POSITION
    digest: bytes = EMPTY_DIGEST
    base: Position = NO_POSITION
    base_digest: bytes = EMPTY_DIGEST
    timeline_upper: int = FIRST_UPPER
    next_id: int = FIRST_ID
    shards: dict[CollectionId, Shard] = field(default_factory=dict)
    compaction: dict[CollectionId, Frontier] = field(default_factory=dict)
    drafts: dict[int, Draft] = field(default_factory=dict)

    def opened(
        self, instance_id: InstanceId, history_id: HistoryId, catalog: Mapping[CollectionId, bytes]
    ) -> Opened:
        """The same facts as a value of their own."""
        return Opened(
            instance_id=instance_id,
            history_id=history_id,
            epoch=self.fence.epoch,
            head=self.head,
            head_digest=self.digest,
            base=self.base,
            base_digest=self.base_digest,
            timeline_upper=self.timeline_upper,
            next_id=self.next_id,
            catalog=dict(catalog),
            compaction=dict(self.compaction),
            shards={
                collection: shard.state(self.timeline_upper)
                for collection, shard in self.shards.items()
            },
        )


@dataclass(frozen=True, slots=True)
class Prepared:
    """A submission that nothing speaks against. `groups`: its appends, checked and hashed."""

    submission: Submission
    created: Mapping[CollectionId, Shard]
    groups: Mapping[CollectionId, Group]
    filled: Mapping[CollectionId, Delta]  # what those that are created hold from the start


def prepare(state: State, submission: Submission) -> Prepared:
    """All that can be decided without a write.

    Raises:
        EpochFenced: another claim owns the store.
        StaleFacts: the head is not `expected_head`.
        UpperMismatch: the tick's time is before the timeline's upper.
        ReadConflict: what the content of a new table was made of has changed.
        CollectionExists, CollectionMissing, InvalidArgument, SchemaMismatch, ConstraintViolation,
        LimitExceeded: a part that makes no sense.
        Unavailable: what came before a piece of an append is gone.
    """
    if submission.fence != state.fence:
        raise EpochFenced(
            f"epoch {state.fence.epoch} owns the store, not {submission.fence.epoch} or another"
            " claim of it",
            epoch=state.fence.epoch,
        )
    if submission.expected_head not in (None, state.head):
        raise StaleFacts(
            f"the history's head is {state.head}, not {submission.expected_head}",
            head=state.head,
        )
    _check_ranges(state, submission)
    created = _check_shards(state, submission)
    for append in (*submission.drafted, *submission.shard_appends):
        shard = state.shards.get(append.collection) or created.get(append.collection)
        if shard is None or append.collection in submission.dropped_shards:
            raise shards.missing(append.collection)
        shards.check_shard_append(shard, append)
        shard_appends.check_place(state.drafts, append)
    filled = _filled(state, created, submission)
    return Prepared(submission, created, _groups(state, created, submission), filled)


def _filled(
    state: State, created: Mapping[CollectionId, Shard], submission: Submission
) -> Mapping[CollectionId, Delta]:
    filled: dict[CollectionId, Delta] = {}
    for new in submission.new_shards:
        content = new.content
        if content is None:
            continue
        shard, time = created[new.collection], content.unchanged_since
        if shard.kind is not CollectionKind.TABLE or shard.unique_key or content.producer:
            raise InvalidArgument("only a table without a key has content from the start")
        if not 0 <= time < state.timeline_upper:
            raise InvalidArgument(f"content at {time}, which is not before {state.timeline_upper}")
        for collection in content.unchanged:
            _check_unchanged(state, collection, time)
        group = Group(shard, [(0, content)])
        problem = group.problem(0)
        if problem is not None:
            raise problem
        group.apply(0)
        filled[new.collection] = group.delta(time)
    return filled


def _groups(
    state: State, created: Mapping[CollectionId, Shard], submission: Submission
) -> Mapping[CollectionId, Group]:
    """The tick's appends by collection; those to what cannot be appended to have no group."""
    by_collection: dict[CollectionId, list[tuple[int, Append]]] = {}
    if submission.tick is not None:
        for index, append in enumerate(submission.tick.appends):
            by_collection.setdefault(append.collection, []).append((index, append))
    groups: dict[CollectionId, Group] = {}
    for collection, appends in by_collection.items():
        shard = state.shards.get(collection) or created.get(collection)
        if shard is None or not shard.is_appendable:
            continue
        try:
            groups[collection] = Group(shard, appends)
        except pa.ArrowException as error:
            # Batches have 31-bit offsets, so only so much fits one.
            raise LimitExceeded(
                f"a tick of more than {show(collection)} can take at once: {error}",
                collection=collection,
            ) from error
    return groups


def _check_shards(state: State, submission: Submission) -> Mapping[CollectionId, Shard]:
    created: dict[CollectionId, Shard] = {}
    for new in submission.new_shards:
        if new.collection in state.shards or new.collection in created:
            raise CollectionExists(f"{show(new.collection)} has a shard", collection=new.collection)
        created[new.collection] = shards.create(new)
    for collection in submission.dropped_shards:
        if collection not in state.shards:
            raise shards.missing(collection)
    if len(set(submission.dropped_shards)) != len(submission.dropped_shards):
        raise InvalidArgument("a shard is dropped twice")
    return created


def _check_ranges(state: State, submission: Submission) -> None:
    """What no store could write: refused here, because a write that fails stops the writer."""
    for command in submission.commands:
        if not (command.kind.isascii() and command.kind.isprintable() and command.kind):
            raise InvalidArgument(f"{command.kind!r} is not the kind of a command")
    if submission.next_id is not None and submission.next_id < state.next_id:
        raise InvalidArgument(f"the next id moves back: {state.next_id} -> {submission.next_id}")
    fold_to = submission.fold_to
    if fold_to is not None and not 0 <= fold_to <= state.head + len(submission.commands):
        raise InvalidArgument(f"the log cannot be folded up to {fold_to}: it ends before")
    tick = submission.tick
    if tick is not None and tick.time < state.timeline_upper:
        raise UpperMismatch(
            f"a tick at {tick.time}, but the timeline is complete before {state.timeline_upper}",
            upper=state.timeline_upper,
        )
    ids = [command.subject for command in submission.commands]
    ids += [change.collection for change in submission.catalog]
    ids += submission.compaction
    numbers = [submission.now_ms, submission.next_id or 0, 0 if tick is None else tick.time]
    numbers += [frontier.time or 0 for frontier in submission.compaction.values()]
    numbers += submission.since.values()
    if any(is_transient(collection) or collection < 0 for collection in ids):
        raise InvalidArgument("a transient id in what is durable")
    if not all(0 <= number <= STORED_TIME_MAX for number in numbers):
        raise InvalidArgument("a time or an id that is out of range")


def perform(state: State, tables: Tables, prepared: Prepared) -> Committed:
    """Write a prepared submission, in the order of its fields."""
    submission = prepared.submission
    for command in submission.commands:
        position = Position(state.head + 1)
        digest = extend(state.digest, position, command.kind, command.payload)
        state.head, state.digest = position, digest
        tables.add_command(
            StoredCommand(
                position=position,
                kind=command.kind,
                subject=command.subject,
                envelope=command.envelope,
                digest=digest,
                appended_at_ms=submission.now_ms,
            )
        )
    if submission.fold_to is not None:
        _fold(state, tables, submission.fold_to)
    for new in submission.new_shards:
        shard = prepared.created[new.collection]
        state.shards[new.collection] = shard
        tables.add_shard(new)
        if new.content is not None and (rows := prepared.filled[new.collection].rows):
            shard.changed = new.content.unchanged_since
            tables.add_run(new.collection, Side.ROWS, (shard.changed, shard.changed), rows)
    for collection in submission.dropped_shards:
        shard_appends.discard_all(state.drafts, tables, collection)
        del state.shards[collection]
        tables.drop_shard(collection)
    for change in submission.catalog:
        tables.put_catalog(change)
    if submission.next_id is not None:
        state.next_id = submission.next_id
    outcomes: tuple[AppendApplied | AppendRefused, ...] = ()
    deltas: Mapping[CollectionId, Delta] = {}
    if submission.tick is not None:
        outcomes, deltas = _tick(state, tables, submission.tick, prepared.groups)
    for append in submission.drafted:
        shard_appends.draft(state.drafts, tables, state.shards[append.collection], append)
    uppers = tuple(
        shard_appends.compare_and_append(
            state.drafts, tables, state.shards[append.collection], append
        )
        for append in submission.shard_appends
    )
    for draft in submission.discarded:
        shard_appends.discard(state.drafts, tables, draft)
    _advance(state, tables, submission)
    return Committed(
        token=submission.token,
        head=state.head,
        digest=state.digest,
        outcomes=outcomes,
        deltas=deltas,
        shard_uppers=uppers,
        base=state.base,
    )


def _fold(state: State, tables: Tables, to: Position) -> None:
    if to <= state.base:
        return
    prefix = tables.log(to)
    assert len(prefix) == to - state.base, f"the log from {state.base} to {to} has gaps"
    try:
        base = fold_stored(tables.base(), prefix)
    except MalformedEnvelope:
        return  # it cannot be told what of it still matters
    state.base, state.base_digest = to, prefix[-1].digest
    tables.put_base(to, state.base_digest, base)


def _advance(state: State, tables: Tables, submission: Submission) -> None:
    """The compaction map and since, each only forward. A shard that was dropped in the meantime is
    passed over: the beat that moves them does not wait for drops."""
    for collection, frontier in submission.compaction.items():
        known = state.compaction.get(collection)
        if frontier.is_closed:
            if state.compaction.pop(collection, None) is not None:
                tables.put_compaction(collection, frontier)
        elif known is None or known.less_than(frontier):
            state.compaction[collection] = frontier
            tables.put_compaction(collection, frontier)
    leased = tables.leased(submission.now_ms) if submission.since else None
    for collection, requested in submission.since.items():
        shard = state.shards.get(collection)
        if shard is None:
            continue
        wanted = requested if leased is None else min(requested, leased)
        since = shards.allowed_since(shard, wanted, state.timeline_upper)
        if since != shard.since:
            shard.since = since
            tables.put_since(collection, since)


def _tick(
    state: State, tables: Tables, tick: Tick, groups: Mapping[CollectionId, Group]
) -> tuple[tuple[AppendApplied | AppendRefused, ...], Mapping[CollectionId, Delta]]:
    outcomes: list[AppendApplied | AppendRefused] = []
    for index, append in enumerate(tick.appends):
        try:
            outcomes.append(_append(state, tables, groups, tick.time, index, append))
        except ComputeError as error:
            outcomes.append(AppendRefused(error))
    deltas: dict[CollectionId, Delta] = {}
    for collection, group in groups.items():
        delta = group.delta(tick.time)
        if delta.rows:
            deltas[collection] = delta
            tables.add_run(collection, Side.ROWS, (tick.time, tick.time), delta.rows)
    state.timeline_upper = tick.time + 1
    return tuple(outcomes), deltas


def _append(
    state: State,
    tables: Tables,
    groups: Mapping[CollectionId, Group],
    time: int,
    index: int,
    append: Append,
) -> AppendApplied:
    """Apply one append to its group and to the keys, or raise why not, with nothing changed."""
    repeated = _repeated(tables, append)
    if repeated is not None:
        return repeated
    group, shard = groups.get(append.collection), state.shards.get(append.collection)
    if shard is None:
        raise shards.missing(append.collection)
    if group is None:
        raise InvalidArgument(f"{show(append.collection)} is not a table or a feed")
    for collection in append.unchanged:
        _check_unchanged(state, collection, append.unchanged_since)
    problem = group.problem(index)
    if problem is not None:
        raise problem
    keyed = group.keyed_rows(index)
    if keyed is not None:
        removed, added = keyed
        conflict = tables.change_keys(append.collection, removed, added)
        if conflict is not None:
            raise group.conflict(conflict, added if conflict.added else removed)
    row_count: int = append.rows.num_rows
    if append.producer is not None:
        entry = ProducerEntry(append.producer.sequence, time, row_count)
        tables.remember(append.producer.producer_id, entry)
    if row_count:
        shard.changed = time
    group.apply(index)
    return AppendApplied(time=time, row_count=row_count)


def _repeated(tables: Tables, append: Append) -> AppendApplied | None:
    """The first outcome of a producer sequence that was applied before; None: it is new.

    A sequence that is behind the producer's last, and not remembered, is refused: it was skipped,
    refused, or is too old to tell, and applying it now could double it or reorder it.
    """
    if append.producer is None:
        return None
    producer, sequence = append.producer.producer_id, append.producer.sequence
    if not 0 <= sequence <= SEQUENCE_MAX:
        raise InvalidArgument(f"the producer sequence {sequence} is out of range")
    entry = tables.producer_entry(producer, sequence)
    if entry is None:
        return None
    if entry.sequence != sequence:
        raise InvalidArgument(
            f"the sequence {sequence} of producer {producer} is behind its last and not known",
            producer=str(producer),
            sequence=sequence,
        )
    return AppendApplied(time=entry.time, row_count=entry.row_count, duplicate=True)


def _check_unchanged(state: State, collection: CollectionId, since: int) -> None:
    shard = state.shards.get(collection)
    if shard is None:
        raise shards.missing(collection)
    if not shard.is_appendable:
        raise InvalidArgument(f"{show(collection)} is not a table or a feed")
    if shard.changed > since:
        raise ReadConflict(
            f"{show(collection)} changed at {shard.changed}, after it was read at {since}",
            collection=collection,
            changed=shard.changed,
        )
