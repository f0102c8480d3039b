"""Items by name."""

from __future__ import annotations

import pytest

from antiphon.controller.sql.parsing.cursor import Cursor
from antiphon.controller.sql.parsing.source import Source
from antiphon.controller.sql.statement import StatementText
from antiphon.controller.sql.statements.item_names import find_relation, read_kind, with_article
from antiphon.protocol.errors import CollectionMissing, InvalidSql, UnsupportedSql
from tests.controller.sql.world import World


def source(text: str) -> Source:
    return Source(StatementText(text=text))


def test_the_kind_is_what_is_named() -> None:
    assert read_kind(Cursor(source("MATERIALIZED VIEW v")), "DROP").name == "MATERIALIZED_VIEW"
    with pytest.raises(UnsupportedSql, match='DROP TABEL is not supported; did you mean "TABLE"'):
        read_kind(Cursor(source("TABEL t")), "DROP")


def test_a_name_is_of_a_relation() -> None:
    world = World()
    world.run("CREATE TABLE long_name (a int); CREATE INDEX i ON long_name (a)")
    found = find_relation(source(""), world.catalog, "long_name", 0)
    assert with_article(found) == "a table"
    index = world.catalog.find("i")
    assert index is not None
    assert with_article(index) == "an index"
    with pytest.raises(CollectionMissing, match='did you mean "long_name"'):
        find_relation(source("longname"), world.catalog, "longname", 0)
    with pytest.raises(InvalidSql, match='"i" is an index'):
        find_relation(source("i"), world.catalog, "i", 0)
