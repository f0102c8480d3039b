"""What the store in memory does beyond the contract: it loses what was not committed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from antiphon.history.digest import ChainBroken
from antiphon.history.journal import new_command
from antiphon.history.memory import MemoryStore
from antiphon.history.revision import Side
from antiphon.history.store import Committed, Fence, Lease, Refused, Submission, Tick
from antiphon.protocol.command import UpdateConfiguration
from antiphon.protocol.errors import EpochFenced
from antiphon.protocol.ids import ClaimId, Epoch, HistoryId, InstanceId, Position
from tests.history.stores import BAG, FEED, SHARDS, TABLE, MemoryDisk, deleted, inserted

CLAIM = ClaimId(b"c" * 16)


def claimed() -> tuple[MemoryStore, Fence]:
    store = MemoryStore(instance_id=InstanceId(7), history_id=HistoryId(b"h" * 16))
    return store, Fence(epoch=store.claim(CLAIM).epoch, claim_id=CLAIM)


def tick(fence: Fence, token: int, time: int) -> Submission:
    return Submission(token=token, fence=fence, now_ms=1, tick=Tick(time=time, appends=()))


def test_nothing_is_durable_before_it_is_committed() -> None:
    store, fence = claimed()
    store.submit(tick(fence, 1, 10))
    store.submit(tick(fence, 2, 11))
    assert store.queued_count == 2
    assert store.opened().timeline_upper == 1
    assert isinstance(store.commit_next(), Committed)
    assert store.opened().timeline_upper == 11


def test_submissions_commit_in_order() -> None:
    store, fence = claimed()
    for token in (5, 3, 9):
        store.submit(tick(fence, token, 10 + store.queued_count))
    completions = [store.commit_next() for _ in range(4)]
    assert [completion and completion.token for completion in completions] == [5, 3, 9, None]


def test_a_crash_loses_the_queue_and_nothing_else() -> None:
    store, fence = claimed()
    store.submit(tick(fence, 1, 10))
    store.commit_next()
    store.submit(tick(fence, 2, 11))
    store.crash()
    assert store.commit_next() is None
    assert store.opened().timeline_upper == 11


def test_a_zombie_that_submits_after_the_next_claim_is_fenced() -> None:
    store, fence = claimed()
    store.submit(tick(fence, 1, 10))
    opened = store.claim(ClaimId(b"d" * 16))
    completion = store.commit_next()
    assert isinstance(completion, Refused)
    assert isinstance(completion.error, EpochFenced)
    assert opened.epoch == Epoch(2)


def test_an_edited_history_is_found() -> None:
    driver = MemoryDisk().open()
    for position in (1, 2, 3):
        command = new_command(
            UpdateConfiguration(values={"a": str(position)}),
            instance_id=InstanceId(7), epoch=Epoch(1), position=Position(position), now_ms=1,
        )  # fmt: skip
        driver.commit(commands=(command,))
    store = driver.store
    assert isinstance(store, MemoryStore)
    assert store.verify() == 3
    commands = store._tables.commands
    commands[1] = replace(commands[1], kind="other")
    with pytest.raises(ChainBroken) as caught:
        store.verify()
    assert caught.value.position == 2


def test_folding_keeps_runs_few() -> None:
    driver = MemoryDisk().open()
    driver.commit(new_shards=SHARDS)
    for time in range(2, 700):
        driver.append(time, BAG, inserted((time % 5, "x")))
        driver.allow(BAG=time - 1)
    store = driver.store
    assert isinstance(store, MemoryStore)
    runs = [runs for runs in store._tables.contents[BAG].runs.values() if runs]
    assert len(runs) == 1
    assert len(runs[0]) < 80
    assert sum(row[-1] for row in driver.content(BAG, 699)) == 698


def test_deletes_are_kept_while_an_older_run_has_their_keys() -> None:
    driver = MemoryDisk().open()
    driver.commit(new_shards=SHARDS)
    driver.append(2, FEED, inserted(*((key, "x") for key in range(5_000))))
    for time in range(3, 103):
        driver.append(time, FEED, deleted((time, None)))
    driver.allow(FEED=102)
    store = driver.store
    assert isinstance(store, MemoryStore)
    assert len(store._tables.contents[FEED].runs[Side.ROWS]) == 2
    assert [row[0] for row in driver.content(FEED, 102)] == [0, 1, 2, *range(103, 5_000)]


def test_a_lease_holds_back_every_since_until_it_runs_out() -> None:
    disk = MemoryDisk()
    live = disk.open()
    live.commit(new_shards=SHARDS)
    live.append(100, TABLE, inserted((1, "a")))
    assert isinstance(live.store, MemoryStore)
    live.store.keep(Lease(holder=b"s" * 16, since=40, expires_at_ms=2_000))
    live.commit(since={TABLE: 90}, now_ms=1_999)
    assert live.store.opened().shards[TABLE].since == 40
    live.commit(since={TABLE: 90}, now_ms=2_000)
    assert live.store.opened().shards[TABLE].since == 90
