"""A promotion that fails or is stopped on its way leaves a standby, or ends the process; never half
of both."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import grpc
import pytest

from antiphon.controller.io.process import CRASHED, FAILED, Controller
from antiphon.controller.io.store_runner import StoreRunner
from antiphon.history.io.sqlite.layout import DATABASE
from antiphon.protocol.errors import ComputeError, OutcomeUnknown, Standby
from antiphon.protocol.io.status import from_rpc_error
from antiphon.v1 import control_pb2 as pb
from tests.controller.io.serving import Client, serving, until

STOP_S = 30  # far above what a stop may take, on however busy a machine


@asynccontextmanager
async def pair(directory: Path) -> AsyncIterator[tuple[Controller, Client, Controller, Client]]:
    """A live controller with a table, and its standby."""
    async with serving(directory) as (live, client):
        await client.sql("CREATE TABLE t (k bigint); INSERT INTO t VALUES (1)")
        async with serving(directory, standby=True) as (standby, other):
            yield live, client, standby, other


async def promoted(client: Client) -> Any:
    return await client.control.Promote(pb.PromoteRequest())


async def refused(client: Client) -> ComputeError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await promoted(client)
    return from_rpc_error(caught.value)


async def is_closed(address: str) -> bool:
    try:
        _, writer = await asyncio.open_connection(*address.rsplit(":", 1))
    except ConnectionError:
        return True
    writer.close()
    return False


async def test_who_cannot_claim_stands_by_as_before(tmp_path: Path) -> None:
    async with pair(tmp_path) as (live, client, standby, other):
        await client.sql("CREATE TABLE u (k bigint)")
        await until(lambda: standby.driver.catalog.find("u"), "the standby follows")
        with closing(sqlite3.connect(tmp_path / DATABASE, isolation_level=None)) as blocked:
            blocked.execute("CREATE TRIGGER no_claim BEFORE UPDATE ON meta WHEN NEW.epoch > 1"
                            " BEGIN SELECT RAISE(ABORT, 'no claim'); END")  # fmt: skip
            error = await refused(other)
            assert isinstance(error, OutcomeUnknown)
            assert "cannot be claimed: no claim" in error.message
            blocked.execute("DROP TRIGGER no_claim")
        assert standby.driver.is_standby
        assert not standby.stopped.is_set()
        await client.sql("CREATE TABLE v (k bigint)")
        await until(lambda: standby.driver.catalog.find("v"), "the standby still follows")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await other.sql("SHOW TABLES")
        assert isinstance(from_rpc_error(caught.value), Standby)
        await live.stop()
        assert (await promoted(other)).epoch == 2
        assert await other.sql("SHOW TABLES")


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (sqlite3.OperationalError("disk I/O error"), FAILED, "disk I/O error; start it again"),
        (KeyError("x"), CRASHED, "a bug: KeyError: 'x'"),
    ],
)
async def test_who_has_claimed_and_cannot_begin_ends_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, code: int, told: str
) -> None:
    async with pair(tmp_path) as (live, _, standby, other):
        await live.stop()

        async def fails(*_: object) -> None:
            raise error

        with monkeypatch.context() as patch:
            patch.setattr(StoreRunner, "commands", fails)
            assert not (await refused(other)).definite
        await asyncio.wait_for(standby.stopped.wait(), STOP_S)
        assert standby.exit_code == code
        assert told in str(standby.failure)
        await standby.stop()
        assert await is_closed(standby.address)
    async with serving(tmp_path) as (again, client):
        assert again.driver.fence.epoch == 3
        assert await client.sql("SHOW TABLES")


async def test_a_stop_ends_a_promotion_that_waits(tmp_path: Path) -> None:
    """For the older process, which here has stopped to serve but not ended."""
    async with pair(tmp_path) as (live, _, standby, other):
        before = asyncio.all_tasks()
        promotion = asyncio.ensure_future(refused(other))
        await until(live.stopped.is_set, "the older one is fenced")
        async with asyncio.timeout(STOP_S):
            await standby.stop()
        assert isinstance(await promotion, OutcomeUnknown)
        assert await is_closed(standby.address)
        assert asyncio.all_tasks() <= before, "nothing goes on"
        assert standby.driver.is_standby, "it never began"
        await standby.stop()
    async with serving(tmp_path) as (again, client):
        assert again.driver.fence.epoch == 3
        assert await client.sql("SHOW TABLES")


async def test_who_is_promoted_tells_where_it_listens_though_nobody_waits(tmp_path: Path) -> None:
    async with pair(tmp_path) as (live, _, standby, other):
        call = other.control.Promote(pb.PromoteRequest())
        await until(live.stopped.is_set, "the older one is fenced")
        call.cancel()
        await live.stop()
        await until(lambda: not standby.driver.is_standby, "it is promoted")
        async with serving(tmp_path, standby=True) as (third, _):
            await until(lambda: third.driver.live_address == standby.address, "it is told")
