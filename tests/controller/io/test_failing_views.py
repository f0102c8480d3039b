"""Data errors as a client sees them: at each time at which the query fails, and at no other, so do
reads of its view, its index, its materialized view, what reads that one, and subscribes."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import grpc
import pyarrow as pa
import pytest

from antiphon.protocol import errors
from antiphon.protocol.codec import frontier_from_proto
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.io.status import from_rpc_error
from antiphon.protocol.schema import arrow_schema
from antiphon.v1 import control_pb2 as pb
from tests.controller.io.serving import Client, arrow_stream, serving
from tests.controller.sql.failing_rows import (
    QUERIES,
    TABLES,
    FailingOracle,
    FailingRows,
    failing_world,
)
from tests.controller.sql.ticking import View, columns_of
from tests.controller.sql.world import Row, difference

pytestmark = [pytest.mark.end_to_end, pytest.mark.asyncio]
TICKS = 7
EVERY = int(os.environ.get("FAILING_EVERY", "5"))  # of the queries; processes take their time
WORLD = failing_world()
Answer = list[Row] | None  # None: a data error


async def said(asked: Awaitable[Any]) -> Answer:
    try:
        return [tuple(row.values()) for row in await asked]
    except grpc.aio.AioRpcError as error:
        if not isinstance(from_rpc_error(error), errors.DataError):
            raise
        return None


class Following:
    """A subscribe, and what it has added up to."""

    def __init__(self, client: Client, name: str) -> None:
        self._call = client.control.Subscribe(
            pb.SubscribeRequest(collection=name, with_snapshot=True)
        )
        self._schema: pa.Schema | None = None
        self._rows: Counter[str] = Counter()
        self._seen: dict[str, dict[str, Any]] = {}
        self._upper = Frontier(0)

    async def until(self, time: int) -> list[dict[str, Any]]:
        """The rows after a time. The schema may be asked for before there is anything."""
        while not self._upper.passes(time):
            chunk = await self._call.read()
            assert chunk is not grpc.aio.EOF, await self._call.details()
            if chunk.arrow_schema:
                self._schema = pa.ipc.read_schema(pa.py_buffer(chunk.arrow_schema))
            for message in chunk.batches:
                batch = pa.ipc.read_record_batch(pa.py_buffer(message), self._schema)
                for row in batch.to_pylist():
                    diff = row.pop("antiphon_diff")
                    row.pop("antiphon_time")
                    self._rows[str(row)] += diff
                    self._seen[str(row)] = row
            self._upper = frontier_from_proto(chunk.upper)
        assert all(count >= 0 for count in self._rows.values()), "a row is there less than never"
        return [self._seen[text] for text in self._rows.elements()]

    def stop(self) -> None:
        self._call.cancel()


class System:
    """A controller with one replica, and the queries under every name that they may have."""

    def __init__(self, client: Client, queries: list[str]) -> None:
        self.client = client
        self.queries = queries
        self.following: dict[int, Following] = {}

    async def create(self) -> None:
        await self.client.sql(TABLES)
        for number, query in enumerate(self.queries):
            width = len(View(WORLD, query).flow.schema.columns)
            names = ", ".join(f"c{index}" for index in range(width))
            await self.client.sql(
                f"CREATE VIEW v{number} ({names}) AS {query}; CREATE INDEX ON v{number} (c0);"
                f"CREATE MATERIALIZED VIEW m{number} ({names}) AS {query};"
                f"CREATE VIEW w{number} AS SELECT *, 1 AS one FROM m{number};"
                f"CREATE INDEX ON w{number} (one)"
            )

    async def append(self, name: str, changes: list[tuple[Row, int]]) -> int:
        item = WORLD.catalog.find(name)
        assert item is not None
        schema = arrow_schema(item.schema)
        columns = columns_of([row for row, _ in changes], schema)
        table = pa.Table.from_arrays(list(columns), schema=schema)
        diffs = pa.array([diff for _, diff in changes], pa.int64())
        stream = arrow_stream(table.append_column("antiphon_diff", diffs))
        answer = await self.client.control.Append(
            pb.AppendRequest(collection=name, arrow_stream=stream)
        )
        return int(answer.time)

    async def answers(self, number: int, time: int) -> dict[str, Answer]:
        """Of every way to ask for a query, now; the one column more of `w` is left out."""
        sql = self.client.sql
        found = {
            "index": await said(sql(f"SELECT * FROM v{number}")),
            "materialized view": await said(sql(f"SELECT * FROM m{number}")),
            "subscribe": await self.subscribed(number, time),
            "from scratch": await said(sql(f"{self.queries[number]}")),
        }
        above = await said(sql(f"SELECT * FROM w{number}"))
        found["index over it"] = None if above is None else [row[:-1] for row in above]
        return found

    async def subscribed(self, number: int, time: int) -> Answer:
        """By the subscribe of the tick before; after an error by a new one."""
        if number not in self.following:
            self.following[number] = Following(self.client, f"v{number}")
        rows = await said(self.following[number].until(time))
        if rows is None:
            del self.following[number]
        return rows


def compared(answer: Answer, expected: Answer) -> str:
    if answer is None or expected is None:
        return "" if answer is expected else f"{answer} is not {expected}"
    return difference(answer, expected)


async def test_whoever_asks_fails_exactly_while_the_query_does(tmp_path: Path) -> None:
    """The past too: each tick is read again at the end, as of its time."""
    rows, oracle = FailingRows(random.Random(7)), FailingOracle()
    past: list[tuple[int, list[Answer]]] = []
    async with serving(tmp_path, local_replicas=1, retain_ms=600_000) as (_, client):
        system = System(client, QUERIES[::EVERY])
        await system.create()
        await client.ready(1)
        for tick in range(TICKS):
            time = 0
            for name, changes in rows.tick(tick, is_last=tick == TICKS - 1).items():
                time = await system.append(name, changes)
            oracle.fill(WORLD, rows)
            expected = [oracle.answer(query) for query in system.queries]
            past.append((time, expected))
            for number, query in enumerate(system.queries):
                for way, answer in (await system.answers(number, time)).items():
                    found = compared(answer, expected[number])
                    assert found == "", f"tick {tick}, {way}: {query}: {found}"
        for time, expected in past:
            for number, query in enumerate(system.queries):
                for name in (f"v{number}", f"m{number}"):
                    answer = await said(client.sql(f"SELECT * FROM {name} AS OF {time}"))
                    found = compared(answer, expected[number])
                    assert found == "", f"{name} as of {time}: {query}: {found}"
        for following in system.following.values():
            following.stop()
    failed = [any(answers[n] is None for _, answers in past) for n in range(len(system.queries))]
    assert sum(failed) > len(failed) // 2, "they fail"
