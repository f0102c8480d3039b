"""Which replicas belong: what settings name, beside what was added."""

from __future__ import annotations

import pytest

from antiphon.controller.membership import (
    FIRST_ROW,
    CatalogReplica,
    check_removable,
    is_replica,
    next_row,
    settle,
)
from antiphon.protocol.errors import InvalidArgument, ReplicaExists
from antiphon.protocol.ids import CollectionId, ReplicaId

R1, R2, R3 = ReplicaId("r1"), ReplicaId("r2"), ReplicaId("r3")


def replica(name: ReplicaId, at: int, address: str = "", *, from_settings: bool) -> CatalogReplica:
    return CatalogReplica(
        row=CollectionId(FIRST_ROW + at),
        name=name,
        address=address,
        from_settings=from_settings,
        created_at_ms=1,
    )


ADDED = {R1: replica(R1, 0, "h:1", from_settings=False)}


def test_rows_of_replicas_are_no_ids_of_collections() -> None:
    assert is_replica(next_row(()))
    assert not is_replica(CollectionId(7))
    assert next_row(ADDED.values()) == FIRST_ROW + 1


def test_what_settings_name_joins_what_was_added() -> None:
    settled = settle(ADDED, {R2: "", R3: "h:3"}, now_ms=9)
    assert settled == {
        **ADDED,
        R2: CatalogReplica(
            row=CollectionId(FIRST_ROW + 1), name=R2, address="", from_settings=True,
            created_at_ms=9,
        ),
        R3: CatalogReplica(
            row=CollectionId(FIRST_ROW + 2), name=R3, address="h:3", from_settings=True,
            created_at_ms=9,
        ),
    }  # fmt: skip
    assert settle(settled, {R2: "", R3: "h:3"}, now_ms=10) == settled, "nothing changed"


def test_what_settings_named_goes_once_they_do_not() -> None:
    before = {**ADDED, R2: replica(R2, 1, from_settings=True)}
    assert settle(before, {}, now_ms=9) == ADDED


def test_settings_may_move_what_they_name() -> None:
    before = {R2: replica(R2, 1, "h:1", from_settings=True)}
    assert settle(before, {R2: "h:2"}, now_ms=9)[R2].address == "h:2"


def test_settings_cannot_move_what_was_added() -> None:
    assert settle(ADDED, {R1: "h:1"}, now_ms=9) == ADDED, "it stays as it was added"
    with pytest.raises(ReplicaExists, match="added at h:1, and the settings name it at a place"):
        settle(ADDED, {R1: ""}, now_ms=9)


def test_what_settings_name_no_request_removes() -> None:
    check_removable(ADDED[R1])
    with pytest.raises(InvalidArgument, match="start the controller without it"):
        check_removable(replica(R2, 1, from_settings=True))
