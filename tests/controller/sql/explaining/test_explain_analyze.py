"""EXPLAIN ANALYZE reads the profile of what replicas keep."""

from __future__ import annotations

import pytest

from antiphon.controller.sql.statement import Select
from antiphon.protocol.command import IndexTarget
from antiphon.protocol.errors import CollectionMissing, InvalidArgument
from antiphon.protocol.profile import PROFILE
from tests.controller.sql.recorded import SCHEMA
from tests.controller.sql.world import World, plan_one


def test_explain_analyze_reads_the_profile_of_what_is_kept() -> None:
    world = World()
    world.run(SCHEMA)
    world.run("CREATE VIEW v AS SELECT a FROM t; CREATE INDEX v_a ON v (a);")
    for text in ("EXPLAIN ANALYZE v", "explain analyze view v", "EXPLAIN ANALYZE INDEX v_a"):
        planned = plan_one(text, world.catalog)
        assert isinstance(planned, Select)
        index = world.catalog.find("v_a")
        assert index is not None
        assert planned.read.target == IndexTarget(collection=index.id, profile=True)
        assert planned.read.schema == PROFILE
        assert planned.read.imports == (index.id,)
    with pytest.raises(InvalidArgument, match=r'no replica keeps "u".*create an index'):
        plan_one("EXPLAIN ANALYZE u", world.catalog)
    with pytest.raises(CollectionMissing, match="nowhere"):
        plan_one("EXPLAIN ANALYZE nowhere", world.catalog)
