"""What the `Control` service says about the instance: status, names, history, decisions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from importlib.metadata import version
from typing import Final

from antiphon.controller.catalog import KIND_NAMES, CatalogItem
from antiphon.controller.driver import Driver
from antiphon.controller.engine.decision import Decision, Sync
from antiphon.controller.introspection.rows import link_of
from antiphon.controller.io.link import Links
from antiphon.controller.io.orchestrator.local import Orchestrator
from antiphon.controller.io.store_runner import StoreRunner
from antiphon.controller.rebuild_status import RebuildStatus, rebuild_status
from antiphon.controller.status import CollectionStatus, ReplicaStatus
from antiphon.history.journal import record_of, sent_of
from antiphon.history.reduction import reduce
from antiphon.history.store import StoredCommand
from antiphon.protocol.codec import (
    command_to_proto,
    frontier_to_proto,
    schema_to_proto,
)
from antiphon.protocol.command import Sent
from antiphon.protocol.describe import describe, kebab
from antiphon.protocol.errors import ReplicaMissing
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import NO_POSITION, Position, ReplicaId, SessionId
from antiphon.protocol.stage import Stage
from antiphon.v1 import command_pb2, response_pb2
from antiphon.v1 import control_pb2 as pb

VERSION: Final = version("antiphon")
_STAGES: Final = {stage: response_pb2.Stage.Value(f"STAGE_{stage.name}") for stage in Stage}


class Introspection:
    """Reads only; changes nothing."""

    def __init__(
        self,
        *,
        driver: Driver,
        links: Links,
        store: StoreRunner,
        orchestrator: Orchestrator | None,
    ) -> None:
        self._driver = driver
        self._links = links
        self._store = store
        self._orchestrator = orchestrator
        self._started_at = asyncio.get_running_loop().time()

    def status(self) -> pb.GetStatusResponse:
        status = self._driver.status()
        uptime_s = asyncio.get_running_loop().time() - self._started_at
        return pb.GetStatusResponse(
            instance=status.name,
            version=VERSION,
            epoch=status.epoch,
            history_head=status.head,
            history_base=status.base,
            log_commands=status.log_commands,
            log_bytes=status.log_bytes,
            history_id=status.history_id.value,
            timeline_upper=frontier_to_proto(Frontier(status.timeline_upper)),
            mode=status.mode,
            mode_reason=status.mode_reason,
            replicas=[self._replica(replica) for replica in status.replicas],
            peeks_pending=status.peeks_pending,
            subscribes_active=status.subscribes_active,
            uptime_ms=int(uptime_s * 1000),
            role="standby" if self._driver.is_standby else "live",
            live_address=self._driver.live_address if self._driver.is_standby else "",
        )

    def replica(self, name: str) -> pb.ReplicaInfo:
        for replica in self._driver.status().replicas:
            if replica.name == name:
                return self._replica(replica)
        raise ReplicaMissing(f"no replica is called {name}", replica=name)

    def _replica(self, replica: ReplicaStatus) -> pb.ReplicaInfo:
        orchestrator = self._orchestrator
        child = None if orchestrator is None else orchestrator.child(replica.name)
        links = {replica.name: self._links.phase(ReplicaId(replica.name))}
        return pb.ReplicaInfo(
            name=replica.name,
            address=replica.address if child is None else child.address,
            read_only=replica.read_only,
            stage=_STAGES[replica.stage],
            link=link_of(replica, links),
            decision="" if replica.decision is None else kebab(replica.decision.name),
            reason=replica.reason,
            applied_position=replica.applied_position,
            lag_ms=replica.lag_ms,
            resident_bytes=replica.resident_bytes,
            session=replica.session,
            accepted=replica.accepted,
            pin=0 if replica.pin is None else replica.pin.position,
            pin_state=replica.pin_state,
            base=replica.base,
            content=replica.content,
            rebuild=_rebuild(replica.rebuild),
            process_id=0 if child is None else child.process_id or 0,
            restarts=0 if child is None else child.restarts,
            collections=[_collection(found) for found in replica.collections],
            state_bytes=replica.state_bytes,
            state_bytes_max=replica.state_bytes_max,
        )

    def collections(self, name: str) -> pb.ListCollectionsResponse:
        """All, or only the one of that name."""
        catalog = self._driver.catalog
        items = list(catalog.items.values())
        if name:
            found = catalog.names.get(name)
            items = [] if found is None else [catalog.items[found]]
        return pb.ListCollectionsResponse(collections=[_info(item) for item in items])

    def decisions(self, name: str) -> pb.ExplainReplicaResponse:
        """Raises ReplicaMissing."""
        state = self._driver.kernel.instance.state
        replica = state.replicas.get(ReplicaId(name))
        if replica is None:
            raise ReplicaMissing(f"no replica is called {name}", replica=name)
        rebuild = rebuild_status(state, replica, self.replica(name).lag_ms)
        return pb.ExplainReplicaResponse(
            decisions=[
                pb.ReplicaDecision(
                    at_ms=record.at_ms,
                    session_id=record.session_id,
                    decision=_decision(record.decision),
                    reason=record.decision.reason,
                    code=record.decision.code,
                    outcome=record.outcome,
                    base=record.base,
                    content=record.content,
                    progress=_progress(record.session_id, rebuild),
                )
                for record in replica.decisions
            ]
        )

    async def history(self, request: pb.ReadHistoryRequest) -> AsyncIterator[pb.HistoryRecord]:
        """The durable commands, oldest first; or what of them still matters."""
        # What a later command left of an earlier one is known only from the beginning.
        start = Position(1) if request.reduced else Position(max(request.from_position, 1))
        stored = await self._store.commands(start)
        records = [record_of(command) for command in stored]
        if request.reduced:
            live = self._driver.kernel.instance.state.live_dataflows()
            compaction = {collection.id: collection.since for collection in live}
            records = list(reduce(records, compaction))
        by_position = {command.position: command for command in stored}
        sents = [
            (by_position.get(record.position), sent_of(record))
            for record in records
            if record.position >= request.from_position
        ]
        for count, (command, sent) in enumerate(sents):
            if request.records_max and count >= request.records_max:
                return
            yield _record(command, sent)


def _decision(decision: Decision) -> command_pb2.SyncDecision.ValueType:
    """Unspecified: refused."""
    if isinstance(decision, Sync):
        return command_pb2.SyncDecision.Value(f"SYNC_DECISION_{decision.sync.name}")
    return command_pb2.SYNC_DECISION_UNSPECIFIED


def _rebuild(found: RebuildStatus | None) -> pb.RebuildStatus | None:
    if found is None:
        return None
    return pb.RebuildStatus(
        session_id=found.session_id,
        dataflows_filled=found.dataflows_filled,
        dataflows_total=found.dataflows_total,
        base_rows=found.base_rows,
        base_rows_total=found.base_rows_total,
        rows_computed=found.rows_computed,
        live_lag_ms=found.live_lag_ms,
        percent=found.percent,
        text=str(found),
    )


def _progress(session_id: SessionId, rebuild: RebuildStatus | None) -> str:
    return "" if rebuild is None or rebuild.session_id != session_id else str(rebuild)


def _record(command: StoredCommand | None, sent: Sent) -> pb.HistoryRecord:
    return pb.HistoryRecord(
        position=sent.position or NO_POSITION,
        kind="" if command is None else command.kind,
        subject=0 if command is None else command.subject,
        appended_at_ms=0 if command is None else command.appended_at_ms,
        digest=b"" if command is None else command.digest,
        command=command_to_proto(sent),
        text=describe(sent.command),
    )


def _collection(found: CollectionStatus) -> pb.ReplicaCollectionInfo:
    progress = found.progress
    return pb.ReplicaCollectionInfo(
        collection=found.collection,
        name=found.name,
        write_frontier=frontier_to_proto(found.write_frontier),
        hydrated=found.hydrated,
        lag_ms=found.lag_ms,
        failed=found.failed,
        progress=None
        if progress is None
        else response_pb2.HydrationProgress(
            collection=progress.collection,
            rows_done=progress.rows_done,
            rows_total=progress.rows_total,
            rows_received=progress.rows_received,
            elapsed_ms=progress.elapsed_ms,
        ),
    )


def _info(item: CatalogItem) -> pb.CollectionInfo:
    return pb.CollectionInfo(
        id=item.id,
        name=item.name,
        kind=KIND_NAMES[item.kind],
        schema=schema_to_proto(item.schema),
        key=[item.schema.columns[column].name for column in item.key_columns],
        sql=item.sql,
        depends_on=item.depends_on,
    )
