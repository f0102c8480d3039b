"""The digest of a trace that moves on, against the digest of its content from scratch."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from antiphon.protocol.content_digest import EMPTY, added
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.plan import Get, SortKey, TopK
from antiphon.replica.dataflow.columns.zset import ERRORS, Zset
from antiphon.replica.dataflow.graph import Dataflow, ImportSpec
from antiphon.replica.importing.deltas import decode
from antiphon.replica.reporting.digest import ContentDigest, digest_of
from tests.replica.scripted import PAIRS, Change, delta

CHANGES = st.lists(
    st.tuples(
        st.tuples(st.integers(0, 3), st.sampled_from("ab")), st.just(0), st.sampled_from([1, -1])
    ),
    max_size=8,
)


def zset(changes: list[Change]) -> Zset:
    return Zset.concat(PAIRS, [change for _, change in decode(delta(*changes), PAIRS)])


@given(
    st.lists(CHANGES, max_size=3),
    st.lists(st.tuples(CHANGES, st.sampled_from(["", "work", "ask", "forget"])), max_size=8),
)
def test_the_digest_at_a_time_is_that_of_the_content_there(
    parts: list[list[Change]], ticks: list[tuple[list[Change], str]]
) -> None:
    digest = ContentDigest(10, [zset(part) for part in parts])
    total = added(*(digest_of(zset(part)) for part in parts))
    expected = {10: total}
    forgotten = 10
    for time, (changes, then) in enumerate(ticks, 11):
        change = zset(changes)
        digest.add([(time, change)])
        total = added(total, digest_of(change))
        expected[time] = total
        if then == "work":
            digest.work(3)
        elif then == "ask":
            assert digest.at(time) in (None, total)
        elif then == "forget":
            forgotten = time - 1
            digest.forget(forgotten)
    while digest.work(2):
        pass
    for time, wanted in expected.items():
        assert digest.at(time) == (wanted if time >= forgotten else None)


def test_nothing_is_told_before_all_of_it_is_summed() -> None:
    digest = ContentDigest(5, [zset([((1, "a"), 0, 1), ((2, "b"), 0, 1)])])
    assert digest.at(5) is None
    assert digest.work(1)
    assert digest.at(5) is None
    digest.work(1)
    assert digest.at(5) == digest_of(zset([((2, "b"), 0, 1), ((1, "a"), 0, 1)]))
    assert not digest.reaches(4)
    assert digest.at(4) is None


def test_errors_count_as_well() -> None:
    errors = Zset.empty(ERRORS)
    rows = zset([((1, "a"), 0, 1)])
    words = zset([((1, "x"), 0, 1)]).columns[1]
    failed = Zset((words, words, words), rows.diffs)
    assert digest_of(Zset(rows.columns, rows.diffs, errors)) == digest_of(rows)
    assert digest_of(Zset(rows.columns, rows.diffs, failed)) != digest_of(rows)
    assert digest_of(Zset.empty(PAIRS)) == EMPTY


def test_equal_content_is_no_proof_of_what_is_kept_behind_it() -> None:
    """So who has diverged is built anew even where its content is that of the others."""
    source = Get(collection=CollectionId(1), schema=PAIRS)
    plan = TopK(input=source, group_by=(), order_by=(SortKey(column=0),), limit=1, offset=0)
    imports = {source.collection: ImportSpec(schema=PAIRS)}
    right, diverged = Dataflow.build(plan, imports), Dataflow.build(plan, imports)
    row = ((1, "a"), 0, 1)
    shown = right.step(1, {source.collection: zset([row, ((2, "b"), 0, 1)])})
    also = diverged.step(1, {source.collection: zset([row])})
    assert digest_of(shown) == digest_of(also)
    gone = {source.collection: zset([((1, "a"), 0, -1)])}
    assert digest_of(right.step(2, gone)) != digest_of(diverged.step(2, gone))
