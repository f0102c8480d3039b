"""Two controllers of one store, the older one still talking: fenced, and nobody reads what was."""

from __future__ import annotations

import pytest

from antiphon.history.store import Committed, Fence, Refused, Submission
from antiphon.proof.simulation.checkers import Violation, check_fence, check_obeyed
from antiphon.proof.simulation.run import simulate
from antiphon.protocol.errors import EpochFenced
from antiphon.protocol.ids import ClaimId, Epoch, Position

SEEDS_UNTIL_CAUGHT = 25


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5, 6, 8])
def test_a_controller_that_is_replaced_while_it_lives_harms_nobody(seed: int) -> None:
    report = simulate(seed, handover=True)
    assert report.failure is None, f"seed {seed}: {report.failure}"
    assert report.handovers >= 1
    assert report.writes >= 5


@pytest.mark.slow
def test_a_successor_that_waits_for_nobody_is_caught() -> None:
    """The checkers can fail: without wait and doubt, somebody reads what was overwritten."""
    for seed in range(1, SEEDS_UNTIL_CAUGHT + 1):
        failure = simulate(seed, handover=True, careful=False).failure
        if failure is not None and " was read at " in failure:
            return
    raise AssertionError(f"not caught in {SEEDS_UNTIL_CAUGHT} seeds")


def test_what_an_older_claim_wrote_must_not_become_durable() -> None:
    older = Submission(token=1, fence=Fence(epoch=Epoch(1), claim_id=ClaimId(bytes(16))), now_ms=1)
    taken = Committed(token=1, head=Position(0), digest=b"")
    check_fence(older, taken, Epoch(1))
    check_fence(older, Refused(token=1, error=EpochFenced("over")), Epoch(2))
    with pytest.raises(Violation, match="the store took what epoch 1 wrote"):
        check_fence(older, taken, Epoch(2))


def test_a_replica_must_not_go_back_to_an_older_epoch() -> None:
    check_obeyed("r1", Epoch(2), Epoch(2))
    with pytest.raises(Violation, match="r1 obeys epoch 1"):
        check_obeyed("r1", Epoch(2), Epoch(1))
