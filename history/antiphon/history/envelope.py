"""Envelope v1: the flat form in which a numbered command is stored, and read for ever.

One self-describing `antiphon.v1.EnvelopeV1`: where the record belongs, how it is deduplicated, the
command itself, and when it was appended. The command's bytes are kept verbatim, in and out: fields
that this version does not know survive, and the digest is of the bytes as stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, assert_never

from google.protobuf.message import DecodeError

from antiphon.protocol.errors import AntiphonError
from antiphon.protocol.ids import RANDOM_ID_BYTES, Epoch, InstanceId, ProducerId, ReplicaId
from antiphon.v1 import history_pb2 as pb

_COMMAND_FIELD: Final = pb.EnvelopeV1.COMMAND_FIELD_NUMBER
_BYTES: Final = 2  # the wire type of a length-delimited field
_COMMAND_TAG: Final = bytes([_COMMAND_FIELD << 3 | _BYTES])


class MalformedEnvelope(AntiphonError):
    """A stored record that breaks the format. Nothing is guessed: an absent dedup is an error."""


@dataclass(frozen=True, slots=True)
class NoDedup:
    """Applied as often as it is stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochDedup:
    """Written by the controller that owns `epoch`; of one (epoch, sequence) the first counts."""

    epoch: Epoch
    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProducerDedup:
    producer_id: ProducerId
    sequence: int


Dedup = NoDedup | EpochDedup | ProducerDedup


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvelopeV1:
    """`payload`: the serialized `antiphon.v1.Command` at position 0. `replica` None: all."""

    instance_id: InstanceId
    dedup: Dedup
    payload: bytes
    appended_at_ms: int
    replica: ReplicaId | None = None


def encode(envelope: EnvelopeV1) -> bytes:
    """Equal envelopes give equal bytes."""
    header = pb.EnvelopeV1(
        destination=pb.Destination(
            instance_id=envelope.instance_id, replica=envelope.replica or ""
        ),
        dedup=_dedup_to_proto(envelope.dedup),
        appended_at_ms=envelope.appended_at_ms,
    ).SerializeToString(deterministic=True)
    return b"".join((header, _COMMAND_TAG, _varint(len(envelope.payload)), envelope.payload))


def decode(data: bytes) -> EnvelopeV1:
    """What `encode`, or another writer of the format, wrote.

    Raises:
        MalformedEnvelope: it does not parse, or lacks its destination, its dedup or its command, or
            combines dedup fields that exclude each other.
    """
    header, payload = _split(data)
    try:
        message = pb.EnvelopeV1.FromString(header)
    except DecodeError as error:
        raise MalformedEnvelope(f"the envelope does not parse: {error}") from error
    if not message.HasField("destination") or message.destination.instance_id == 0:
        raise MalformedEnvelope("the envelope has no destination")
    return EnvelopeV1(
        instance_id=InstanceId(message.destination.instance_id),
        replica=ReplicaId(message.destination.replica) if message.destination.replica else None,
        dedup=_dedup_from_proto(message),
        payload=payload,
        appended_at_ms=message.appended_at_ms,
    )


def payload_of(data: bytes) -> bytes:
    """The command's bytes alone, verbatim; the rest is not looked at.

    Raises:
        MalformedEnvelope: there is not exactly one command.
    """
    return _split(data)[1]


def _dedup_to_proto(dedup: Dedup) -> pb.Dedup:
    match dedup:
        case NoDedup():
            return pb.Dedup(kind=pb.DEDUP_KIND_NONE)
        case EpochDedup():
            return pb.Dedup(kind=pb.DEDUP_KIND_EPOCH, epoch=dedup.epoch, sequence=dedup.sequence)
        case ProducerDedup():
            return pb.Dedup(
                kind=pb.DEDUP_KIND_PRODUCER,
                producer_id=dedup.producer_id.value,
                sequence=dedup.sequence,
            )
        case _:
            assert_never(dedup)


def _dedup_from_proto(message: pb.EnvelopeV1) -> Dedup:
    """An unknown kind must not read as "none": that would apply a record twice."""
    if not message.HasField("dedup"):
        raise MalformedEnvelope("the envelope has no dedup")
    dedup = message.dedup
    epoch, producer, sequence = dedup.epoch, dedup.producer_id, dedup.sequence
    match dedup.kind:
        case pb.DEDUP_KIND_NONE if not (epoch or producer or sequence):
            return NoDedup()
        case pb.DEDUP_KIND_EPOCH if epoch and not producer:
            return EpochDedup(epoch=Epoch(epoch), sequence=sequence)
        case pb.DEDUP_KIND_PRODUCER if len(producer) == RANDOM_ID_BYTES and not epoch:
            return ProducerDedup(producer_id=ProducerId(producer), sequence=sequence)
        case pb.DEDUP_KIND_UNSPECIFIED:
            raise MalformedEnvelope("the dedup has no kind")
        case pb.DEDUP_KIND_NONE | pb.DEDUP_KIND_EPOCH | pb.DEDUP_KIND_PRODUCER:
            raise MalformedEnvelope(f"the dedup's fields do not fit its kind {dedup.kind}")
        case unknown:
            raise MalformedEnvelope(f"the dedup has the unknown kind {unknown}")


def _split(data: bytes) -> tuple[bytes, bytes]:
    """(everything but the command, the command's bytes).

    Parsing and serializing again would not do: bytes need not come back as they were.
    """
    payload: bytes | None = None
    rest: list[bytes] = []
    at = 0
    while at < len(data):
        start = at
        tag, at = _read_varint(data, at)
        end = _skip(data, tag & 7, at)
        if tag >> 3 != _COMMAND_FIELD:
            rest.append(data[start:end])
        elif tag & 7 != _BYTES or payload is not None:
            raise MalformedEnvelope("the envelope does not hold exactly one command")
        else:
            payload = data[_read_varint(data, at)[1] : end]
        at = end
    if payload is None:
        raise MalformedEnvelope("the envelope has no command")
    return b"".join(rest), payload


def _skip(data: bytes, wire_type: int, at: int) -> int:
    """Where the field whose value begins at `at` ends."""
    match wire_type:
        case 0:
            end = _read_varint(data, at)[1]
        case 1:
            end = at + 8
        case 2:
            length, begin = _read_varint(data, at)
            end = begin + length
        case 5:
            end = at + 4
        case _:
            raise MalformedEnvelope(f"a field of wire type {wire_type}")
    if end > len(data):
        raise MalformedEnvelope("the envelope is cut off")
    return end


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    """(value, where it ends)."""
    value = shift = 0
    while at < len(data) and shift < 64:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise MalformedEnvelope("the envelope is cut off inside a number")


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
