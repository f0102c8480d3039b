"""What a client waits for: a strict read, and a write until a strict read shows it.

The whole product runs as users run it, a controller process and two replicas, beside a bare
grpc.aio server. Reads and bare calls take turns, so that both see the same machine.
"""

from __future__ import annotations

import asyncio
import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import grpc
import numpy as np
import pyarrow as pa

from antiphon.client import AsyncClient, connect_async
from tests.performance.bare_side import ECHO
from tests.performance.process import START_TIMEOUT_S, free_address, serving
from tests.performance.workload import AMOUNT_MAX, REGIONS

ORDERS: Final = 100_000
CUSTOMERS: Final = 10_000
APPEND_ROWS: Final = 10
READS: Final = 400
WRITES: Final = 200
WARM_UP: Final = 50
ECHO_BYTES: Final = bytes(200)
SETUP: Final = """
    CREATE TABLE orders (id bigint, customer bigint, amount bigint);
    CREATE TABLE customers (id bigint, region bigint);
    CREATE INDEX orders_by_id ON orders (id);
    CREATE MATERIALIZED VIEW totals AS
        SELECT region, count(*) AS orders, sum(amount) AS total
        FROM orders JOIN customers ON orders.customer = customers.id
        GROUP BY region;
    CREATE INDEX totals_by_region ON totals (region);
"""


@dataclass(frozen=True, slots=True)
class Latencies:
    """Medians in milliseconds."""

    bare: float
    peek: float
    visible: float


@asynccontextmanager
async def product() -> AsyncIterator[AsyncClient]:
    """`antiphon up` on a fresh directory, with the tables filled and the views fresh."""
    with tempfile.TemporaryDirectory() as folder:
        address = free_address()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "antiphon.cli", "up", "--data", folder, "--listen", address,
            stdout=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            client = await connect_async(address, wait_s=START_TIMEOUT_S)
            try:
                await fill(client)
                yield client
            finally:
                await client.close()
        finally:
            process.terminate()
            await asyncio.wait_for(process.wait(), START_TIMEOUT_S)


async def fill(client: AsyncClient) -> None:
    await client.script(SETUP)
    ids = np.arange(CUSTOMERS)
    await client.append("customers", pa.table({"id": ids, "region": ids % REGIONS}))
    await client.append("orders", orders(0, ORDERS))
    await client.peek("totals_by_region", key=1)


def orders(first: int, count: int) -> pa.Table:
    ids = np.arange(first, first + count)
    columns = {"id": ids, "customer": ids * 7_919 % CUSTOMERS, "amount": ids % AMOUNT_MAX}
    return pa.table(columns)


async def timed(call: Callable[[], Awaitable[object]]) -> float:
    started = time.perf_counter()
    await call()
    return (time.perf_counter() - started) * 1_000


class Writer:
    """Appends ten orders of one region, and reads that region until it counts them."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self._first = itertools.count(ORDERS, APPEND_ROWS)
        self._seen = 0

    async def begin(self) -> None:
        self._seen = await self._count()

    async def write(self) -> None:
        first = next(self._first)
        ids = np.arange(first, first + APPEND_ROWS)
        same = np.ones(APPEND_ROWS, np.int64)  # customer 1, who lives in region 1
        await self._client.append("orders", pa.table({"id": ids, "customer": same, "amount": same}))
        count = await self._count()
        assert count == self._seen + APPEND_ROWS, f"{count} orders after {self._seen} and ten"
        self._seen = count

    async def _count(self) -> int:
        rows = await self._client.peek("totals_by_region", key=1)
        return int(rows.column("orders")[0].as_py())


async def measure() -> Latencies:
    async with (
        product() as client,
        serving("bare_side") as bare,
        grpc.aio.insecure_channel(bare) as channel,
    ):
        echo: Any = channel.unary_unary(ECHO)
        keys = itertools.cycle(range(0, ORDERS, 7_919))
        writer = Writer(client)
        await writer.begin()
        calls: dict[str, Callable[[], Awaitable[object]]] = {
            "bare": lambda: echo(ECHO_BYTES),
            "peek": lambda: client.peek("orders_by_id", key=next(keys)),
            "visible": writer.write,
        }
        for call in calls.values():
            for _ in range(WARM_UP):
                await call()
        # Reads and writes in turns of their own: a read must not wait for a write's tick.
        reads = [[await timed(calls[name]) for name in ("bare", "peek")] for _ in range(READS)]
        writes = [await timed(calls["visible"]) for _ in range(WRITES)]
    floor, peeks = zip(*reads, strict=True)
    return Latencies(*(statistics.median(found) for found in (floor, peeks, writes)))
