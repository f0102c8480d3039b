"""Both stores against a model that keeps every update in a list, through folds and restarts."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.history import revision
from antiphon.history.store import Append, AppendApplied
from antiphon.protocol.errors import SinceViolation
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId
from tests.history.stores import (
    BAG,
    FEED,
    SHARDS,
    TABLE,
    VIEW,
    Disk,
    Driver,
    MemoryDisk,
    Row,
    SqliteDisk,
    rows,
)

Content = dict[tuple[object, ...], int]
KEYS = st.integers(0, 4)
NAMES = st.sampled_from(["a", "b", "c"])
ROWS = st.lists(st.tuples(KEYS, NAMES, st.sampled_from([1, -1])), max_size=4)
STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("tick"),
            st.lists(st.tuples(st.sampled_from([TABLE, FEED, BAG]), ROWS), max_size=3),
        ),
        st.tuples(st.just("view"), ROWS),
        st.tuples(st.just("pieces"), st.lists(ROWS, min_size=1, max_size=4)),
        st.tuples(st.just("since"), st.sampled_from([TABLE, FEED, BAG, VIEW])),
        st.tuples(st.just("restart"), st.none()),
    ),
    max_size=25,
)


@pytest.fixture(autouse=True, scope="module")
def _eager_folding() -> Iterator[None]:
    """Fold almost at once, in steps and chunks of a few rows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(revision, "FOLD_BATCHES_MIN", 2)
        patch.setattr(revision, "FOLD_ROWS_MIN", 1)
        patch.setattr(revision, "FOLD_STEP_ROWS", 2)
        patch.setattr(revision, "CHUNK_ROWS_MAX", 3)
        yield


class Model:
    """Every content at every time."""

    def __init__(self) -> None:
        self.upper = 1
        self.view_upper = 1
        self.drafts = 0
        self.since = dict.fromkeys((TABLE, FEED, BAG, VIEW), 0)
        self.contents: dict[CollectionId, list[Content]] = {
            collection: [{}] for collection in self.since
        }

    def append(self, content: Content, collection: CollectionId, batch: list[Row]) -> bool:
        """Apply to `content`, or say that the store must refuse."""
        if collection == FEED:
            for key, name, diff in batch:
                for known in [row for row in content if row[0] == key]:
                    del content[known]
                if diff > 0:
                    content[(key, name)] = 1
            return True
        after = dict(content)
        for key, name, diff in batch:
            after[(key, name)] = after.get((key, name), 0) + diff
        after = {row: count for row, count in after.items() if count}
        if collection == TABLE:
            keys = [row[0] for row in after]
            if len(set(keys)) != len(keys) or any(count != 1 for count in after.values()):
                return False
        content.clear()
        content.update(after)
        return True


class Run:
    """One example: a driver and the model beside it."""

    def __init__(self, disk: Disk) -> None:
        self.disk = disk
        self.driver: Driver = disk.open()
        self.driver.commit(new_shards=SHARDS)
        self.model = Model()

    def tick(self, appends: list[tuple[CollectionId, list[Row]]]) -> None:
        model = self.model
        now = {each: dict(model.contents[each][-1]) for each in (TABLE, FEED, BAG)}
        expected = [model.append(now[each], each, batch) for each, batch in appends]
        outcomes = self.driver.tick(
            model.upper, *(Append(collection=each, rows=rows(*batch)) for each, batch in appends)
        )
        assert [isinstance(outcome, AppendApplied) for outcome in outcomes] == expected
        for collection, content in now.items():
            model.contents[collection].append(content)
        model.upper += 1

    def view(self, batch: list[Row]) -> None:
        model = self.model
        upper = model.view_upper
        content = dict(model.contents[VIEW][-1])
        model.append(content, BAG, batch)
        model.contents[VIEW] += [dict(model.contents[VIEW][-1]), content]
        updates = tuple((key, name, upper + 1, diff) for key, name, diff in batch)
        errors = tuple(("code", name, "x", upper, 1) for _, name, _ in batch)
        applied = self.driver.append_view(upper, upper + 2, *updates, errors=errors)
        assert applied == (True, Frontier(upper + 2))
        assert self.driver.append_view(upper, upper + 2, *updates) == (False, Frontier(upper + 2))
        model.view_upper += 2

    def pieces(self, pieces: list[list[Row]]) -> None:
        """One append of all of them, beside one that is given up half-way."""
        model, driver = self.model, self.driver
        upper = model.view_upper
        interval = (upper, upper + 1)
        content = dict(model.contents[VIEW][-1])
        model.drafts += 2
        lost, draft = model.drafts - 1, model.drafts
        for place, batch in enumerate(pieces):
            model.append(content, BAG, batch)
            entries = [(key, name, upper, diff) for key, name, diff in batch]
            piece = driver.piece(draft, place, *entries, interval=interval)
            if place < len(pieces) - 1:
                driver.commit(drafted=(driver.piece(lost, place, *entries, interval=interval),))
                driver.commit(drafted=(piece,))
            else:
                driver.commit(discarded=(lost,))
                assert driver.append_last(piece) == (True, Frontier(upper + 1))
        model.contents[VIEW].append(content)
        model.view_upper += 1

    def allow(self, collection: CollectionId) -> None:
        model = self.model
        last = (model.view_upper if collection == VIEW else model.upper) - 1
        since = max(model.since[collection], last - 2)
        self.driver.commit(since={collection: since})
        model.since[collection] = since

    def check(self) -> None:
        for collection, contents in self.model.contents.items():
            since = self.model.since[collection]
            for as_of, content in enumerate(contents):
                if as_of < since:
                    with pytest.raises(SinceViolation):
                        self.driver.store.snapshot(collection, as_of)
                    continue
                expected = sorted((*row, count) for row, count in content.items())
                assert self.driver.content(collection, as_of) == expected
            if collection == FEED:
                continue
            total = {**contents[since]}
            for *row, time, diff in self.driver.changes(collection, since + 1, len(contents)):
                assert time > since
                total[tuple(row)] = total.get(tuple(row), 0) + diff
            assert {row: count for row, count in total.items() if count} == contents[-1]


def play(disk: Disk, steps: list[tuple[str, object]]) -> None:
    run = Run(disk)
    for step in steps:
        match step:
            case ("tick", list() as appends):
                run.tick(appends)
            case ("view", list() as batch):
                run.view(batch)
            case ("pieces", list() as pieces):
                run.pieces(pieces)
            case ("since", int() as collection):
                run.allow(CollectionId(collection))
            case ("restart", _):
                run.driver = disk.open()
            case other:
                raise AssertionError(other)
    run.check()
    run.driver = disk.open()
    run.check()
    disk.close()


@given(STEPS)
def test_memory_is_the_model(steps: list[tuple[str, object]]) -> None:
    play(MemoryDisk(), steps)


@settings(max_examples=40)
@given(STEPS)
def test_sqlite_is_the_model(steps: list[tuple[str, object]]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        play(SqliteDisk(Path(directory) / "data"), steps)
