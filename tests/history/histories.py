"""Histories of commands for tests: short ones by hand, and any that are legal."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

from hypothesis import strategies as st

from antiphon.history.journal import KINDS, Record, subject_of
from antiphon.protocol.codec import command_to_bytes
from antiphon.protocol.command import (
    AllowCompaction,
    Command,
    CreateDataflow,
    UpdateConfiguration,
)
from antiphon.protocol.dataflow import (
    CollectionKind,
    DataflowDescription,
    Export,
    Import,
    IndexExport,
)
from antiphon.protocol.frontier import CLOSED, Frontier
from antiphon.protocol.ids import CollectionId, Position
from antiphon.protocol.schema import INT64, Column, Schema

SCHEMA = Schema((Column(name="id", type=INT64),))


def record(position: int, command: Command) -> Record:
    return Record(
        position=Position(position),
        kind=KINDS[type(command)],
        subject=subject_of(command),
        payload=command_to_bytes(command),
    )


def numbered(*commands: Command) -> tuple[Record, ...]:
    """At positions 1, 2, ..."""
    return tuple(record(position, command) for position, command in enumerate(commands, 1))


def create(*exports: int, as_of: int = 10, imports: Iterable[int] = ()) -> CreateDataflow:
    return CreateDataflow(
        dataflow=DataflowDescription(
            name=f"d{exports[0]}",
            imports=tuple(
                Import(collection=CollectionId(each), kind=CollectionKind.INDEX, schema=SCHEMA)
                for each in imports
            ),
            plan=b"plan of %d" % exports[0],
            exports=tuple(
                Export(collection=CollectionId(each), kind=IndexExport(key_columns=(0,)))
                for each in exports
            ),
            as_of=Frontier(as_of),
            schema=SCHEMA,
        )
    )


def drop(collection: int) -> AllowCompaction:
    return AllowCompaction(collection=CollectionId(collection), frontier=CLOSED)


def allow(collection: int, time: int) -> AllowCompaction:
    """As older histories hold it; ours keep it in a map."""
    return AllowCompaction(collection=CollectionId(collection), frontier=Frontier(time))


def configure(**values: str) -> UpdateConfiguration:
    return UpdateConfiguration(values=values)


def any_history(random: Random, length: int) -> tuple[Record, ...]:
    """Legal: what is imported exists and is open, ids are never reused."""
    commands: list[Command] = []
    as_ofs: dict[int, int] = {}
    opened: list[int] = []
    for position in range(1, length + 1):
        choice = random.choice("ccddu")
        if choice == "u":
            commands.append(configure(**{random.choice("abc"): str(position)}))
        elif choice == "d" and opened:
            dropped = opened.pop(random.randrange(len(opened)))
            commands.append(drop(dropped))
        else:
            imports = random.sample(opened, random.randint(0, min(2, len(opened))))
            as_of = random.randint(max((as_ofs[each] for each in imports), default=1), 40)
            exports = [10 * position + at for at in range(random.randint(1, 2))]
            as_ofs.update(dict.fromkeys(exports, as_of))
            opened += exports
            commands.append(create(*exports, as_of=as_of, imports=imports))
    return numbered(*commands)


def histories(length_max: int = 14) -> st.SearchStrategy[tuple[Record, ...]]:
    return st.builds(any_history, st.randoms(use_true_random=False), st.integers(0, length_max))
