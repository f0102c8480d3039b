"""Streams: in order while they last, and noticed by both sides when they end."""

from antiphon.proof.simulation.network import Network
from antiphon.proof.simulation.world import EPOCH_MS, Process, World


def _two(world: World) -> tuple[Network, Process, Process]:
    near, far = Process("near"), Process("far")
    near.start()
    far.start()
    return Network(world), near, far


def test_messages_arrive_in_order_whatever_their_delays() -> None:
    world = World(3)
    network, near, far = _two(world)
    stream, seen = network.open(near, far), list[int]()
    stream.attach(1, seen.append, lambda reason: None)
    for number in range(200):
        stream.send(0, number)
    world.run_until(EPOCH_MS + 10_000)
    assert seen == list(range(200))


def test_a_cut_loses_what_is_under_way_and_both_sides_learn_of_it() -> None:
    world = World(3)
    network, near, far = _two(world)
    stream, lost = network.open(near, far), list[str]()
    stream.attach(0, lambda message: None, lambda reason: lost.append("near"))
    stream.attach(1, lambda message: lost.append("message"), lambda reason: lost.append("far"))
    stream.send(0, "x")
    network.cut(far, "cut")
    world.run_until(EPOCH_MS + 10_000)
    assert sorted(lost) == ["far", "near"]


def test_a_close_lets_what_was_sent_before_it_arrive() -> None:
    world = World(4)
    network, near, far = _two(world)
    stream, seen = network.open(near, far), list[str]()
    stream.attach(1, seen.append, seen.append)
    stream.send(0, "message")
    stream.close(0, "closed")
    world.run_until(EPOCH_MS + 10_000)
    assert seen == ["message", "closed"]


def test_a_call_is_answered_or_its_loss_is() -> None:
    world = World(5)
    network, near, far = _two(world)
    answers = list[object]()
    network.call(near, far, lambda: 42, answers.append)
    world.run_until(EPOCH_MS + 10_000)
    far.kill()
    network.call(near, far, lambda: 43, answers.append)
    world.run_until(EPOCH_MS + 20_000)
    assert answers[0] == 42
    assert isinstance(answers[1], ConnectionError)
