"""Who is installed, and who takes whose place."""

from __future__ import annotations

from antiphon.replica.installing.installed import InstalledDataflow
from antiphon.replica.installing.roster import Installed
from tests.replica.bench import J, X
from tests.replica.scripted import index


def dataflow(collection: int) -> InstalledDataflow:
    return InstalledDataflow(index(collection).dataflow, None, None)


def test_a_rebuilt_dataflow_takes_the_place_of_the_old_one_among_the_others() -> None:
    installed = Installed()
    first, second, new = dataflow(X), dataflow(J), dataflow(X)
    installed.add(first)
    installed.add(second)
    new.is_in_force = False
    assert installed.readable(X) is first.exports[0]
    installed.put_in_force(first, new)
    assert installed.dataflows == [new, second]
    assert installed.readable(X) is new.exports[0]
    assert new.is_in_force
    assert installed.remove_export(new.exports[0])
    assert installed.dataflows == [second]
    assert installed.find(X) is None
