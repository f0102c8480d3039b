"""Which dataflows are transient."""

from __future__ import annotations

from tests.protocol.scripts import T1, U1, create, subscribe


def test_a_dataflow_is_transient_if_all_its_exports_are() -> None:
    assert subscribe(T1).dataflow.is_transient
    assert not create(U1).dataflow.is_transient
    assert not create(U1, T1).dataflow.is_transient
