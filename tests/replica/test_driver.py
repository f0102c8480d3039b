"""The driver: what the front decides is done, in the order that keeps the promises."""

from __future__ import annotations

from antiphon.protocol.codec import MalformedMessage
from antiphon.protocol.errors import AntiphonError
from antiphon.protocol.frontier import START
from antiphon.protocol.ids import CollectionId, ConnectionId, Epoch
from antiphon.protocol.response import Frontiers, Response
from antiphon.replica.driver import ReplicaDriver
from antiphon.replica.ports import (
    AppendShard,
    CancelSnapshot,
    EncodedDelta,
    Event,
    Fence,
    OpenTail,
    ReadSnapshot,
    Request,
    ShardAppended,
    WorkerReady,
)
from tests.replica.scripted import (
    CLAIM,
    INCARNATION,
    REPLICA,
    at,
    complete,
    connection,
    create_instance,
    hello,
    index,
    sent,
)


class World:
    """All ports at once; it writes down what is asked of it, in order."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.requests: list[Request] = []
        self.fence: Fence | None = None
        self.driver = ReplicaDriver(
            replica=REPLICA,
            incarnation=INCARNATION,
            fences=self,
            streams=self,
            worker=self,
            collections=self,
        )

    def load(self) -> Fence | None:
        return self.fence

    def store(self, fence: Fence) -> None:
        self.fence = fence
        self.done.append(f"remember {fence.epoch}")

    def post(self, event: Event) -> None:
        self.done.append(f"post {type(event).__name__}")

    def send(
        self, stream: int, connection_id: ConnectionId, responses: tuple[Response, ...]
    ) -> None:
        self.done.append(f"send {stream} {len(responses)}")

    def end(self, stream: int, error: AntiphonError) -> None:
        self.done.append(f"end {stream}")

    def open_tail(self, request: OpenTail) -> None:
        self._request(request)

    def read_snapshot(self, request: ReadSnapshot) -> None:
        self._request(request)

    def cancel_snapshot(self, request: CancelSnapshot) -> None:
        self._request(request)

    def append_shard(self, request: AppendShard) -> None:
        self._request(request)

    def _request(self, request: Request) -> None:
        self.requests.append(request)
        self.done.append(f"request {type(request).__name__}")


def connected(world: World, stream: int = 1, **options: int) -> None:
    world.driver.stream_opened(stream, 0)
    commands = (hello(**options), create_instance(), sent(index(7), 1), complete(1))
    world.driver.commands_received(stream, commands, 0)


def test_a_takeover_is_remembered_then_the_old_stream_ends_then_the_worker_hears() -> None:
    world = World()
    connected(world)
    world.done.clear()
    world.driver.stream_opened(2, 0)
    newcomer = hello(epoch=2, connection_id=2, session=2, position=1)
    world.driver.commands_received(2, (newcomer, create_instance()), 0)
    assert world.done == [
        "remember 2",
        "end 1",
        "post Disconnected",
        "post Connected",
        "post CommandsReceived",
    ]


def test_requests_leave_before_responses() -> None:
    world = World()
    connected(world)
    world.done.clear()
    append = AppendShard(
        append=4,
        collection=CollectionId(7),
        expected_upper=START,
        new_upper=at(11),
        delta=EncodedDelta(),
        epoch=Epoch(1),
        claim_id=CLAIM,
    )
    requests: tuple[Request, ...] = (
        OpenTail(tail=1, collections={}),
        ReadSnapshot(snapshot=2, collection=CollectionId(1), as_of=3),
        CancelSnapshot(snapshot=2),
        append,
    )
    report = Frontiers(collection=CollectionId(7), output_frontier=at(11))
    ready = WorkerReady(requests=requests, responses=(report,), connection_id=connection(1))
    world.driver.worker_ready(ready, 0)
    assert world.requests == list(requests)
    assert world.done[-1] == "send 1 1"


def test_answers_of_the_store_go_to_the_worker() -> None:
    world = World()
    appended = ShardAppended(append=4, collection=CollectionId(7), applied=True, upper=at(3))
    world.driver.store_answered(appended, 0)
    assert world.done == ["post ShardAppended"]


def test_a_stream_that_cannot_be_read_is_ended_and_forgotten() -> None:
    world = World()
    connected(world)
    world.done.clear()
    world.driver.stream_broken(1, MalformedMessage("junk", "x"), 0)
    assert world.done == ["end 1", "post Disconnected"]
    world.driver.stream_broken(1, MalformedMessage("junk", "x"), 0)
    world.driver.stream_closed(1, 0)
    assert len(world.done) == 2


def test_the_next_tick_is_announced() -> None:
    world = World()
    assert world.driver.tick(0) is None
    connected(world)
    wake = world.driver.tick(0)
    assert wake is not None
    world.driver.tick(wake)
    assert world.done[-1] == "send 1 1", "the heartbeat"


def test_a_fence_of_an_earlier_life_is_kept() -> None:
    world = World()
    connected(world, epoch=5)
    again = World()
    again.fence = world.fence
    driver = ReplicaDriver(
        replica=REPLICA,
        incarnation=INCARNATION,
        fences=again,
        streams=again,
        worker=again,
        collections=again,
    )
    assert driver.facts().highest_epoch == 5
