"""Statements that read: one answer at one time, or a subscription."""

from __future__ import annotations

from antiphon.controller.instance.event import CopyRequested, PeekRequested, SubscribeRequested
from antiphon.controller.kernel import Kernel
from antiphon.controller.ports import ReplanReply, RowsReply
from antiphon.controller.request import StatementReceived
from antiphon.controller.sql.statement import Copy, Rows, Select, Subscribe
from antiphon.protocol.delta import encode_batch
from antiphon.protocol.ids import CollectionId, PeekId, ReplicaId, transient

NO_REPLICA = ReplicaId("")  # nobody had to be asked


class Reads:
    """Starts reads; the instance sees them through."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._transient_ids = 0

    def select(self, event: StatementReceived, statement: Select) -> None:
        """A strict read, unless a time was given."""
        kernel, read, options = self._kernel, statement.read, event.options
        if self._is_stale(event, read.imports):
            return
        time = read.as_of if options.as_of is None else options.as_of
        kernel.step(
            PeekRequested(
                request=event.request,
                peek_id=PeekId(kernel.world.random.random_id()),
                target=read.target,
                schema=read.schema,
                finishing=read.finishing,
                imports=read.imports,
                time=time,
                replica=options.replica,
                rows_max=options.rows_max,
                bytes_max=options.bytes_max,
            )
        )

    def subscribe(self, event: StatementReceived, statement: Subscribe) -> None:
        kernel, options = self._kernel, event.options
        if self._is_stale(event, statement.imports):
            return
        self._transient_ids += 1
        kernel.step(
            SubscribeRequested(
                request=event.request,
                collection=transient(self._transient_ids),
                dataflow=statement.dataflow,
                imports=statement.imports,
                with_snapshot=statement.with_snapshot,
                time=statement.as_of if options.as_of is None else options.as_of,
                resume_from=options.resume_from,
                hold=options.hold,
                replica=options.replica,
            )
        )

    def copy(self, event: StatementReceived, statement: Copy) -> None:
        """A strict read like any other, but that a replica writes down what it finds."""
        kernel, options = self._kernel, event.options
        if self._is_stale(event, statement.imports):
            return
        self._transient_ids += 1
        kernel.step(
            CopyRequested(
                request=event.request,
                collection=transient(self._transient_ids),
                dataflow=statement.dataflow,
                imports=statement.imports,
                uri=statement.uri,
                time=options.as_of,
                replica=options.replica,
            )
        )

    def rows(self, event: StatementReceived, statement: Rows) -> None:
        """An answer that nobody has to be asked for."""
        self._kernel.reply(
            event.request,
            RowsReply(
                batches=(encode_batch(statement.rows),),
                row_count=statement.rows.num_rows,
                time=self._kernel.oracle.read_time,
                replica=NO_REPLICA,
                last=True,
            ),
        )

    def _is_stale(self, event: StatementReceived, imports: tuple[CollectionId, ...]) -> bool:
        """A plan may be older than the catalog, as long as all that it reads is still there."""
        if event.catalog_version == self._kernel.catalog.version:
            return False
        if all(needed in self._kernel.catalog.items for needed in imports):
            return False
        self._kernel.reply(event.request, ReplanReply())
        return True
