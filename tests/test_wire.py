"""The wire: its generated code is what its sources give, and nobody who speaks it is broken."""

from __future__ import annotations

import subprocess
import sys

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorSet

from tests.source_tree import ROOT
from tests.wire.lint import lint
from tests.wire.record import descriptors, recorded
from tests.wire.shape import breaks, shape


def small_wire() -> FileDescriptorSet:
    files = FileDescriptorSet()
    file = files.file.add(name="a/v1/a.proto", package="a.v1", syntax="proto3")
    message = file.message_type.add(name="Word")
    message.field.add(name="text", number=1, type=FieldDescriptorProto.TYPE_STRING)
    message.field.add(name="language", number=2, type=FieldDescriptorProto.TYPE_STRING)
    kind = file.enum_type.add(name="WordKind")
    kind.value.add(name="WORD_KIND_UNSPECIFIED", number=0)
    kind.value.add(name="WORD_KIND_NOUN", number=1)
    return files


def test_regenerating_changes_nothing() -> None:
    generator = [sys.executable, str(ROOT / "proto/generate.py"), "--check"]
    checked = subprocess.run(generator, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, f"run `make proto`: {checked.stdout}{checked.stderr}"


def test_the_sources_follow_the_rules() -> None:
    assert lint(descriptors()) == []


def test_nothing_that_was_recorded_is_broken() -> None:
    assert breaks(recorded(), shape(descriptors())) == []


def test_every_addition_is_recorded() -> None:
    assert recorded() == shape(descriptors()), "run `make proto`"


def test_a_field_that_changes_its_type_breaks() -> None:
    before = shape(small_wire())
    changed = small_wire()
    changed.file[0].message_type[0].field[0].type = FieldDescriptorProto.TYPE_BYTES
    assert breaks(before, shape(changed)) == ["field a.v1.Word 1 text string"]


def test_a_removed_field_breaks_unless_its_number_is_reserved() -> None:
    before = shape(small_wire())
    changed = small_wire()
    word = changed.file[0].message_type[0]
    del word.field[1]
    assert breaks(before, shape(changed)) == ["field a.v1.Word 2 language string"]
    word.reserved_range.add(start=2, end=3)
    assert breaks(before, shape(changed)) == []


def test_an_addition_does_not_break() -> None:
    before = shape(small_wire())
    changed = small_wire()
    changed.file[0].message_type.add(name="Sentence")
    assert breaks(before, shape(changed)) == []


def test_lint_finds_each_kind_of_offence() -> None:
    wire = small_wire()
    file = wire.file[0]
    file.package = "a.v2"
    file.message_type[0].name = "word"
    file.message_type[0].field[0].name = "theText"
    file.enum_type[0].value[0].name = "WORD_KIND_OTHER"
    file.enum_type[0].value[1].name = "NOUN"
    assert lint(wire) == [
        "a/v1/a.proto: package a.v2 is not its folder",
        "a.v2.word: not CamelCase",
        "a.v2.word.theText: not lower_snake_case",
        "a.v2.WordKind.NOUN: not WORD_KIND_...",
        "a.v2.WordKind: WORD_KIND_OTHER = 0 is not an unspecified zero",
    ]
