"""EXPLAIN ANALYZE: what the operators that keep a view have done, told by a replica."""

from __future__ import annotations

from typing import Final

from antiphon.controller.catalog import Catalog, CatalogItem, ItemKind
from antiphon.controller.sql.parsing.cursor import Cursor
from antiphon.controller.sql.parsing.source import Source
from antiphon.controller.sql.statement import Read, Select
from antiphon.protocol.command import IndexTarget
from antiphon.protocol.dataflow import Finishing
from antiphon.protocol.errors import InvalidArgument
from antiphon.protocol.profile import PROFILE

_IN_ORDER: Final = Finishing(order_by=((0, False, False),))
_KINDS: Final = (("MATERIALIZED", "VIEW"), ("VIEW",), ("INDEX",))


def plan_explain_analyze(source: Source, cursor: Cursor, catalog: Catalog) -> Select:
    """After EXPLAIN ANALYZE: [kind] name."""
    if cursor.peek().upper in ("SELECT", "WITH", "VALUES", "TABLE", "("):
        raise source.unsupported(cursor.peek().start, "EXPLAIN ANALYZE of a query")
    if cursor.peek().upper in ("INSERT", "UPDATE", "DELETE", "CREATE"):
        what = "EXPLAIN ANALYZE of a change"
        raise source.unsupported(cursor.peek().start, what, "; EXPLAIN shows how it is planned")
    for words in _KINDS:
        if cursor.accept(*words):
            break
    start = cursor.peek().start
    schema, name = cursor.path("a view")
    cursor.expect_end()
    found = None if schema is not None else catalog.find(name)
    if found is None:
        raise source.missing(start, "view", name, catalog.names)
    kept = _kept(found, catalog)
    read = Read(
        target=IndexTarget(collection=kept.id, profile=True),
        schema=PROFILE,
        finishing=_IN_ORDER,
        imports=(kept.id,),
        sources=tuple(sorted(catalog.sources_of(kept.id))),
    )
    return Select(read=read, tag="EXPLAIN")


def _kept(item: CatalogItem, catalog: Catalog) -> CatalogItem:
    """What replicas keep of the item."""
    if item.kind in (ItemKind.INDEX, ItemKind.MATERIALIZED_VIEW):
        return item
    indexes = catalog.indexes_on(item.id)
    if indexes:
        return indexes[0]
    raise InvalidArgument(
        f'no replica keeps "{item.name}": it is evaluated when it is read; create an index on it',
        collection=item.name,
    )
