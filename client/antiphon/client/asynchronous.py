"""The asynchronous client: what a user asks, as requests over the ports.

Every data change carries a producer and a sequence, so a change whose connection broke is sent
again and still applied once. What is not safe to repeat is not repeated.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

import pyarrow as pa

from antiphon.client import session, statements
from antiphon.client.changes import Changes
from antiphon.client.collection import Collection
from antiphon.client.conform import chunks, conform, deleting
from antiphon.client.encoding import collect_peek, collect_statement, encode_stream
from antiphon.client.fields import fitted
from antiphon.client.holding import Hold
from antiphon.client.keys import key_table
from antiphon.client.lookups import Lookups
from antiphon.client.ports import ControlPort, RetryPort
from antiphon.client.result import Result
from antiphon.client.sources import (
    Appended,
    Data,
    FilePort,
    OnProgress,
    Part,
    Progress,
    is_path,
    table_of,
)
from antiphon.client.statements import Effect
from antiphon.client.subscription import Subscription
from antiphon.protocol.errors import (
    CollectionMissing,
    ComputeError,
    InvalidArgument,
    SchemaMismatch,
)
from antiphon.protocol.frontier import Frontier
from antiphon.v1 import control_pb2 as wire

T = TypeVar("T")


class AsyncClient:
    """A connection to one controller, for asyncio. Make it with `antiphon.client.connect_async`.

    Safe to use from any number of tasks of one event loop. gRPC wants one event loop per process:
    do not use it beside a blocking `Client` in the same process.
    """

    def __init__(
        self,
        control: ControlPort,
        retry: RetryPort,
        files: FilePort,
        draw_id: Callable[[], bytes],
    ) -> None:
        self._control = control
        self._retry = retry
        self._files = files
        self._producers = session.Producers(draw_id)
        self._known: dict[str, Collection] = {}
        self._lookups = Lookups(control)

    @property
    def address(self) -> str:
        """Of the controller that is asked next, as it was given."""
        return self._control.address

    # SQL

    async def sql(
        self, text: str, *, as_of: int | None = None, replica: str = "", rows_max: int = 0,
        bytes_max: int = 0,
    ) -> Result:  # fmt: skip
        """Runs one statement, or several of which it returns the last result.

        Args:
            as_of: read at this logical time instead of after the latest completed write.
            replica: read from this replica alone.
            rows_max, bytes_max: refuse larger answers; 0 means the server's limits.

        Raises:
            ComputeError: what the server answered, as its type. With `definite` False a statement
                that is not safe to repeat may have taken effect.
        """
        results = await self.script(
            text, as_of=as_of, replica=replica, rows_max=rows_max, bytes_max=bytes_max
        )
        if not results:
            raise InvalidArgument("there is no statement in the text")
        return results[-1]

    async def script(
        self, text: str, *, as_of: int | None = None, replica: str = "", rows_max: int = 0,
        bytes_max: int = 0,
    ) -> list[Result]:  # fmt: skip
        """Runs all statements of a text in order; the first failure ends it, what came before
        stays done. One result a statement."""
        results = []
        script = statements.split(statements.text_of(text))
        for statement, place in zip(script.all, script.places, strict=False):
            request = fitted(
                wire.ExecuteRequest,
                sql=statement,
                rows_max=rows_max,
                bytes_max=bytes_max,
                replica=replica,
                as_of=as_of,
            )
            try:
                results.append(await self._statement(statement, request))
            except ComputeError as error:
                moved = statements.in_script(error, place)
                if moved is error:
                    raise
                raise moved from error
        return results

    async def _statement(self, statement: str, request: wire.ExecuteRequest) -> Result:
        effect = statements.effect_of(statement)
        if effect is Effect.SUBSCRIBE:
            raise InvalidArgument("SUBSCRIBE does not end: use `subscribe` for it")
        self._known.clear()  # it may change the catalog

        async def attempt() -> Result:
            return await collect_statement(self._control.execute(request))

        if effect is not Effect.CHANGE:
            harmless = session.is_harmless(effect, sequenced=False)
            return await self._retry.run(
                attempt, lambda error: session.may_repeat(error, harmless=harmless)
            )
        return await self._change(request.producer, attempt)

    async def _change(self, producer: wire.Producer, attempt: Callable[[], Awaitable[T]]) -> T:
        """Runs a data change under a producer's next sequence, written into `producer` first.

        Raises:
            OutcomeUnknown: also where the last attempt was refused for certain, if an earlier one
                may have taken effect.
        """
        lease = self._producers.lease()
        producer.producer_id = lease.producer.value
        producer.sequence = lease.sequence
        attempts = session.Attempts()

        async def noted() -> T:
            try:
                return await attempt()
            except BaseException as error:
                attempts.failed(error)
                raise

        try:
            answer = await self._retry.run(
                noted, lambda error: session.may_repeat(error, harmless=True)
            )
            attempts.succeeded()
            return answer
        except ComputeError as error:
            outcome = attempts.outcome(error)
            if outcome is error:
                raise
            raise outcome from error
        finally:
            self._producers.settle(lease, known=attempts.is_known)

    # Appending

    async def append(
        self, collection: str, data: Data, *, file_format: str | None = None,
        nulls: Sequence[str] = ("",), progress: OnProgress | None = None,
    ) -> Appended:  # fmt: skip
        """Appends rows to a table, or upserts them into a feed.

        The data goes out in order, in appends of up to 65,536 rows or 4 MiB, each atomic and
        durable when confirmed, each applied once however often its connection breaks. Data that
        fits one append is applied whole or not at all.

        Args:
            data: an Arrow table or batch, a DataFrame, a list of dicts, or the path of a CSV or
                Parquet file. Columns are matched by name, values cast where that loses nothing. A
                column `antiphon_diff` of +1 and -1 inserts and deletes.
            file_format: "csv" or "parquet"; None goes by the file's name.
            nulls: what stands for null in a CSV file, unquoted.
            progress: called after each confirmed append, on the client's event loop.

        Raises:
            SchemaMismatch: the data does not fit the collection; nothing of its part was appended.
            DuplicateKey, ConstraintViolation, CollectionMissing, Unavailable, OutcomeUnknown
        """
        return await self._append(collection, data, file_format, nulls, progress, deletes=False)

    async def delete(
        self, collection: str, data: Data, *, file_format: str | None = None,
        nulls: Sequence[str] = ("",), progress: OnProgress | None = None,
    ) -> Appended:  # fmt: skip
        """Deletes rows: from a feed by the key's columns, from a table by all columns.

        The data takes the forms that `append` takes. To delete by a condition, run
        `DELETE FROM ... WHERE ...` with `sql`.
        """
        return await self._append(collection, data, file_format, nulls, progress, deletes=True)

    async def _append(
        self,
        name: str,
        data: Data,
        file_format: str | None,
        nulls: Sequence[str],
        progress: OnProgress | None,
        *,
        deletes: bool,
    ) -> Appended:
        info = await self.collection(name)
        key = info.key if deletes and info.kind == "feed" else None
        rows = appends = duplicates = 0
        time: int | None = None
        async for part in self._parts(info, data, file_format, nulls):
            table = conform(
                deleting(part.table) if deletes else part.table, info.arrow_schema, key=key
            )
            for chunk in chunks(table):
                answer = await self._append_chunk(name, chunk)
                rows, appends, time = rows + chunk.num_rows, appends + 1, answer.time
                duplicates += answer.duplicate
                if progress is not None:
                    progress(
                        Progress(
                            rows_done=rows,
                            rows_total=None if is_path(data) else table.num_rows,
                            bytes_done=part.bytes_done,
                            bytes_total=part.bytes_total,
                        )
                    )
        return Appended(row_count=rows, append_count=appends, duplicate_count=duplicates, time=time)

    async def _append_chunk(self, name: str, chunk: pa.Table) -> wire.AppendResponse:
        request = wire.AppendRequest(collection=name, arrow_stream=encode_stream(chunk))

        async def attempt() -> wire.AppendResponse:
            return await self._control.append(request)

        try:
            return await self._change(request.producer, attempt)
        except (SchemaMismatch, CollectionMissing):
            self._known.clear()  # what we believed of the collection may be old
            raise

    async def _parts(
        self, info: Collection, data: Data, file_format: str | None, nulls: Sequence[str]
    ) -> AsyncIterator[Part]:
        if is_path(data):
            async for part in self._files.read(str(data), info.arrow_schema, file_format, nulls):
                yield part
        else:
            table = table_of(data, info.arrow_schema)
            yield Part(table=table, bytes_done=table.nbytes, bytes_total=table.nbytes)

    # Reading

    async def peek(
        self, collection: str, *, key: Any = None, columns: Sequence[str] = (),
        as_of: int | None = None, replica: str = "", rows_max: int = 0, bytes_max: int = 0,
    ) -> pa.Table:  # fmt: skip
        """The content of a named collection at one time.

        Args:
            key: look up instead of reading all: one value, a tuple or dict (one row of the key's
                columns), a list of these, or an Arrow table. `collection` is then an index, or
                something with a key, or something with exactly one index.
            columns: those wanted, in order; empty means all.
            as_of, replica, rows_max, bytes_max: as in `sql`.
        """
        request = fitted(
            wire.PeekRequest, collection=collection, columns=columns, as_of=as_of, replica=replica,
            rows_max=rows_max, bytes_max=bytes_max,
        )  # fmt: skip
        if key is not None:
            keyed = await self._keyed(collection)
            request.collection = keyed.name
            request.keys = encode_stream(key_table(key, keyed.key_schema))

        async def attempt() -> pa.Table:
            if key is not None:
                return await self._lookups.read(request)
            return await collect_peek(self._control.peek(request))

        return await self._retry.run(
            attempt, lambda error: session.may_repeat(error, harmless=True)
        )

    async def _keyed(self, name: str) -> Collection:
        """The collection to look keys up in: itself if it has a key, else its only index."""
        info = await self.collection(name)
        if info.key:
            return info
        indexes = [c for c in self._known.values() if c.kind == "index" and info.id in c.depends_on]
        if len(indexes) != 1:
            found = ", ".join(sorted(c.name for c in indexes)) or "none"
            raise InvalidArgument(
                f"{name} has no key of its own: name one of its indexes ({found})"
            )
        return indexes[0]

    def subscribe(
        self, name_or_query: str, *, from_frontier: Frontier | None = None,
        with_snapshot: bool = True, with_progress: bool = False, replica: str = "",
        hold: str = "", hold_deadline_ms: int = 0,
    ) -> Changes:  # fmt: skip
        """Every change of a collection or query, as an asynchronous iterator of `ChangeBatch`es.

        It survives lost connections and restarts of the controller without gap or repeat.

        Args:
            name_or_query: a collection's name, a SELECT, or a whole SUBSCRIBE statement.
            from_frontier: go on after this frontier, which an earlier subscription to the same
                thing reached (its `frontier`, or a batch's `upper`); no snapshot then.
            with_snapshot: begin with the content so far, else with the first change from now on.
            with_progress: also hand out batches without changes, as time moves on.
            hold: the name of a hold, which keeps at the controller what this subscriber may still
                ask for, until it calls `acknowledge`; so one that died goes on from there. Taken
                if there is none of that name.
            hold_deadline_ms: how long the hold outlives its subscriber's last word; 0: an hour.
        """
        target = statements.subscribe_target(statements.text_of(name_or_query))
        request = fitted(wire.SubscribeRequest, with_snapshot=with_snapshot, replica=replica)
        if statements.is_name(target):
            request.collection = target
        else:
            request.query = target
        subscription = Subscription(with_snapshot=with_snapshot, delivered=from_frontier)
        return Changes(
            self._control, self._retry, request, subscription, with_progress=with_progress,
            hold=Hold(name=hold, deadline_ms=hold_deadline_ms) if hold else None,
        )  # fmt: skip

    async def release_hold(self, name: str) -> None:
        """Lets go of a named hold, also of one that is lost. Raises HoldMissing."""
        await self._control.hold_subscription(Hold(name=name).release())

    # The system

    async def collections(self) -> list[Collection]:
        """All named collections, in the order of their ids."""
        response = await self._read(self._control.list_collections)
        found = [Collection.from_proto(info) for info in response.collections]
        self._known = {collection.name: collection for collection in found}
        return sorted(found, key=lambda collection: collection.id)

    async def collection(self, name: str) -> Collection:
        """One named collection; what was asked for before is remembered until a statement runs.

        Raises:
            CollectionMissing: there is none of that name.
        """
        if name not in self._known:
            response = await self._read(lambda: self._control.list_collections(name))
            found = (Collection.from_proto(info) for info in response.collections)
            self._known |= {collection.name: collection for collection in found}
        if name not in self._known:
            raise CollectionMissing(f"there is no collection {name!r}", name=name)
        return self._known[name]

    async def status(self) -> wire.GetStatusResponse:
        """The instance and its replicas, as the controller sees them."""
        return await self._read(self._control.get_status)

    async def add_replica(
        self, name: str, address: str = "", *, read_only: bool = False
    ) -> wire.ReplicaInfo:
        """Adds a replica at an address, for good; without one, the orchestrator starts it.
        `read_only`: it warms up and answers, and writes nothing back until it is promoted."""
        request = fitted(wire.AddReplicaRequest, name=name, address=address, read_only=read_only)
        return (await self._control.add_replica(request)).replica

    async def remove_replica(self, name: str) -> None:
        """Stops and forgets a replica."""
        await self._control.remove_replica(fitted(wire.RemoveReplicaRequest, name=name))

    async def promote(self) -> int:
        """Makes the standby at this client's address the controller; returns its epoch. The one
        that was live is fenced, and ends."""
        return (await self._control.promote(wire.PromoteRequest())).epoch

    async def promote_replica(self, name: str) -> None:
        """Lets a replica that was added read-only write from now on."""
        await self._control.promote(fitted(wire.PromoteRequest, replica=name))

    async def explain_replica(self, name: str) -> list[wire.ReplicaDecision]:
        """Why the replica was kept up, caught up, reconciled or rebuilt, oldest first."""
        response = await self._read(
            lambda: self._control.explain_replica(fitted(wire.ExplainReplicaRequest, name=name))
        )
        return list(response.decisions)

    def history(
        self, *, from_position: int = 1, records_max: int = 0, reduced: bool = False
    ) -> AsyncIterator[wire.HistoryRecord]:
        """The durable commands, oldest first. `reduced`: only those that still matter."""
        return self._control.read_history(
            fitted(
                wire.ReadHistoryRequest,
                from_position=from_position,
                records_max=records_max,
                reduced=reduced,
            )
        )

    async def _read(self, attempt: Callable[[], Awaitable[T]]) -> T:
        return await self._retry.run(
            attempt, lambda error: session.may_repeat(error, harmless=True)
        )

    async def close(self) -> None:
        """Closes the connection; calls under way fail."""
        await self._control.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()
