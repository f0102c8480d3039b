"""The laws of the reduction, against a naive replica; and the cases that the laws come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.history.envelope import MalformedEnvelope
from antiphon.history.journal import KINDS, WHOLE_INSTANCE, Record, subject_of
from antiphon.history.reduction import reduce
from antiphon.protocol.codec import command_from_bytes, command_to_bytes
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
from antiphon.v1 import command_pb2 as pb
from tests.history.replay import replay

SCHEMA = Schema((Column(name="id", type=INT64),))
Map = Mapping[CollectionId, Frontier]


def record(position: int, command: Command) -> Record:
    return Record(
        position=Position(position),
        kind=KINDS[type(command)],
        subject=subject_of(command),
        payload=command_to_bytes(command),
    )


def create(*exports: int, as_of: int = 10, imports: tuple[int, ...] = ()) -> CreateDataflow:
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


def configure(**values: str) -> UpdateConfiguration:
    return UpdateConfiguration(values=values)


def journal(*commands: Command) -> list[Record]:
    return [record(position, command) for position, command in enumerate(commands, 1)]


def reduced(*commands: Command, compaction: Map | None = None) -> list[tuple[int, Command]]:
    return [
        (each.position, command_from_bytes(each.payload))
        for each in reduce(journal(*commands), compaction or {})
    ]


def times(**by_id: int) -> dict[CollectionId, Frontier]:
    return {CollectionId(int(name[1:])): Frontier(time) for name, time in by_id.items()}


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Record], Map]:
    """Legal journals: imports exist and are open, ids are never reused, as_of only grows."""
    records: list[Record] = []
    as_ofs: dict[int, int] = {}
    dropped: list[int] = []
    for position in range(1, draw(st.integers(0, 14)) + 1):
        opened = [export for export in as_ofs if export not in dropped]
        choice = draw(st.sampled_from("cccddukk"))
        if choice == "u":
            command: Command = configure(**{draw(st.sampled_from("abc")): str(position)})
        elif choice == "d" and opened:
            dropped.append(draw(st.sampled_from(opened)))
            command = drop(dropped[-1])
        elif choice == "k":
            payload = draw(st.binary(max_size=4))
            records.append(
                Record(
                    position=Position(position),
                    kind=draw(st.sampled_from(["later", "schedule"])),
                    subject=WHOLE_INSTANCE,
                    payload=payload,
                )
            )
            continue
        else:
            count = draw(st.integers(1, 3))
            chosen = draw(st.lists(st.sampled_from(opened or [0]), unique=True, max_size=2))
            imports = [each for each in chosen if each]
            as_of = draw(st.integers(max((as_ofs[each] for each in imports), default=1), 40))
            exports = [100 * position + at for at in range(count)]
            as_ofs.update(dict.fromkeys(exports, as_of))
            command = create(*exports, as_of=as_of, imports=tuple(imports))
        records.append(record(position, command))
    compaction = {
        CollectionId(export): Frontier(draw(st.integers(1, 60)))
        for export in as_ofs
        if draw(st.booleans())
    }
    return records, compaction


@given(histories())
def test_replaying_the_reduction_gives_what_replaying_the_journal_gives(
    history: tuple[list[Record], Map],
) -> None:
    records, compaction = history
    assert replay(reduce(records, compaction), compaction) == replay(records, compaction)


@given(histories())
def test_what_the_map_said_is_in_the_reduction(history: tuple[list[Record], Map]) -> None:
    records, compaction = history
    assert replay(reduce(records, compaction), {}) == replay(records, compaction)


@given(histories())
def test_reducing_twice_changes_nothing(history: tuple[list[Record], Map]) -> None:
    records, compaction = history
    once = reduce(records, compaction)
    assert reduce(once, compaction) == once
    assert reduce(once, {}) == once


@given(histories(), st.integers(0, 14))
def test_a_reduced_prefix_may_stand_for_the_prefix(
    history: tuple[list[Record], Map], cut: int
) -> None:
    records, compaction = history
    base = reduce(records[:cut], {})
    assert reduce([*base, *records[cut:]], compaction) == reduce(records, compaction)


@given(histories())
def test_the_size_is_bounded_by_what_is_live(history: tuple[list[Record], Map]) -> None:
    records, compaction = history
    live = replay(records, compaction)
    exports = sum(len(dataflow.since) for dataflow in live.dataflows)
    limit = 1 + len(live.dataflows) + exports + len(live.others)
    assert len(reduce(records, compaction)) <= limit


@given(histories())
def test_unknown_kinds_are_kept_byte_for_byte(history: tuple[list[Record], Map]) -> None:
    records, compaction = history
    known = ("create_dataflow", "allow_compaction", "update_configuration")
    assert [each for each in reduce(records, compaction) if each.kind not in known] == [
        each for each in records if each.kind not in known
    ]


@given(histories())
def test_positions_ascend_and_payloads_change_only_where_they_must(
    history: tuple[list[Record], Map],
) -> None:
    records, compaction = history
    found = reduce(records, compaction)
    numbered = [each.position for each in found if each.position]
    assert all(before < after for before, after in pairwise(numbered))
    assert all(each.position == 0 for each in found[len(numbered) :])
    by_position = {each.position: each for each in records}
    for each in found[: len(numbered)]:
        original = by_position[each.position]
        if each.kind == "create_dataflow":
            then, now = (command_from_bytes(r.payload) for r in (original, each))
            assert isinstance(then, CreateDataflow)
            assert isinstance(now, CreateDataflow)
            assert then.dataflow.as_of.less_equal(now.dataflow.as_of)
            assert replace(now.dataflow, as_of=then.dataflow.as_of) == then.dataflow
            assert (then == now) == (original == each)
        elif each.kind != "update_configuration":
            assert each == original


@given(histories())
def test_an_importer_finds_its_as_of_in_what_it_imports(
    history: tuple[list[Record], Map],
) -> None:
    records, compaction = history
    as_ofs: dict[CollectionId, Frontier] = {}
    for each in reduce(records, compaction):
        if each.kind != "create_dataflow":
            continue
        command = command_from_bytes(each.payload)
        assert isinstance(command, CreateDataflow)
        for imported in command.dataflow.imports:
            assert as_ofs[imported.collection].less_equal(command.dataflow.as_of)
        as_ofs.update({e.collection: command.dataflow.as_of for e in command.dataflow.exports})


# The cases.


def test_configurations_merge_at_the_place_of_the_first() -> None:
    assert reduced(configure(a="1"), create(5), configure(b="2", a="3")) == [
        (1, configure(a="3", b="2")),
        (2, create(5)),
    ]


def test_a_lone_configuration_keeps_its_bytes() -> None:
    message = pb.Command()
    message.update_configuration.values["a"] = "1"
    original = Record(
        position=Position(1),
        kind="update_configuration",
        subject=WHOLE_INSTANCE,
        payload=message.SerializeToString() + b"\xfa\x3e\x03xyz",
    )
    assert reduce([original], {}) == (original,)


def test_a_dropped_dataflow_leaves_nothing() -> None:
    assert reduced(create(5), create(6), drop(5)) == [(2, create(6))]


def test_a_dropped_dataflow_stays_while_another_reads_it() -> None:
    commands = (create(5, as_of=10), create(6, as_of=30, imports=(5,)), drop(5))
    assert reduced(*commands) == [
        (1, create(5, as_of=30)),
        (2, create(6, as_of=30, imports=(5,))),
        (3, drop(5)),
    ]
    assert reduced(*commands, drop(6)) == []


def test_as_of_advances_to_what_every_export_allows() -> None:
    assert reduced(create(5, 6), compaction=times(u5=20, u6=30)) == [
        (1, create(5, 6, as_of=20)),
        (0, AllowCompaction(collection=CollectionId(6), frontier=Frontier(30))),
    ]
    assert reduced(create(5, 6), compaction=times(u5=20)) == [
        (1, create(5, 6)),
        (0, AllowCompaction(collection=CollectionId(5), frontier=Frontier(20))),
    ]


def test_a_dropped_export_holds_nothing_back_and_stays_dropped() -> None:
    assert reduced(create(5, 6), drop(5), compaction=times(u6=30)) == [
        (1, create(5, 6, as_of=30)),
        (2, drop(5)),
    ]


def test_as_of_never_moves_back() -> None:
    assert reduced(create(5, as_of=10), compaction=times(u5=3)) == [(1, create(5, as_of=10))]


def test_an_importer_holds_back_what_it_imports() -> None:
    commands = (create(5, as_of=10), create(6, as_of=20, imports=(5,)))
    assert reduced(*commands, compaction=times(u5=50)) == [
        (1, create(5, as_of=20)),
        (2, create(6, as_of=20, imports=(5,))),
        (0, AllowCompaction(collection=CollectionId(5), frontier=Frontier(50))),
    ]


def test_map_entries_of_other_collections_are_left_alone() -> None:
    assert reduced(create(5), compaction=times(u1=50)) == [(1, create(5))]


def test_a_drop_of_what_was_not_created_here_is_kept() -> None:
    assert reduced(drop(77)) == [(1, drop(77))]


def test_fields_that_are_not_known_survive_an_advanced_as_of() -> None:
    original = record(1, create(5))
    later = replace(original, payload=original.payload + b"\xfa\x3e\x03xyz")
    (found,) = reduce([later], times(u5=20))
    assert b"\xfa\x3e\x03xyz" in found.payload
    assert command_from_bytes(found.payload) == create(5, as_of=20)


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("create_dataflow", b"\xff"),
        ("create_dataflow", command_to_bytes(drop(5))),
        ("create_dataflow", b"\x52\x00"),  # no description
        ("update_configuration", b""),
        ("allow_compaction", b"\x5a\x09\x09\x05\0\0\0\0\0\0\0"),  # no frontier
    ],
)
def test_a_record_that_is_not_what_its_kind_says_is_an_error(kind: str, payload: bytes) -> None:
    broken = Record(position=Position(1), kind=kind, subject=CollectionId(5), payload=payload)
    with pytest.raises(MalformedEnvelope):
        reduce([broken], {})


def test_create_and_drop_cycles_leave_no_trace() -> None:
    commands: list[Command] = []
    for number in range(1, 200):
        commands += [create(number), drop(number)]
    assert reduced(*commands, create(500)) == [(399, create(500))]
