"""What is said of several collections at once."""

from __future__ import annotations

from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import CollectionId
from antiphon.protocol.response import Frontiers

ONE, TWO, THREE = map(CollectionId, (1, 2, 3))


def test_a_report_is_of_its_collection_and_of_all_others_that_it_names() -> None:
    assert Frontiers(collection=ONE).collections == (ONE,)
    told = Frontiers(collection=TWO, write_frontier=Frontier(5), others=(THREE, ONE))
    assert told.collections == (TWO, THREE, ONE)
