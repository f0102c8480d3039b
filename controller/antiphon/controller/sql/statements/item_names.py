"""Items by name: the kinds that SQL has words for, and what a name stands for."""

from __future__ import annotations

from typing import Final

from antiphon.controller.catalog import KIND_NAMES, Catalog, CatalogItem, ItemKind
from antiphon.controller.sql.parsing.cursor import Cursor
from antiphon.controller.sql.parsing.source import Source, near_miss

_KINDS: Final = {
    ("TABLE",): ItemKind.TABLE,
    ("FEED",): ItemKind.FEED,
    ("VIEW",): ItemKind.VIEW,
    ("MATERIALIZED", "VIEW"): ItemKind.MATERIALIZED_VIEW,
    ("INDEX",): ItemKind.INDEX,
}


def read_kind(cursor: Cursor, verb: str) -> ItemKind:
    """The kind that is named next; `verb` says what is done with it."""
    for words, kind in _KINDS.items():
        if cursor.accept(*words):
            return kind
    found = cursor.peek()
    if found.kind == "word":
        hint = near_miss(found.upper, [words[0] for words in _KINDS])
        raise cursor.source.unsupported(found.start, f"{verb} {found.upper}", hint)
    raise cursor.unexpected("TABLE, FEED, VIEW, MATERIALIZED VIEW or INDEX")


def with_article(item: CatalogItem) -> str:
    """What kind of item it is, in words."""
    name = KIND_NAMES[item.kind]
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


def find_relation(source: Source, catalog: Catalog, name: str, start: int) -> CatalogItem:
    """The table, feed or view called `name`.

    Raises:
        CollectionMissing: with a near miss.
        InvalidSql: it is an index.
    """
    item = catalog.find(name)
    if item is None:
        known = [other.name for other in catalog.items.values() if other.is_relation]
        raise source.missing(start, "table", name, known)
    if not item.is_relation:
        raise source.invalid(start, f'"{name}" is an index')
    return item
