"""A controller of this process, and calls to it as a stock client would make them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from antiphon.controller.io.config import load_config
from antiphon.controller.io.process import Controller
from antiphon.controller.ports import EnginePort
from antiphon.protocol.io.channel import open_channel
from antiphon.protocol.io.security import ClientSecurity
from antiphon.v1 import control_pb2 as pb
from antiphon.v1.collections_pb2_grpc import CollectionsStub
from antiphon.v1.control_pb2_grpc import ControlStub

PATIENCE_S: Final = 100.0  # for what must come, on however busy a machine
LOG_BYTES_SHOWN: Final = 3_000

Row = dict[str, Any]


class Client:
    """Just enough to say SQL and to append."""

    def __init__(self, address: str, token: str | None = None) -> None:
        self.channel = open_channel(address, ClientSecurity(token=token))
        self.control: Any = ControlStub(self.channel)
        self.collections: Any = CollectionsStub(self.channel)

    async def sql(self, text: str, **options: Any) -> list[Row]:
        """The rows of all statements of a text."""
        schema, rows = None, []
        async for response in self.control.Execute(pb.ExecuteRequest(sql=text, **options)):
            match response.WhichOneof("result"):
                case "schema":
                    schema = pa.ipc.read_schema(pa.py_buffer(response.schema.arrow_schema))
                case "batch":
                    rows += _rows(response.batch.batch, schema)
        return rows

    async def tags(self, text: str, **options: Any) -> list[str]:
        call = self.control.Execute(pb.ExecuteRequest(sql=text, **options))
        return [r.done.tag async for r in call if r.WhichOneof("result") == "done"]

    async def append(self, name: str, producer: pb.Producer | None = None, **columns: Any) -> Any:
        stream = arrow_stream(pa.table(columns))
        request = pb.AppendRequest(collection=name, arrow_stream=stream, producer=producer)
        return await self.control.Append(request)

    async def peek(self, name: str, **options: Any) -> list[Row]:
        schema, rows = None, []
        async for chunk in self.control.Peek(pb.PeekRequest(collection=name, **options)):
            if chunk.arrow_schema:
                schema = pa.ipc.read_schema(pa.py_buffer(chunk.arrow_schema))
            if chunk.batch:
                rows += _rows(chunk.batch, schema)
        return rows

    async def status(self) -> pb.GetStatusResponse:
        return await self.control.GetStatus(pb.GetStatusRequest())  # type: ignore[no-any-return]

    async def ready(self, replicas: int) -> None:
        """Wait until so many replicas can answer everything."""

        async def reached() -> bool:
            status = await self.status()
            ready = [r for r in status.replicas if r.link == "connected"]
            return len(ready) >= replicas and status.mode == "publish_healthy"

        await until(reached, f"{replicas} replicas are ready")


def _rows(batch: bytes, schema: pa.Schema) -> list[Row]:
    if not batch:
        return []
    return pa.ipc.read_record_batch(pa.py_buffer(batch), schema).to_pylist()  # type: ignore[no-any-return]


def arrow_stream(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


async def until(reached: Callable[[], Any], what: str) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while True:
        found = reached()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return
        assert time.monotonic() < deadline_s, f"not within {PATIENCE_S:g} s: {what}"
        await asyncio.sleep(0.02)


@asynccontextmanager
async def serving(
    data: Path, engine: EnginePort | None = None, **settings: Any
) -> AsyncIterator[tuple[Controller, Client]]:
    """A controller on a free port, and a client of it."""
    token = settings.get("token")
    config = load_config(data=data, listen="127.0.0.1:0", **settings)
    async with Controller(config, engine) as controller:
        client = Client(controller.address, token)
        try:
            yield controller, client
        except BaseException:
            for log in sorted(data.glob("replicas/*/log")):  # pytest shows it with the failure
                print(log, log.read_text(errors="replace")[-LOG_BYTES_SHOWN:], sep="\n")
            raise
        finally:
            await client.channel.close()
