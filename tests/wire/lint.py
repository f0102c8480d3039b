"""What every source of the wire looks like: the usual rules of protobuf style, over descriptors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)

CAMEL: Final = re.compile(r"[A-Z][a-zA-Z0-9]*")
SNAKE: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
RESERVED_NUMBERS: Final = range(19_000, 20_000)  # protobuf's own


def lint(files: FileDescriptorSet) -> list[str]:
    """Offences, each with the full name of what offends."""
    return [offence for file in files.file for offence in _file(file)]


def _file(file: FileDescriptorProto) -> Iterator[str]:
    folder, _, name = file.name.rpartition("/")
    if file.syntax != "proto3":
        yield f"{file.name}: not proto3"
    if file.package.replace(".", "/") != folder:
        yield f"{file.name}: package {file.package} is not its folder"
    if not SNAKE.fullmatch(name.removesuffix(".proto")):
        yield f"{file.name}: not lower_snake_case"
    for message in file.message_type:
        yield from _message(message, file.package)
    for enum in file.enum_type:
        yield from _enum(enum, file.package)
    for service in file.service:
        if not CAMEL.fullmatch(service.name):
            yield f"{file.package}.{service.name}: not CamelCase"
        for call in service.method:
            if not CAMEL.fullmatch(call.name):
                yield f"{file.package}.{service.name}.{call.name}: not CamelCase"


def _message(message: DescriptorProto, scope: str) -> Iterator[str]:
    name = f"{scope}.{message.name}"
    if not CAMEL.fullmatch(message.name):
        yield f"{name}: not CamelCase"
    # Protobuf names the oneof of an `optional` field itself, with an underscore in front.
    oneofs = [oneof.name.removeprefix("_") for oneof in message.oneof_decl]
    for member in (*[field.name for field in message.field], *oneofs):
        if not SNAKE.fullmatch(member):
            yield f"{name}.{member}: not lower_snake_case"
    for field in message.field:
        if field.number in RESERVED_NUMBERS:
            yield f"{name}.{field.name}: a number that protobuf keeps for itself"
    for nested in message.nested_type:
        if not nested.options.map_entry:
            yield from _message(nested, name)
    for enum in message.enum_type:
        yield from _enum(enum, name)


def _enum(enum: EnumDescriptorProto, scope: str) -> Iterator[str]:
    name = f"{scope}.{enum.name}"
    if not CAMEL.fullmatch(enum.name):
        yield f"{name}: not CamelCase"
    prefix = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", enum.name).upper()
    for value in enum.value:
        if not value.name.startswith(f"{prefix}_") or value.name != value.name.upper():
            yield f"{name}.{value.name}: not {prefix}_..."
    zero = enum.value[0]
    if zero.number != 0 or not zero.name.endswith("_UNSPECIFIED"):
        # An old peer reads a value that it does not know as zero: that must not mean anything.
        yield f"{name}: {zero.name} = {zero.number} is not an unspecified zero"
