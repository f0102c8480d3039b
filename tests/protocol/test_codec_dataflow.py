"""Dataflow descriptions and finishings survive the wire."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from antiphon.protocol.codec.dataflow import (
    dataflow_from_proto,
    dataflow_to_proto,
    export_from_proto,
    finishing_from_proto,
    finishing_to_proto,
    import_from_proto,
    import_to_proto,
)
from antiphon.protocol.codec.field import MalformedMessage
from antiphon.protocol.dataflow import DataflowDescription, ExportKind, Finishing, Import
from antiphon.v1 import dataflow_pb2 as pb
from tests.protocol import strategies


@settings(max_examples=50)
@given(strategies.dataflows)
def test_every_description_survives(dataflow: DataflowDescription) -> None:
    data = dataflow_to_proto(dataflow).SerializeToString()
    assert dataflow_from_proto(pb.DataflowDescription.FromString(data)) == dataflow


@given(strategies.imports)
def test_every_import_survives(item: Import) -> None:
    assert import_from_proto(import_to_proto(item)) == item


@given(strategies.finishings)
def test_every_finishing_survives(finishing: Finishing) -> None:
    data = finishing_to_proto(finishing).SerializeToString()
    assert finishing_from_proto(pb.Finishing.FromString(data)) == finishing


def test_all_columns_and_no_columns_are_told_apart() -> None:
    everything, nothing = Finishing(project=None), Finishing(project=())
    assert finishing_from_proto(finishing_to_proto(everything)) == everything
    assert finishing_from_proto(finishing_to_proto(nothing)) == nothing


def test_every_kind_of_export_is_an_arm() -> None:
    arms = pb.Export.DESCRIPTOR.oneofs_by_name["kind"].fields
    names = {kind.__name__ for kind in ExportKind.__args__}
    assert {arm.message_type.name for arm in arms} == names


@pytest.mark.parametrize(
    ("message", "path"),
    [
        (pb.Export(), "collection"),
        (pb.Export(collection=1), "kind"),
    ],
)
def test_a_malformed_export_is_refused(message: pb.Export, path: str) -> None:
    with pytest.raises(MalformedMessage) as caught:
        export_from_proto(message)
    assert caught.value.path == path


def test_a_key_of_a_column_that_is_not_there_is_refused() -> None:
    message = pb.Import(collection=1, kind=pb.COLLECTION_KIND_FEED, key_columns=[0])
    message.schema.SetInParent()
    with pytest.raises(MalformedMessage, match="key_columns: no such column"):
        import_from_proto(message)
