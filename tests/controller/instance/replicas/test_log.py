"""The log at hand: what was missed, and the digest at any of its positions."""

from __future__ import annotations

import pytest

from antiphon.controller.instance.replicas.log import CommandLog
from antiphon.history.digest import EMPTY_DIGEST
from antiphon.protocol.command import AllowCompaction, CreateDataflow
from antiphon.protocol.frontier import CLOSED
from antiphon.protocol.ids import CollectionId, Position
from tests.controller.instance.machine import index

CREATE = CreateDataflow(dataflow=index(10))
DROP = AllowCompaction(collection=CollectionId(10), frontier=CLOSED)


def test_a_suffix_is_what_follows_a_position_unedited() -> None:
    log = CommandLog()
    log.append(CREATE)
    log.append(DROP)
    assert [(sent.position, sent.command) for sent in log.suffix(Position(0))] == [
        (1, CREATE),
        (2, DROP),
    ]
    assert [sent.command for sent in log.suffix(Position(1))] == [DROP]
    assert log.suffix(Position(2)) == []


def test_each_position_has_a_digest_of_its_own() -> None:
    log = CommandLog()
    digests = [EMPTY_DIGEST, log.append(CREATE), log.append(DROP)]
    assert [log.digest_at(Position(at)) for at in range(3)] == digests
    assert len(set(digests)) == 3
    assert log.digest_at(Position(3)) is None


def test_a_suffix_of_what_is_not_here_is_a_bug() -> None:
    with pytest.raises(AssertionError, match="is not in"):
        CommandLog().suffix(Position(1))
