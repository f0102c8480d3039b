"""The scripted history numbers as a controller's does, and chains as it does."""

from __future__ import annotations

from antiphon.history.digest import EMPTY_DIGEST, chain
from antiphon.proof.conformance.dataflows import compact, drop, index, schedule, table
from antiphon.proof.conformance.positions import ScriptedHistory
from antiphon.protocol.codec import command_to_bytes
from antiphon.protocol.command import InitializationComplete
from antiphon.protocol.ids import NO_POSITION, CollectionId, HistoryId

X, TABLE = CollectionId(7), CollectionId(1)


def test_only_numbered_commands_get_positions() -> None:
    history = ScriptedHistory(HistoryId(bytes(16)))
    commands = (index(X, table(TABLE)), schedule(X), compact(X, 15), drop(X))
    assert [history.place(command).position for command in commands] == [1, 0, 0, 2]
    assert history.head == 2


def test_the_digest_is_that_of_the_chain() -> None:
    history = ScriptedHistory(HistoryId(bytes(16)))
    assert history.digest == EMPTY_DIGEST
    create, end = index(X, table(TABLE)), drop(X)
    history.place(create)
    history.place(end)
    pairs = [
        ("create_dataflow", command_to_bytes(create)),
        ("allow_compaction", command_to_bytes(end)),
    ]
    assert history.digest == chain(pairs, after=NO_POSITION)


def test_a_full_set_ends_with_head_and_digest() -> None:
    history = ScriptedHistory(HistoryId(bytes(16)))
    history.place(index(X, table(TABLE)))
    complete = history.complete()
    assert complete.position == NO_POSITION
    assert complete.command == InitializationComplete(
        head_position=history.head, head_digest=history.digest
    )
