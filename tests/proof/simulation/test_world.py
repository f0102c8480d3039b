"""Virtual time, and processes whose plans die with them."""

from antiphon.proof.simulation.world import EPOCH_MS, Process, World


def test_actions_happen_in_order_of_time_then_of_planning() -> None:
    world, seen = World(1), list[str]()
    world.after(5, lambda: seen.append("late"))
    world.after(1, lambda: seen.append("first"))
    world.after(1, lambda: seen.append("second"))
    world.run_until(EPOCH_MS + 10)
    assert seen == ["first", "second", "late"]
    assert world.now_ms == EPOCH_MS + 10


def test_what_a_killed_process_planned_never_happens_not_even_in_its_next_life() -> None:
    world, process, seen = World(1), Process("p"), list[str]()
    process.start()
    world.after(5, lambda: seen.append("old life"), process)
    process.kill()
    process.start()
    world.after(6, lambda: seen.append("new life"), process)
    world.run_until(EPOCH_MS + 10)
    assert seen == ["new life"]
    assert process.lives == 2


def test_run_while_tells_whether_the_condition_ended_it() -> None:
    world, seen = World(1), list[int]()
    world.after(5, lambda: seen.append(1))
    assert world.run_while(lambda: not seen, EPOCH_MS + 10)
    assert not world.run_while(lambda: len(seen) < 2, EPOCH_MS + 10)


def test_the_digest_tells_two_traces_apart() -> None:
    one, same, other = World(1), World(1), World(1)
    one.note("a")
    same.note("a")
    other.note("b")
    assert one.digest == same.digest
    assert one.digest != other.digest
