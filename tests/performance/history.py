"""The history's benchmarks: durable appends of numbered commands by many at once."""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

from antiphon.history.io.sqlite import SqliteStore, open_store
from antiphon.history.io.sqlite.writer import commit_transaction
from antiphon.history.store import Committed, Completion, NewCommand, Submission
from antiphon.protocol.ids import CollectionId
from tests.performance.report import Measured, missing

APPENDERS: Final = 64
PAYLOAD: Final = bytes(range(256))
APPENDS: Final = 16_384
ROUNDS: Final = 5  # both sides in turns, medians
LATER: Final = "comes with the envelope that has headers"


class Appenders:
    """Tasks on one event loop, each with one append under way, over the real store."""

    def __init__(self, folder: Path) -> None:
        self.commits = 0
        self._waiting: dict[int, asyncio.Future[Completion]] = {}
        self._tokens = itertools.count(1)
        self._loop = asyncio.get_running_loop()
        self.store: SqliteStore = open_store(folder, deliver=self._deliver, commit=self._commit)

    def _commit(self, connection: sqlite3.Connection) -> None:
        self.commits += 1
        commit_transaction(connection)

    def _deliver(self, completions: tuple[Completion, ...]) -> None:
        self._loop.call_soon_threadsafe(self._answer, completions)

    def _answer(self, completions: tuple[Completion, ...]) -> None:
        for completion in completions:
            self._waiting.pop(completion.token).set_result(completion)

    async def append(self) -> None:
        token = next(self._tokens)
        answer: asyncio.Future[Completion] = self._loop.create_future()
        self._waiting[token] = answer
        assert self.store.fence is not None, "not claimed"
        command = NewCommand(
            kind="update_configuration", subject=CollectionId(0), payload=PAYLOAD, envelope=PAYLOAD
        )
        self.store.submit(
            Submission(token=token, fence=self.store.fence, now_ms=1_000, commands=(command,))
        )
        completion = await answer
        assert isinstance(completion, Committed), completion

    async def run(self, appends: int) -> None:
        async def appender() -> None:
            for _ in range(appends // APPENDERS):
                await self.append()

        await asyncio.gather(*(appender() for _ in range(APPENDERS)))


def bare_loop(folder: Path, appends: int) -> float:
    """Appends/s of the same rows, in batches of 64, by sqlite3 alone."""
    connection = sqlite3.connect(folder / "bare.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS command (position INTEGER PRIMARY KEY, kind TEXT,"
        " subject INTEGER, envelope BLOB, digest BLOB, appended_at_ms INTEGER)"
    )
    insert = (
        "INSERT INTO command (kind, subject, envelope, digest, appended_at_ms)"
        " VALUES (?, ?, ?, ?, ?)"
    )
    rows = [("update_configuration", 0, PAYLOAD, bytes(32), 1_000)] * APPENDERS
    started = time.perf_counter()
    for _ in range(appends // APPENDERS):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(insert, rows)
        connection.execute("COMMIT")
    taken = time.perf_counter() - started
    connection.close()
    return appends / taken


async def _measure() -> dict[str, float]:
    ours, bare, commits = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        appenders = Appenders(Path(folder) / "data")
        await appenders.run(APPENDS // 8)
        bare_loop(Path(folder), APPENDS // 8)
        for _ in range(ROUNDS):
            appenders.commits = 0
            started = time.perf_counter()
            await appenders.run(APPENDS)
            ours.append(APPENDS / (time.perf_counter() - started))
            commits.append(appenders.commits / APPENDS)
            bare.append(bare_loop(Path(folder), APPENDS))
        appenders.store.close()
    return {
        "ours_per_s": statistics.median(ours),
        "bare_per_s": statistics.median(bare),
        "commits_per_append": statistics.median(commits),
    }


@cache
def appends() -> dict[str, float]:
    return asyncio.run(_measure())


def group_commit() -> Measured:
    found = appends()
    return Measured(ratio=found["ours_per_s"] / found["bare_per_s"], inputs=found)


def syncs_per_append() -> Measured:
    found = appends()
    return Measured(ratio=found["commits_per_append"], inputs=found)


_BENCHMARKS: Final[dict[str, Callable[[], Measured]]] = {
    "group_commit": group_commit,
    "syncs_per_append": syncs_per_append,
}


def measure(key: str) -> Measured:
    """The benchmark `history.<key>`."""
    return _BENCHMARKS[key]() if key in _BENCHMARKS else missing(LATER)
