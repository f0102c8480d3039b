"""Envelope v1: recorded bytes are read for ever; nothing absent or unknown is guessed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.history.envelope import (
    Dedup,
    EnvelopeV1,
    EpochDedup,
    MalformedEnvelope,
    NoDedup,
    ProducerDedup,
    decode,
    encode,
    payload_of,
)
from antiphon.history.journal import KINDS
from antiphon.protocol.codec import command_from_bytes
from antiphon.protocol.ids import Epoch, InstanceId, ProducerId, ReplicaId
from antiphon.v1 import history_pb2 as pb
from tests.history.recorded import FOLDER, path_of, recorded

RECORDED = recorded()
U63 = st.integers(0, 2**63 - 1)

DEDUPS: st.SearchStrategy[Dedup] = st.one_of(
    st.just(NoDedup()),
    st.builds(EpochDedup, epoch=st.integers(1, 2**63).map(Epoch), sequence=U63),
    st.builds(
        ProducerDedup,
        producer_id=st.binary(min_size=16, max_size=16).map(ProducerId),
        sequence=U63,
    ),
)
ENVELOPES = st.builds(
    EnvelopeV1,
    instance_id=st.integers(1, 2**64 - 1).map(InstanceId),
    replica=st.none() | st.text(min_size=1, max_size=5).map(ReplicaId),
    dedup=DEDUPS,
    payload=st.binary(max_size=300),
    appended_at_ms=U63,
)


@pytest.mark.parametrize("kind", sorted(RECORDED))
def test_a_recorded_envelope_means_what_it_meant(kind: str) -> None:
    data = path_of(kind).read_bytes()
    envelope, command = RECORDED[kind]
    assert decode(data) == envelope
    assert payload_of(data) == envelope.payload
    assert command_from_bytes(envelope.payload) == command
    # And another implementation of protobuf reads the same command.
    parsed = pb.EnvelopeV1.FromString(data)
    assert parsed.command.WhichOneof("kind") == kind
    assert parsed.appended_at_ms == envelope.appended_at_ms


@pytest.mark.parametrize("kind", sorted(RECORDED))
def test_the_recorded_bytes_are_still_what_is_written(kind: str) -> None:
    assert encode(RECORDED[kind][0]) == path_of(kind).read_bytes()


def test_every_kind_is_recorded() -> None:
    assert {path.stem for path in FOLDER.glob("*.bin")} == set(KINDS.values()) == set(RECORDED)


@given(ENVELOPES)
def test_what_is_encoded_is_decoded(envelope: EnvelopeV1) -> None:
    data = encode(envelope)
    assert decode(data) == envelope
    assert payload_of(data) == envelope.payload


@given(ENVELOPES, st.data())
def test_no_cut_off_envelope_is_taken_for_whole(envelope: EnvelopeV1, data: st.DataObject) -> None:
    whole = encode(envelope)
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(MalformedEnvelope):
        decode(whole[:cut])


@given(st.binary(max_size=60))
def test_garbage_is_malformed_or_an_envelope(data: bytes) -> None:
    try:
        envelope = decode(data)
    except MalformedEnvelope:
        return
    assert decode(encode(envelope)) == envelope


def message(**fields: object) -> pb.EnvelopeV1:
    built = pb.EnvelopeV1(
        destination=pb.Destination(instance_id=7),
        dedup=pb.Dedup(kind=pb.DEDUP_KIND_NONE),
        appended_at_ms=5,
    )
    built.command.allow_writes.SetInParent()
    for name, value in fields.items():
        if value is None:
            built.ClearField(name)  # type: ignore[arg-type]
        else:
            getattr(built, name).CopyFrom(value)
    return built


def test_what_other_writers_serialize_is_read() -> None:
    assert decode(message().SerializeToString()).dedup == NoDedup()


@pytest.mark.parametrize("missing", ["destination", "dedup", "command"])
def test_what_is_absent_is_an_error(missing: str) -> None:
    with pytest.raises(MalformedEnvelope):
        decode(message(**{missing: None}).SerializeToString())


@pytest.mark.parametrize(
    "dedup",
    [
        pb.Dedup(),
        pb.Dedup(epoch=3, sequence=4),
        pb.Dedup(kind=pb.DedupKind.ValueType(9)),
        pb.Dedup(kind=pb.DEDUP_KIND_NONE, sequence=1),
        pb.Dedup(kind=pb.DEDUP_KIND_NONE, epoch=1),
        pb.Dedup(kind=pb.DEDUP_KIND_NONE, producer_id=b"p" * 16),
        pb.Dedup(kind=pb.DEDUP_KIND_EPOCH, sequence=1),
        pb.Dedup(kind=pb.DEDUP_KIND_EPOCH, epoch=1, producer_id=b"p" * 16),
        pb.Dedup(kind=pb.DEDUP_KIND_PRODUCER, producer_id=b"short"),
        pb.Dedup(kind=pb.DEDUP_KIND_PRODUCER, producer_id=b"p" * 16, epoch=1),
    ],
    ids=str,
)
def test_an_unknown_or_impossible_dedup_is_never_read_as_none(dedup: pb.Dedup) -> None:
    with pytest.raises(MalformedEnvelope):
        decode(message(dedup=dedup).SerializeToString())


def test_two_commands_are_one_too_many() -> None:
    data = encode(RECORDED["schedule"][0])
    tail = message(destination=None, dedup=None)
    tail.ClearField("appended_at_ms")
    with pytest.raises(MalformedEnvelope):
        payload_of(data + tail.SerializeToString())


def test_unknown_fields_are_passed_over_and_kept_in_the_payload() -> None:
    unknown = b"\xfa\x3e\x03xyz"  # field 1007, three bytes
    envelope, _ = RECORDED["schedule"]
    later = EnvelopeV1(
        instance_id=envelope.instance_id,
        dedup=NoDedup(),
        payload=envelope.payload + unknown,
        appended_at_ms=9,
    )
    data = unknown + encode(later) + b"\xf8\x3e\x01" + b"\xfd\x3e1234" + b"\xf9\x3e12345678"
    assert decode(data) == later
