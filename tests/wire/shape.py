"""The wire as sorted lines, one for each fact that a peer relies on; and which changes break it."""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorSet,
    ServiceDescriptorProto,
)


def shape(files: FileDescriptorSet) -> list[str]:
    """Every message, field, enum value and call, in words, sorted."""
    lines: list[str] = []
    for file in files.file:
        for message in file.message_type:
            lines.extend(_message(message, file.package))
        for enum in file.enum_type:
            lines.extend(_enum(enum, file.package))
        for service in file.service:
            lines.extend(_service(service, file.package))
    return sorted(lines)


def breaks(before: list[str], now: list[str]) -> list[str]:
    """The recorded lines that are gone, less the fields and values whose number is reserved now.

    A line names all that matters on the wire and in JSON: whatever changes a fact removes a line.
    """
    kept = set(now)
    gone = [line for line in before if line not in kept]
    return [line for line in gone if _reservation(line) not in kept]


def _reservation(line: str) -> str:
    """The line that would excuse the loss of this one."""
    what, owner, number, *_ = [*line.split(" "), "", ""]
    return f"reserved {owner} {number}" if what in {"field", "value"} else ""


def _message(message: DescriptorProto, scope: str) -> Iterator[str]:
    name = f"{scope}.{message.name}"
    yield f"message {name}"
    for field in message.field:
        kind = f"{_type(field)}{_membership(field, message)}"
        yield f"field {name} {field.number} {field.name} {kind}"
    for span in message.reserved_range:
        for number in range(span.start, span.end):
            yield f"reserved {name} {number}"
    for nested in message.nested_type:
        yield from _message(nested, name)
    for enum in message.enum_type:
        yield from _enum(enum, name)


def _type(field: FieldDescriptorProto) -> str:
    kind = FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()
    named = field.type_name.removeprefix(".") or kind
    repeated = field.label == FieldDescriptorProto.LABEL_REPEATED
    return f"repeated {named}" if repeated else named


def _membership(field: FieldDescriptorProto, message: DescriptorProto) -> str:
    if field.proto3_optional:
        return " optional"
    if field.HasField("oneof_index"):
        return f" in {message.oneof_decl[field.oneof_index].name}"
    return ""


def _enum(enum: EnumDescriptorProto, scope: str) -> Iterator[str]:
    name = f"{scope}.{enum.name}"
    yield f"enum {name}"
    for value in enum.value:
        yield f"value {name} {value.number} {value.name}"
    for span in enum.reserved_range:
        for number in range(span.start, span.end + 1):  # inclusive, unlike a message's
            yield f"reserved {name} {number}"


def _service(service: ServiceDescriptorProto, scope: str) -> Iterator[str]:
    name = f"{scope}.{service.name}"
    yield f"service {name}"
    for call in service.method:
        sent = "stream " * call.client_streaming + call.input_type.removeprefix(".")
        received = "stream " * call.server_streaming + call.output_type.removeprefix(".")
        yield f"rpc {name} {call.name} ({sent}) -> ({received})"
