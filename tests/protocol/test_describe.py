"""One line for everything, in words that logs and scenarios share."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.protocol.command import (
    AllowWrites,
    CancelPeek,
    Command,
    InitializationComplete,
    Peek,
    PlanTarget,
    Schedule,
    UpdateConfiguration,
)
from antiphon.protocol.dataflow import CollectionKind, Finishing, Import, SubscribeExport
from antiphon.protocol.describe import Describable, describe, kebab
from antiphon.protocol.facts import ReplicaFacts
from antiphon.protocol.frontier import CLOSED, Frontier
from antiphon.protocol.ids import CollectionId, Position
from antiphon.protocol.response import (
    CopyToDropped,
    CopyToResponse,
    Dropped,
    Failure,
    Frontiers,
    HydrationProgress,
    PeekCanceled,
    PeekResponse,
    PeekRows,
    PeekStashed,
    Response,
    Status,
    SubscribeBatch,
    SubscribeDropped,
    SubscribeResponse,
)
from antiphon.protocol.stage import Stage
from tests.protocol import strategies
from tests.protocol.scripts import (
    PEEK_1,
    SCHEMA,
    SEASONED,
    T1,
    U1,
    U2,
    create,
    drop,
    hello,
    live,
    numbered,
    peek,
)

FAILURE = Failure(code="link_timeout", message="too\nlate", definite=False, details={"ms": "5"})


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (numbered(3, drop(U1)), "#3 allow-compaction u1 frontier=[]"),
        (live(Schedule(collection=U1)), "schedule u1"),
        (AllowWrites(), "allow-writes"),
        (
            numbered(1, create(U1, as_of=5)),
            "#1 create-dataflow u1:index(0) as_of=[5] name='d' plan=4B",
        ),
        (
            create(T1, kind=SubscribeExport(with_snapshot=False)),
            "create-dataflow t1:subscribe-changes as_of=[5] name='d' plan=4B",
        ),
        (
            hello(SEASONED),
            "hello r1 epoch=1 claim=63636363 connection=6e6e6e6e version=1 decision=rebuild "
            "set=full session=4 incarnation=69696969 position=5",
        ),
        (
            InitializationComplete(head_position=Position(7), head_digest=b"\x01\x02\x03\x04\x05"),
            "initialization-complete head=7 digest=01020304",
        ),
        (UpdateConfiguration(values={"b": "2", "a": "1"}), "update-configuration a=1 b=2"),
        (peek(), "peek 31313131 time=5 u1"),
        (
            Peek(
                peek_id=PEEK_1,
                time=5,
                target=PlanTarget(
                    plan=b"plan",
                    imports=(Import(collection=U2, kind=CollectionKind.TABLE, schema=SCHEMA),),
                ),
                schema=SCHEMA,
                finishing=Finishing(
                    order_by=((1, True, False), (0, False, True)), offset=2, limit=3, project=()
                ),
                rows_max=1,
                bytes_max=1,
            ),
            "peek 31313131 time=5 plan=4B of=u2 order=1-desc,0 offset=2 limit=3 columns=",
        ),
        (CancelPeek(peek_id=PEEK_1), "cancel-peek 31313131"),
        (Frontiers(collection=U1), "frontiers u1"),
        (Schedule(collection=U1, others=(U2,)), "schedule u1,u2"),
        (
            Schedule(collection=U1, others=tuple(map(CollectionId, range(2, 1_003)))),
            "schedule u1 and 1,001 more",
        ),
        (
            Frontiers(collection=U1, write_frontier=Frontier(7), output_frontier=CLOSED),
            "frontiers u1 write=[7] output=[]",
        ),
        (
            PeekResponse(peek_id=PEEK_1, result=PeekRows(batches=(b"x",), row_count=4)),
            "peek-response 31313131 rows=4",
        ),
        (
            PeekResponse(peek_id=PEEK_1, result=PeekStashed(row_count=4, byte_count=9)),
            "peek-response 31313131 stashed rows=4 bytes=9",
        ),
        (
            PeekResponse(peek_id=PEEK_1, result=PeekCanceled()),
            "peek-response 31313131 canceled",
        ),
        (
            PeekResponse(peek_id=PEEK_1, result=FAILURE),
            "peek-response 31313131 error link_timeout indefinite ms=5: too late",
        ),
        (
            SubscribeResponse(
                collection=T1,
                result=SubscribeBatch(lower=Frontier(5), upper=Frontier(7), batches=(b"xyz",)),
            ),
            "subscribe-response t1 [5]..[7] bytes=3",
        ),
        (
            SubscribeResponse(collection=T1, result=SubscribeDropped(at=Frontier(7))),
            "subscribe-response t1 dropped at=[7]",
        ),
        (CopyToResponse(collection=T1, result=CopyToDropped()), "copy-to-response t1 dropped"),
        (Dropped(collection=U1), "dropped u1"),
        (
            Status(
                stage=Stage.READ_ONLY,
                applied_position=Position(7),
                durable_position=Position(0),
                hydration=(HydrationProgress(collection=U1, rows_done=3, rows_total=9),),
                dataflow_count=1,
            ),
            "status read-only applied=7 durable=0 dataflows=1 backlog=0 backlog_age_ms=0 "
            "hydration=u1:3/9",
        ),
        (CLOSED, "[]"),
        (Stage.READ_WRITE, "read-write"),
        (
            SEASONED,
            "facts r1 incarnation=69696969 instance=1 history=68686868 epoch=0 applied=5 "
            "durable=5 digest=none stage=closed session=3 dataflows=1 versions=1",
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_these_are_the_words(value: Describable, line: str) -> None:
    assert describe(value) == line


@given(st.one_of(strategies.commands, strategies.responses, strategies.failures))
def test_everything_is_one_printable_line(value: Command | Response | Failure) -> None:
    line = describe(value)
    assert line.isprintable()
    assert line


@given(strategies.facts)
def test_facts_are_one_line(facts: ReplicaFacts) -> None:
    assert describe(facts).startswith("facts ")


@given(st.one_of(strategies.commands, strategies.responses))
def test_a_line_begins_with_the_name_of_the_message(value: Command | Response) -> None:
    assert describe(value).split(" ")[0] == kebab(type(value).__name__)


def test_names_become_words_with_dashes() -> None:
    assert kebab("AllowCompaction") == "allow-compaction"
    assert kebab("READ_ONLY") == "read-only"
    assert kebab("GREETING") == "greeting"
