"""A replica that comes back: with its state, without, and with commands that it missed.

A controller and one replica run as users run them. The controller reaches the replica through a
relay of ours, which cuts the connection, holds it off, and knows when it was let through again.
Served means that strict reads of ten views, spread over all of them, were answered by key.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from antiphon.client import AsyncClient, connect_async
from tests.performance.process import START_TIMEOUT_S, free_address

ROWS: Final = 100_000
VIEWS_MANY: Final = 1_000
VIEWS_FEW: Final = 100
MISSED: Final = 10
PROBES: Final = 10  # views that are read
CUTS: Final = 5
RESTARTS: Final = 3
CATCH_UPS: Final = 5
# A session that lasted so long is no failure: the next connection is tried at once.
LASTED_S: Final = 10.5
CLI: Final = (sys.executable, "-m", "antiphon.cli")
REPLICA: Final = "r1"


@dataclass(frozen=True, slots=True)
class Reconnects:
    """Medians in seconds, at one number of views."""

    keep_up: float
    restart: float
    catch_up: float


class Relay:
    """The controller's way to the replica."""

    def __init__(self, target: str) -> None:
        self._host, _, port = target.rpartition(":")
        self._port = int(port)
        self._open: set[asyncio.Task[None]] = set()
        self._held = False
        self._server: asyncio.Server | None = None
        self.let_through_s = 0.0  # when the first connection after a cut got through
        self.address = ""

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()
        self.address = f"{host}:{port}"

    async def stop(self) -> None:
        assert self._server is not None, "started"
        self._server.close()
        await self.cut()

    async def cut(self, *, hold: bool = False) -> None:
        """Ends all connections; `hold`: lets none through until `release`."""
        self._held = hold
        self.let_through_s = 0.0
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    def release(self) -> None:
        self._held = False

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            if self._held:
                return
            try:
                back_reader, back_writer = await asyncio.open_connection(self._host, self._port)
            except OSError:
                return
            self.let_through_s = self.let_through_s or time.perf_counter()
            with contextlib.closing(back_writer):
                there = asyncio.ensure_future(_pump(reader, back_writer))
                back = asyncio.ensure_future(_pump(back_reader, writer))
                self._open |= {there, back}
                try:
                    await asyncio.wait((there, back), return_when=asyncio.FIRST_COMPLETED)
                finally:
                    self._open -= {there, back}
                    there.cancel()
                    back.cancel()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()


class System:
    """The controller, the relay, and the replica, which may be killed."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._controller_address = free_address()
        self._replica_address = free_address()
        self.relay = Relay(self._replica_address)
        self._controller: asyncio.subprocess.Process | None = None
        self._replica: asyncio.subprocess.Process | None = None
        self.client: AsyncClient

    async def start(self) -> None:
        await self.relay.start()
        self._controller = await self._run(
            "controller", "--data", f"{self._folder}/controller", "--listen",
            self._controller_address,
            ANTIPHON_CONTROLLER_REPLICAS=json.dumps({REPLICA: self.relay.address}),
            ANTIPHON_CONTROLLER_LOG="error",
        )  # fmt: skip
        await self.start_replica()
        self.client = await connect_async(self._controller_address, wait_s=START_TIMEOUT_S)

    async def start_replica(self) -> None:
        self._replica = await self._run(
            "replica", "--data", f"{self._folder}/replica", "--listen", self._replica_address,
            "--controller", self._controller_address, "--name", REPLICA,
            ANTIPHON_REPLICA_LOG="error",
        )  # fmt: skip

    async def kill_replica(self) -> None:
        assert self._replica is not None, "started"
        self._replica.kill()
        await self._replica.wait()

    async def stop(self) -> None:
        await self.client.close()
        for process in (self._controller, self._replica):
            if process is not None:
                process.terminate()
                await asyncio.wait_for(process.wait(), START_TIMEOUT_S)
        await self.relay.stop()

    async def _run(self, *arguments: str, **settings: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *CLI, *arguments, env={**os.environ, **settings}, stdout=asyncio.subprocess.DEVNULL
        )

    async def fill(self, views: int) -> None:
        """One table, and views over it: each a group-by over its part of the customers."""
        await self.client.script("CREATE TABLE orders (id bigint, customer bigint, amount bigint)")
        ids = np.arange(ROWS)
        columns = {"id": ids, "customer": ids % VIEWS_MANY, "amount": ids % 97}
        await self.client.append("orders", pa.table(columns))
        await self.create([f"v{number}" for number in range(views)])
        await self.served([f"v{number}" for number in range(views)])

    async def create(self, names: Sequence[str]) -> None:
        for name in names:
            await self.client.script(
                f"CREATE VIEW {name} AS SELECT customer, count(*) AS orders, sum(amount) AS total "
                f"FROM orders WHERE customer % {VIEWS_MANY} = {int(name[1:]) % VIEWS_MANY} "
                f"GROUP BY customer; CREATE INDEX {name}_i ON {name} (customer);"
            )

    async def drop(self, names: Sequence[str]) -> None:
        for name in names:
            await self.client.script(f"DROP INDEX {name}_i; DROP VIEW {name};")

    async def served(self, names: Sequence[str]) -> None:
        """Returns once views spread over all of these answer strict reads, rightly."""
        step = max(1, (len(names) - 1) // (PROBES - 1))
        await asyncio.gather(*(self._read(name) for name in names[::-step][:PROBES]))

    async def _read(self, name: str) -> None:
        customer = int(name[1:]) % VIEWS_MANY
        rows = await self.client.peek(f"{name}_i", key=customer)
        found = rows.column("orders").to_pylist()
        assert found == [ROWS // VIEWS_MANY], f"{name} counts {found}"


@contextlib.asynccontextmanager
async def system(views: int) -> AsyncIterator[System]:
    with tempfile.TemporaryDirectory() as folder:
        running = System(folder)
        try:
            await running.start()
            await running.fill(views)
            yield running
        finally:
            await running.stop()


async def keep_up(running: System, names: Sequence[str]) -> float:
    """From a cut until it serves again, its process alive."""
    await asyncio.sleep(LASTED_S)
    started = time.perf_counter()
    await running.relay.cut()
    await running.served(names)
    return time.perf_counter() - started


async def restart(running: System, names: Sequence[str]) -> float:
    """From SIGKILL and a new start until it serves again, all state lost."""
    await asyncio.sleep(LASTED_S)
    started = time.perf_counter()
    await running.kill_replica()
    await running.start_replica()
    await running.served(names)
    return time.perf_counter() - started


async def catch_up(running: System, first: int) -> float:
    """From the connection until what it missed serves."""
    names = [f"v{first + number}" for number in range(MISSED)]
    await running.relay.cut(hold=True)
    await running.create(names)
    running.relay.release()
    await running.served(names)
    elapsed = time.perf_counter() - running.relay.let_through_s
    await running.drop(names)
    return elapsed


async def measure(views: int, restarts: int = RESTARTS) -> Reconnects:
    names = [f"v{number}" for number in range(views)]
    async with system(views) as running:
        catch_ups = [await catch_up(running, views) for _ in range(CATCH_UPS)]
        keep_ups = [await keep_up(running, names) for _ in range(CUTS)]
        restarted = [await restart(running, names) for _ in range(restarts)]
    return Reconnects(
        keep_up=statistics.median(keep_ups),
        restart=statistics.median(restarted) if restarted else math.nan,
        catch_up=statistics.median(catch_ups),
    )
