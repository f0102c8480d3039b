"""What is told in parts, put together, is always what is so."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from antiphon.protocol.facts import DataflowFacts
from antiphon.protocol.frontier import Frontier
from antiphon.protocol.ids import NO_POSITION, CollectionId
from antiphon.protocol.response import HydrationProgress
from antiphon.replica.ports import WorkerProgress
from antiphon.replica.reporting.news import News, Told


@dataclass(eq=False)
class Flow:
    """A dataflow as far as it is told of. `exports`: those that are not dropped."""

    exports: list[CollectionId]
    upper: int = 0
    began: int = 0
    hydrated: bool = False
    broken: bool = False
    looked_at: int = 0

    @property
    def is_usable(self) -> bool:
        return bool(self.exports) and not self.broken

    @property
    def since(self) -> Frontier:
        return Frontier(self.began)

    @property
    def failed(self) -> tuple[CollectionId, ...]:
        return tuple(self.exports) if self.broken else ()

    def facts(self) -> DataflowFacts:
        self.looked_at += 1
        return DataflowFacts(
            exports=tuple(self.exports),
            fingerprint=b"f",
            since=self.since,
            upper=Frontier(self.upper),
            hydrated=self.hydrated,
        )

    def progress(self, now_ms: int) -> HydrationProgress:
        return HydrationProgress(
            collection=self.exports[0], rows_done=0, rows_total=0, rows_received=0, elapsed_ms=0
        )


def tell(news: News[Flow], told: Told) -> None:
    dataflows, gone, compacted = news.take()
    told.take(
        WorkerProgress(
            applied_position=NO_POSITION, dataflows=dataflows, gone=gone, compacted=compacted
        )
    )


KINDS = st.sampled_from(
    ["move", "compact", "fill", "break", "drop", "add", "remove", "replace", "tell"]
)
STEPS = st.lists(st.tuples(KINDS, st.integers(0, 5)), max_size=40)


@given(STEPS)
def test_the_parts_add_up_to_what_is_so(steps: list[tuple[str, int]]) -> None:
    news: News[Flow] = News()
    told = Told()
    flows: list[Flow] = []
    fresh = 1
    for step, place in (*steps, ("tell", 0)):
        if step == "add":
            flows.append(Flow([CollectionId(fresh + 1), CollectionId(fresh)]))
            fresh += 2
            news.changed(flows[-1])
        elif step == "tell":
            tell(news, told)
            so = {tuple(sorted(flow.exports)): flow.facts() for flow in flows if flow.is_usable}
            assert {key: told.find(key) for key in told.dataflows} == so
            broken = sorted(each for flow in flows for each in flow.failed)
            assert list(news.failed) == broken
            filling = [flow.exports[0] for flow in flows if not flow.hydrated]
            assert sorted(each.collection for each in news.hydration(0)) == sorted(filling)
        elif place < len(flows):
            change(news, flows, step, place)


def change(news: News[Flow], flows: list[Flow], step: str, place: int) -> None:
    flow = flows[place]
    if step in ("remove", "replace"):
        del flows[place]
        news.forget(flow)
        if step == "replace":  # by another of the same exports
            flows.append(Flow(list(flow.exports), upper=9))
            news.changed(flows[-1])
        return
    if step == "compact":
        flow.began += 1
        news.compacted(flow)
        return
    if step == "move":
        flow.upper += 1
    elif step == "fill":
        flow.hydrated = True
    elif step == "break":
        flow.broken = True
    elif step == "drop" and len(flow.exports) > 1:
        flow.exports.pop()
    news.changed(flow)


def test_only_what_changed_is_looked_at() -> None:
    news: News[Flow] = News()
    flows = [Flow([CollectionId(number)]) for number in range(1, 101)]
    for flow in flows:
        news.changed(flow)
    assert len(news.take().dataflows) == 100
    news.changed(flows[4])
    assert news.take() == ((), (), ()), "it was said to have changed, and has not"
    flows[7].upper = 3
    news.changed(flows[7])
    (facts,), gone, _ = news.take()
    assert (facts.exports, gone) == ((CollectionId(8),), ())
    assert sum(flow.looked_at for flow in flows) == 102
    for flow in flows:
        flow.began = 9
        news.compacted(flow)
    assert news.take() == ((), (), ((Frontier(9), tuple((e,) for f in flows for e in f.exports)),))
    assert sum(flow.looked_at for flow in flows) == 102, "what is the same is said once"
