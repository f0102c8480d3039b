"""Reservations: one statement at a time is let through, and nobody waits for ever."""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.controller import reservations as module
from antiphon.controller.reservations import RESERVED_MS_MAX, Reservations
from antiphon.history.store import Append
from antiphon.protocol.ids import CollectionId

T, U = CollectionId(1), CollectionId(2)
ROWS = pa.RecordBatch.from_pydict({"k": [1]})


def append(collection: CollectionId = T) -> Append:
    return Append(collection=collection, rows=ROWS)


@dataclass
class Log:
    """Wishes and appends as they get through."""

    reservations: Reservations = field(default_factory=Reservations)
    seen: list[object] = field(default_factory=list)

    def wish(self, owner: int, *collections: CollectionId, now_ms: int = 0) -> None:
        self.reservations.wish(owner, collections, now_ms, lambda: self.seen.append(owner))

    def append(self, name: str, collection: CollectionId = T, owner: int | None = None) -> None:
        one = append(collection)
        if not self.reservations.blocks(one, owner):
            self.seen.append(name)
        else:
            assert self.reservations.wait(one, lambda: self.append(name, collection, owner))


def test_others_wait_in_order_until_the_statement_is_done() -> None:
    log = Log()
    log.append("before")
    log.wish(1, T)
    log.append("a")
    log.append("elsewhere", U)
    log.append("its own", owner=1)
    log.append("b")
    assert log.seen == ["before", 1, "elsewhere", "its own"]
    log.reservations.release(1, 0)
    assert log.seen[4:] == ["a", "b"]
    assert log.reservations.waiting_count == 0


def test_the_next_is_let_in_after_those_who_waited() -> None:
    log = Log()
    log.wish(1, T)
    log.wish(2, T, U)
    log.wish(3, U)
    log.append("a")
    assert log.seen == [1, 3]
    log.reservations.release(1, 0)
    assert log.seen == [1, 3, "a"], "one of its collections is not free"
    log.reservations.release(3, 0)
    assert log.seen == [1, 3, "a", 2]


def test_who_gives_up_is_forgotten() -> None:
    log = Log()
    log.wish(1, T)
    log.wish(2, T)
    log.reservations.release(2, 0)
    log.reservations.release(1, 0)
    log.reservations.release(9, 0)
    assert log.seen == [1]
    assert log.reservations.wake_at_ms is None


def test_nobody_waits_longer_than_is_said() -> None:
    log = Log()
    log.wish(1, T, now_ms=10)
    log.append("a")
    assert log.reservations.wake_at_ms == 10 + RESERVED_MS_MAX
    log.reservations.expire(9 + RESERVED_MS_MAX)
    assert (log.seen, log.reservations.holds(1)) == ([1], True)
    log.reservations.expire(10 + RESERVED_MS_MAX)
    assert (log.seen, log.reservations.holds(1)) == ([1, "a"], False)


@pytest.mark.parametrize(
    ("limit", "value"), [("WAITING_APPENDS_MAX", 2), ("WAITING_BYTES_MAX", 2 * ROWS.nbytes)]
)
def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch, limit: str, value: int) -> None:
    monkeypatch.setattr(module, limit, value)
    log = Log()
    log.wish(1, T)
    log.append("a")
    log.append("b")
    assert not log.reservations.wait(append(), lambda: None)
    log.reservations.release(1, 0)
    assert log.seen == [1, "a", "b"]


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("wish"), st.integers(1, 4), st.sampled_from([(T,), (U,), (T, U)])),
            st.tuples(st.just("release"), st.integers(1, 4), st.just(())),
            st.tuples(st.just("append"), st.integers(0, 0), st.sampled_from([(T,), (U,)])),
        ),
        max_size=30,
    )
)
def test_everything_gets_through_once_and_appends_keep_their_order(
    events: list[tuple[str, int, tuple[CollectionId, ...]]],
) -> None:
    log = Log()
    wished: set[int] = set()
    sent: dict[CollectionId, list[str]] = {T: [], U: []}
    for number, (kind, owner, collections) in enumerate(events):
        if kind == "append":
            sent[collections[0]].append(f"{number}")
            log.append(f"{number}", collections[0])
        elif kind == "wish" and owner not in wished:
            wished.add(owner)
            log.wish(owner, *collections)
        elif kind == "release":
            wished.discard(owner)
            log.reservations.release(owner, 0)
    for owner in range(1, 5):
        log.reservations.release(owner, 0)
    through = [entry for entry in log.seen if isinstance(entry, str)]
    for names in sent.values():
        assert [name for name in through if name in names] == names
    assert log.reservations.waiting_count == 0
    assert log.reservations.wake_at_ms is None
