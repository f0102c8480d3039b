"""What a promotion waits for, status by status, and what the command says of it."""

from __future__ import annotations

import pytest

from antiphon.cli.warmth import Awaited, Warmth, described
from antiphon.protocol.codec.frontier import frontier_to_proto
from antiphon.protocol.frontier import Frontier
from antiphon.v1 import control_pb2 as wire
from tests.client.fake_control import FakeControl
from tests.client.test_cli import control, home, run

__all__ = ["control", "home"]  # fixtures


def standby(
    *replicas: wire.ReplicaInfo, role: str = "standby", head: int = 0, upper: int = 0
) -> wire.GetStatusResponse:
    timeline = frontier_to_proto(Frontier(upper))
    return wire.GetStatusResponse(
        role=role, replicas=replicas, history_head=head, timeline_upper=timeline
    )


def replica(filled: str, unfilled: str = "", *, name: str = "s1") -> wire.ReplicaInfo:
    """One letter is one collection."""
    return wire.ReplicaInfo(
        name=name,
        link="connected",
        accepted=True,
        collections=[
            wire.ReplicaCollectionInfo(collection=ord(c), name=c, hydrated=c in filled)
            for c in filled + unfilled
        ],
    )


def waits_for(*collections: str) -> tuple[Awaited, ...]:
    return (Awaited(replica="s1", collections=collections),)


def test_a_warm_standby_is_not_waited_for() -> None:
    assert Warmth().awaited(standby(replica("ab"))) == ()
    assert Warmth().awaited(standby()) == ()


def test_a_controller_that_is_live_is_not_waited_for() -> None:
    assert Warmth().awaited(standby(replica("", "ab"), role="live")) == ()


def test_what_was_there_when_it_was_asked_for_is_waited_for() -> None:
    warmth = Warmth()
    assert warmth.awaited(standby(replica("a", "bc"))) == waits_for("b", "c")
    assert warmth.awaited(standby(replica("ac", "bd"))) == waits_for("b")


def test_what_came_meanwhile_is_waited_for_once() -> None:
    warmth = Warmth()
    assert warmth.awaited(standby(replica("", "a"))) == waits_for("a")
    assert warmth.awaited(standby(replica("", "abc"))) == waits_for("a")
    assert warmth.awaited(standby(replica("a", "bc"))) == waits_for("b", "c")
    assert warmth.awaited(standby(replica("ab", "cd"))) == waits_for("c")
    assert warmth.awaited(standby(replica("abc", "de"))) == ()


def test_a_newest_view_that_is_never_filled_does_not_hold_it_up() -> None:
    warmth = Warmth()
    looks = [warmth.awaited(standby(replica("a", newest))) for newest in "bcdef"]
    assert looks == [waits_for("b"), waits_for("c"), (), (), ()]


def test_what_cannot_run_is_not_waited_for() -> None:
    fails = replica("a", "bc")
    fails.collections[1].failed = True
    assert Warmth().awaited(standby(fails)) == waits_for("c")


def test_what_was_dropped_meanwhile_is_not_waited_for() -> None:
    warmth = Warmth()
    assert warmth.awaited(standby(replica("a", "b"))) == waits_for("b")
    assert warmth.awaited(standby(replica("a"))) == ()


def test_a_replica_is_waited_for_until_it_is_connected_and_then_for_what_it_has_then() -> None:
    warmth = Warmth()
    away = wire.ReplicaInfo(name="s1", link="connecting")
    assert warmth.awaited(standby(away)) == (Awaited(replica="s1", state="connecting"),)
    assert warmth.awaited(standby(replica("a", "b"))) == waits_for("b")
    assert warmth.awaited(standby(away)) == (Awaited(replica="s1", state="connecting"),)
    assert warmth.awaited(standby(replica("b", "ac"))) == waits_for("a")


def test_a_standby_that_begins_anew_is_no_warmer_for_having_no_replicas() -> None:
    warmth = Warmth()
    warmth.awaited(standby(replica("", "a")))
    assert warmth.awaited(standby()) == (Awaited(replica="s1", state="absent"),)


def test_a_replica_whose_content_does_not_count_yet_is_waited_for() -> None:
    filled = replica("a")
    filled.accepted = False
    warmth = Warmth()
    (found,) = warmth.awaited(standby(filled))
    assert found == Awaited(replica="s1", state="not accepted yet")
    assert warmth.awaited(standby(replica("a"))) == ()


def test_what_is_filled_is_waited_for_until_it_has_come_to_where_the_timeline_was() -> None:
    warmth = Warmth()
    behind, further, close = replica("a"), replica("a"), replica("a")
    behind.collections[0].lag_ms, further.collections[0].lag_ms = 5_000, 4_000
    close.collections[0].lag_ms = 20
    assert warmth.awaited(standby(behind, upper=10_000)) == waits_for("a")
    assert warmth.awaited(standby(further, upper=11_000)) == waits_for("a")
    assert warmth.awaited(standby(close, upper=13_000)) == waits_for("a"), "once more"
    assert warmth.awaited(standby(close, upper=13_100)) == ()


def test_a_replica_that_has_yet_to_apply_what_is_in_the_history_is_waited_for() -> None:
    warmth = Warmth()
    found = replica("a")
    found.applied_position = 4
    expected = (Awaited(replica="s1", state="at position 4 of 5"),)
    assert warmth.awaited(standby(found, head=5)) == expected
    found.applied_position = 6
    assert warmth.awaited(standby(found, head=6)) == ()


def test_what_a_replica_says_it_still_fills_is_waited_for() -> None:
    warmth, filling = Warmth(), replica("a")
    filling.collections[0].progress.rows_done = 1
    assert warmth.awaited(standby(filling)) == waits_for("a")
    assert warmth.awaited(standby(replica("a"))) == ()


def test_every_replica_counts() -> None:
    warmth = Warmth()
    other = replica("", "a", name="s2")
    (found,) = warmth.awaited(standby(replica("a"), other))
    assert found == Awaited(replica="s2", collections=("a",))


def test_what_is_awaited_is_said_in_one_line() -> None:
    away = Awaited(replica="s2", state="connecting")
    assert described(waits_for("a")) == "a on s1"
    text = "a, b, c and 2 more on s1; replica s2, which is connecting"
    assert described((*waits_for(*"abcde"), away)) == text


def test_a_promotion_says_what_it_waits_for(
    control: FakeControl, capsys: pytest.CaptureFixture[str]
) -> None:
    # The first is asked for by whoever connects.
    control.statuses.extend(standby(replica("", name)) for name in "aabc")
    assert run(["promote"]) == 0
    found = capsys.readouterr()
    assert found.out == "the controller of epoch 2\n"
    assert found.err.splitlines()[0] == "waiting for a on s1"
    assert len(control.requests["Promote"]) == 1
    assert not control.statuses, "what came meanwhile was looked at"


def test_a_promotion_that_is_not_warm_in_time_names_what_it_waits_for(
    control: FakeControl, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("antiphon.cli.replicas.WARM_WAIT_S", 0.0)
    control.statuses.extend(standby(replica("", "a")) for _ in range(3))
    assert run(["promote", "--json"]) == 1
    found = capsys.readouterr()
    assert found.out == ""
    assert "it still waits for a on s1; ask again to go on waiting" in found.err
    assert not control.requests["Promote"]
    assert run(["promote", "--force"]) == 0
