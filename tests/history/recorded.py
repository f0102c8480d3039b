"""The envelopes that were recorded, one of every kind of command, as values.

`python -m tests.history.recorded` writes the files of kinds that have none yet. A file that exists
is never written again: it stands for bytes that lie in somebody's store.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from antiphon.history.envelope import Dedup, EnvelopeV1, EpochDedup, NoDedup, ProducerDedup, encode
from antiphon.history.journal import KINDS
from antiphon.protocol.codec import command_to_bytes
from antiphon.protocol.command import (
    AcceptRebuild,
    AllowCompaction,
    AllowWrites,
    CancelPeek,
    CancelRebuild,
    Command,
    CommandSet,
    CreateDataflow,
    CreateInstance,
    Hello,
    IndexTarget,
    InitializationComplete,
    Peek,
    Schedule,
    StartRebuild,
    SyncDecision,
    UpdateConfiguration,
)
from antiphon.protocol.dataflow import (
    CollectionKind,
    CopyToExport,
    DataflowDescription,
    Export,
    Finishing,
    Import,
    IndexExport,
    MaterializedViewExport,
)
from antiphon.protocol.frontier import CLOSED, Frontier
from antiphon.protocol.ids import (
    ClaimId,
    CollectionId,
    ConnectionId,
    Epoch,
    HistoryId,
    Incarnation,
    InstanceId,
    PeekId,
    Position,
    ProducerId,
    ReplicaId,
    SessionId,
)
from antiphon.protocol.schema import (
    INT64,
    TEXT,
    TIMESTAMPTZ,
    Column,
    Schema,
    Type,
    TypeKind,
    decimal,
)

FOLDER: Final = Path(__file__).resolve().parent.parent / "recordings" / "envelope_v1"

_SCHEMA = Schema(
    (
        Column(name="id", type=INT64, nullable=False),
        Column(name="price", type=decimal(12, 2)),
        Column(name="tags", type=Type(kind=TypeKind.LIST, element=TEXT)),
        Column(name="at", type=TIMESTAMPTZ),
    )
)
_DATAFLOW = DataflowDescription(
    name="orders_by_day",
    imports=(
        Import(collection=CollectionId(1), kind=CollectionKind.TABLE, schema=_SCHEMA),
        Import(
            collection=CollectionId(2),
            kind=CollectionKind.FEED,
            schema=_SCHEMA,
            key_columns=(0,),
        ),
    ),
    plan=b"\x0a\x03abc\x00\xff",
    exports=(
        Export(collection=CollectionId(7), kind=IndexExport(key_columns=(0, 3))),
        Export(collection=CollectionId(8), kind=MaterializedViewExport(key_columns=(0,))),
        Export(collection=CollectionId(9), kind=CopyToExport(uri="file:///tmp/x", format="csv")),
    ),
    as_of=Frontier(1_700_000_000_000),
    schema=_SCHEMA,
    until=Frontier(1_800_000_000_000),
)

COMMANDS: Final[tuple[Command, ...]] = (
    Hello(
        epoch=Epoch(3),
        claim_id=ClaimId(b"c" * 16),
        connection_id=ConnectionId(b"d" * 16),
        protocol_version=1,
        instance_id=InstanceId(2**62),
        history_id=HistoryId(b"h" * 16),
        replica=ReplicaId("r1"),
        decision=SyncDecision.REBUILD,
        command_set=CommandSet.FULL,
        session_id=SessionId(12),
        expected_incarnation=Incarnation(b"i" * 16),
        expected_position=Position(41),
    ),
    CreateInstance(
        instance_id=InstanceId(2**62), name="default", configuration={"b": "2", "a": "1"}
    ),
    InitializationComplete(head_position=Position(41), head_digest=b"\x01" * 32),
    AllowWrites(),
    StartRebuild(
        session_id=SessionId(12),
        collections=(CollectionId(7), CollectionId(8)),
        base_time=5,
        target_time=9,
        deadline_ms=30_000,
    ),
    CancelRebuild(session_id=SessionId(12), reason="too slow"),
    AcceptRebuild(session_id=SessionId(12)),
    UpdateConfiguration(values={"hydration_limit": "4", "empty": "", "länge": "ünïcode"}),
    CreateDataflow(dataflow=_DATAFLOW),
    AllowCompaction(collection=CollectionId(7), frontier=CLOSED),
    Peek(
        peek_id=PeekId(b"p" * 16),
        time=1_700_000_000_001,
        target=IndexTarget(collection=CollectionId(7), keys=b"keys", plan=b"plan"),
        schema=_SCHEMA,
        finishing=Finishing(order_by=((0, True, False),), offset=1, limit=10, project=(0, 1)),
        rows_max=100,
        bytes_max=2**20,
    ),
    CancelPeek(peek_id=PeekId(b"p" * 16)),
    Schedule(collection=CollectionId(7)),
)

_DEDUPS: Final[tuple[Dedup, ...]] = (
    NoDedup(),
    EpochDedup(epoch=Epoch(3), sequence=41),
    ProducerDedup(producer_id=ProducerId(b"q" * 16), sequence=0),
)


def recorded() -> dict[str, tuple[EnvelopeV1, Command]]:
    """By kind: what its file holds. All kinds of dedup occur, with and without a replica."""
    return {
        KINDS[type(command)]: (
            EnvelopeV1(
                instance_id=InstanceId(2**62),
                replica=ReplicaId("r1") if at % 2 else None,
                dedup=_DEDUPS[at % len(_DEDUPS)],
                payload=command_to_bytes(command),
                appended_at_ms=1_700_000_000_000 + at,
            ),
            command,
        )
        for at, command in enumerate(COMMANDS)
    }


def path_of(kind: str) -> Path:
    return FOLDER / f"{kind}.bin"


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, (value, _) in recorded().items():
        if not path_of(name).exists():
            path_of(name).write_bytes(encode(value))
