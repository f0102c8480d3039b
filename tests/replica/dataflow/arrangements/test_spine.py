"""A spine holds the sum of what was inserted, in few batches, however its merges are cut."""

from collections import Counter

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.replica.dataflow.arrangements.batch import build_batch, sorted_batch
from antiphon.replica.dataflow.arrangements.intake import Change
from antiphon.replica.dataflow.arrangements.merge import Merge
from antiphon.replica.dataflow.arrangements.spine import Spine, probe_keys
from antiphon.replica.dataflow.columns.words import key_words
from antiphon.replica.dataflow.columns.zset import Zset
from tests.reference.plans import clean
from tests.replica.dataflow.changes import SCHEMA, rows_of, ticks, zset


def content(spine):
    total = Counter()
    for batch in spine.batches:
        assert (batch.ranks[1:] >= batch.ranks[:-1]).all(), "a batch is sorted"
        assert (batch.diffs != 0).all(), "a batch is consolidated"
        for row, diff in rows_of(Zset(batch.columns, batch.diffs))[0].items():
            total[row] += diff
    return clean(total)


@settings(max_examples=60, deadline=None)
@given(ticks(tick_count=8, row_count=8), st.sampled_from([1, 2, 5, 1_000]))
def test_merges_of_any_size_keep_the_sum(changes, fuel):
    spine, total = Spine(), Counter()
    for tick in changes:
        change = zset(SCHEMA, tick)
        spine.insert(build_batch(change.columns, change.diffs, (0, 3)))
        for row, diff in rows_of(change)[0].items():
            total[row] += diff
        spine.maintain(fuel)
        assert content(spine) == clean(total)
    while spine.maintain(fuel):
        pass
    assert content(spine) == clean(total)


def test_the_ladder_stays_short_and_merges_are_bounded():
    spine = Spine()
    rng = np.random.default_rng(7)
    longest = 0
    for step in range(400):
        keys = pa.array(rng.integers(0, 10**6, 50))
        texts = pa.array([f"row {step} {i}" if i % 7 else None for i in range(50)])
        flags = pa.array(rng.random(50) < 0.5)
        spine.insert(build_batch((keys, texts, flags), np.ones(50, np.int64), (0,)))
        spine.maintain(500)
        longest = max(longest, len(spine.batches))
    assert longest <= 16
    while spine.maintain(137):
        pass
    assert len(spine.batches) <= 6
    assert sum(int(batch.diffs.sum()) for batch in spine.batches) == 400 * 50
    texts = pa.concat_arrays([batch.columns[1] for batch in spine.batches])
    assert len(texts.unique()) == 400 * 42 + 1


def test_without_maintenance_the_ladder_is_bounded_too():
    spine = Spine()
    for step in range(200):
        keys = pa.array([step, step + 1])
        spine.insert(build_batch((keys,), np.ones(2, np.int64), (0,)))
        assert len(spine.batches) <= 24
    assert sum(int(batch.diffs.sum()) for batch in spine.batches) == 400


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 30), max_size=20), max_size=6), st.lists(st.integers(0, 40))
)
def test_a_probe_finds_every_row_of_its_key_once(parts, wanted):
    spine, total = Spine(), Counter()
    for number, part in enumerate(parts):
        others = pa.array([number] * len(part), pa.int64())
        columns = (pa.array(part, pa.int64()), others)
        spine.insert(build_batch(columns, np.ones(len(part), np.int64), (0,)))
        total.update(part)
    keys = pa.array(wanted, pa.int64())
    found = Counter()
    for match in probe_keys(spine.batches, key_words([keys], len(wanted))):
        rows = match.batch.columns[0].take(pa.array(match.rows)).to_pylist()
        for probe, row, diff in zip(
            match.probes.tolist(), rows, match.batch.diffs[match.rows].tolist(), strict=True
        ):
            assert wanted[probe] == row
            found[probe] += diff
    assert found == {i: total[key] for i, key in enumerate(wanted) if total[key]}


@settings(max_examples=40, deadline=None)
@given(
    parts=st.lists(st.lists(st.tuples(st.integers(0, 9), st.sampled_from([1, -1])), max_size=9)),
    looks=st.lists(st.booleans(), min_size=1),
    padding=st.sampled_from([0, 1, 1_025]),
)
def test_rows_taken_in_are_there_for_whoever_looks(parts, looks, padding):
    """On both sides of what may wait: few rows, and more than that at once."""
    spine, total = Spine((0,)), Counter()
    for number, part in enumerate(parts):
        rows = [*part, *((100 + i, 1) for i in range(padding if number == 1 else 0))]
        keys = pa.array([key for key, _ in rows], pa.int64())
        spine.take_in(Change((keys,), np.array([diff for _, diff in rows], np.int64)))
        for key, diff in rows:
            total[(key,)] += diff
        if looks[number % len(looks)]:
            assert content(spine) == clean(total)
        spine.maintain(100)
    assert content(spine) == clean(total)


def test_many_small_changes_wait_for_one_sort():
    spine = Spine((0,))
    spine.insert(build_batch((pa.array(range(20_000)),), np.ones(20_000, np.int64), (0,)))
    for number in range(500):
        spine.take_in(Change((pa.array([number, number]),), np.array([1, -1], np.int64)))
        spine.maintain(100)
        assert spine.row_count <= 20_000 + 2 * 300
    assert len(spine.batches) == 1, "what cancels while it waits never becomes a batch"


def test_what_has_gone_is_forgotten_in_a_pause():
    """Also where it is too little to be merged for its size: it is most of what is there."""
    spine = Spine((0,))
    keys = pa.array(range(20_000))
    spine.insert(build_batch((keys,), np.ones(20_000, np.int64), (0,)))
    spine.insert(build_batch((keys[:4_000],), np.full(4_000, -1), (0,)))
    while spine.maintain(10**6):
        pass
    assert spine.row_count == 24_000, "a fifth does not pay for the first batch yet"
    spine.insert(build_batch((keys[4_000:19_000],), np.full(15_000, -1), (0,)))
    while spine.maintain(10**6):
        pass
    assert spine.row_count == 1_000
    assert spine.is_idle


def test_no_call_between_changes_merges_more_than_its_share():
    spine = Spine((0,))
    rng = np.random.default_rng(3)
    base = pa.array(rng.integers(0, 10**6, 200_000))
    spine.insert(build_batch((base,), np.ones(200_000, np.int64), (0,)))
    while spine.maintain(10**6):
        pass
    longest = 0
    for _ in range(400):
        keys = pa.array(rng.integers(0, 10**6, 1_000))
        spine.take_in(Change((keys,), np.ones(1_000, np.int64)))
        left = [merge.rows_left for _, merge in spine._merges]
        spine.maintain(10**6)
        now = [merge.rows_left for _, merge in spine._merges[: len(left)]]
        assert sum(left[: len(now)]) - sum(now) <= 2 * 12_000, "a share, and the end of a stretch"
        longest = max(longest, len(spine._batches))
    assert longest <= 20
    assert sum(int(batch.diffs.sum()) for batch in spine.batches) == 600_000


def test_a_tick_that_sorts_what_many_have_brought_merges_nothing():
    spine = Spine((0,))
    rng = np.random.default_rng(4)
    sorts = 0
    for _ in range(300):
        change = Change((pa.array(rng.integers(0, 10**6, 1_000)),), np.ones(1_000, np.int64))
        spine.take_in(change)
        sorts_now = spine._intake.row_count == 0
        before = [(len(batch), batch) for batch in spine._batches]
        left = [merge.rows_left for _, merge in spine._merges]
        spine.maintain(10**6)
        if sorts_now:
            sorts += 1
            assert [(len(batch), batch) for batch in spine._batches] == before
            assert [merge.rows_left for _, merge in spine._merges] == left
    assert sorts > 15


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3), st.sampled_from([1, -1])),
                 max_size=6),
        max_size=8,
    ),
    st.booleans(),
)  # fmt: skip
def test_rows_that_share_a_rank_are_told_apart(parts, timed):
    """Pairs, longer runs, equal rows and others, at one time or at several."""
    total, batches = Counter(), []
    for number, part in enumerate(parts):
        columns = (pa.array([r[0] for r in part], pa.int64()), pa.array([f"{r[1]}" for r in part]))
        diffs = np.array([r[2] for r in part], np.int64)
        ranks = np.array([r[0] for r in part], np.uint64)  # as if all rows of a key collided
        times = np.array([number % 2 for _ in part], np.uint64) if timed else None
        batches.append(sorted_batch(ranks, columns, diffs, times))
        for key, text, diff in part:
            total[(key, f"{text}", number % 2 if timed else 0)] += diff
    held = [batch for batch in batches if len(batch)]
    if not held:
        return
    merge = Merge(held, None)
    while merge.result is None:
        merge.work(2)
    found = Counter()
    batch = merge.result
    times = [0] * len(batch) if batch.times is None else batch.times.tolist()
    lines = zip(*(c.to_pylist() for c in batch.columns), times, batch.diffs.tolist(), strict=True)
    for key, text, time, diff in lines:
        assert (key, text, time) not in found, "once each"
        found[(key, text, time)] = diff
    assert found == clean(total)
