"""Old and new protocol versions in one instance: each replica speaks the highest that it can, until
the history says that the old one is over. Version 2 is synthetic: there is none yet."""

from __future__ import annotations

import pytest

from antiphon.controller.ports import DoneReply, ErrorReply
from antiphon.controller.request import ReplicaNamed, ReplicaReached
from antiphon.protocol.command import CreateDataflow, Hello
from antiphon.protocol.errors import InvalidArgument
from antiphon.protocol.ids import Incarnation, ReplicaId
from antiphon.protocol.stage import Stage
from antiphon.protocol.version import VersionRange
from antiphon.replica.front import Front
from tests.controller.world import World

BOTH, FIRST, SECOND = (VersionRange(min=a, max=b) for a, b in ((1, 2), (1, 1), (2, 2)))


class Site:
    """A controller, and the real fronts of its replicas."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.fronts: dict[ReplicaId, Front] = {}

    def add(self, name: str, versions: VersionRange) -> Front:
        replica = ReplicaId(name)
        self.world.handle(
            ReplicaNamed(request=self.world.request(), replica=replica, address="unix:x")
        )
        self.world.run()
        return self.start(name, versions)

    def start(self, name: str, versions: VersionRange) -> Front:
        """A process of that version, in place of whatever ran before."""
        replica = ReplicaId(name)
        incarnation = Incarnation(len(self.fronts).to_bytes(16, "big"))
        self.fronts[replica] = Front(
            replica=replica, incarnation=incarnation, fence=None, versions=versions
        )
        return self.fronts[replica]

    def connect(self, name: str) -> int | None:
        """The version that both agreed on; None: the controller refused."""
        replica = ReplicaId(name)
        front = self.fronts[replica]
        self.world.ports.opened.pop(name, None)
        self.world.handle(ReplicaReached(replica=replica, facts=front.facts()))
        commands = self.world.ports.opened.get(name)
        if commands is None:
            return None
        front.opened(1, 0)
        ready = front.received(1, commands, 0)
        assert ready.ends == [], "the replica takes what the controller chose"
        assert front.facts().stage >= Stage.READ_ONLY
        hello = commands[0].command
        assert isinstance(hello, Hello)
        return hello.protocol_version

    def reason(self, name: str) -> str:
        return next(r.reason for r in self.world.driver.status().replicas if r.name == name)


def site(versions: VersionRange = BOTH) -> Site:
    world = World(versions=versions)
    world.sql("CREATE TABLE t (k bigint PRIMARY KEY, v bigint)")
    world.sql("CREATE INDEX i ON t (v)")
    return Site(world)


def test_old_and_new_replicas_run_the_same_dataflows_side_by_side() -> None:
    found = site()
    for name, versions in (("old", FIRST), ("new", BOTH), ("newest", SECOND)):
        found.add(name, versions)
    assert [found.connect(name) for name in ("old", "new", "newest")] == [1, 2, 2]
    found.world.sql("CREATE INDEX j ON t (k)")
    for name in ("old", "new", "newest"):
        told = [c for c in found.world.ports.sent[name] if isinstance(c, CreateDataflow)]
        assert [c.dataflow.name for c in told] == ["i", "j"]


def test_an_old_controller_speaks_the_old_version_to_all_who_can() -> None:
    found = site(FIRST)
    for name, versions in (("old", FIRST), ("new", BOTH), ("newest", SECOND)):
        found.add(name, versions)
    assert [found.connect(name) for name in ("old", "new", "newest")] == [1, 1, None]
    assert "no common protocol version: we speak 1, the peer 2" in found.reason("newest")


def test_a_pinned_floor_ends_the_old_and_leaves_the_new() -> None:
    found = site()
    found.add("old", FIRST)
    found.add("new", BOTH)
    assert [found.connect("old"), found.connect("new")] == [1, 2]
    found.world.ports.log.clear()
    assert isinstance(found.world.sql("ALTER SYSTEM SET version_floor = 2"), DoneReply)
    assert "close old" in found.world.ports.log
    assert "close new" not in found.world.ports.log
    assert "it spoke version 1, the floor is 2" in found.reason("old")
    assert found.connect("old") is None
    assert "at least 2" in found.reason("old")
    found.start("old", BOTH)
    assert found.connect("old") == 2, "upgraded, it is welcome"


def test_a_replica_that_spoke_the_old_version_and_knows_the_new_comes_back_with_it() -> None:
    found = site(FIRST)
    found.add("new", BOTH)
    assert found.connect("new") == 1
    later = Site(World(found.world.store, versions=BOTH))
    later.start("new", BOTH)
    assert later.connect("new") == 2


def test_the_floor_is_in_the_history_and_never_goes_down() -> None:
    world = site().world
    world.sql("ALTER SYSTEM SET version_floor = 2")
    after = world.restart()
    assert after.driver.kernel.instance.state.config.version_floor == 2
    for statement in ("SET version_floor = 1", "RESET version_floor"):
        reply = after.sql(f"ALTER SYSTEM {statement}")
        assert isinstance(reply, ErrorReply), statement
        assert isinstance(reply.error, InvalidArgument)
    assert isinstance(after.sql("ALTER SYSTEM RESET ALL"), DoneReply)
    assert after.driver.kernel.instance.state.config.version_floor == 2


@pytest.mark.parametrize("versions", [FIRST, BOTH])
def test_a_floor_that_the_controller_itself_cannot_reach_is_refused(versions: VersionRange) -> None:
    world = site(versions).world
    reply = world.sql(f"ALTER SYSTEM SET version_floor = {versions.max + 1}")
    assert isinstance(reply, ErrorReply)
    assert "which this controller speaks" in reply.error.message
