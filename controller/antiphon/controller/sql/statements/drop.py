"""DROP: of one item or several, all at once or none."""

from __future__ import annotations

from collections.abc import Sequence

from antiphon.controller.catalog import KIND_NAMES, Catalog, CatalogItem
from antiphon.controller.sql.parsing.cursor import Cursor
from antiphon.controller.sql.parsing.source import Source
from antiphon.controller.sql.statement import DropItems, Nothing, Statement
from antiphon.controller.sql.statements.item_names import read_kind, with_article
from antiphon.protocol.errors import DependencyExists
from antiphon.protocol.ids import CollectionId


def plan_drop(source: Source, cursor: Cursor, catalog: Catalog) -> Statement:
    """The statement after DROP."""
    kind = read_kind(cursor, "DROP")
    tag = f"DROP {KIND_NAMES[kind].upper()}"
    missing_is_fine = cursor.accept("IF", "EXISTS")
    named: list[tuple[str, int]] = []
    while not named or cursor.accept(","):
        start = cursor.peek().start
        named.append((cursor.name(f"the {KIND_NAMES[kind]}"), start))
    cascade = cursor.accept("CASCADE")
    if not cascade:
        cursor.accept("RESTRICT")
    cursor.expect_end()
    items: list[CatalogItem] = []
    notices: list[str] = []
    for name, start in named:
        item = catalog.find(name)
        if item is None and missing_is_fine:
            notices.append(f'{KIND_NAMES[kind]} "{name}" does not exist, skipping')
        elif item is None:
            same_kind = [other.name for other in catalog.of_kind(kind)]
            raise source.missing(start, KIND_NAMES[kind], name, same_kind)
        elif item.kind is not kind:
            wanted = KIND_NAMES[item.kind].upper()
            raise source.invalid(start, f'"{name}" is {with_article(item)}; use DROP {wanted}')
        elif item not in items:
            items.append(item)
    if not items:
        return Nothing(tag=tag, notices=tuple(notices))
    return _drop(catalog, items, cascade, tag, notices)


def _drop(
    catalog: Catalog, items: Sequence[CatalogItem], cascade: bool, tag: str, notices: Sequence[str]
) -> DropItems:
    """The items with their own indexes; with all else that needs them, if CASCADE is said."""
    found: dict[CollectionId, CatalogItem] = {}
    own: set[CollectionId] = {item.id for item in items}
    for item in items:
        found |= {other.id: other for other in (item, *catalog.dependants_closure(item.id))}
        own |= {index.id for index in catalog.indexes_on(item.id)}
    # Ids grow with creation, and nothing depends on what was created after it.
    ordered = [found[number] for number in sorted(found, reverse=True)]
    others = [other for other in ordered if other.id not in own]
    if others and not cascade:
        shown = ", ".join(f'{KIND_NAMES[o.kind]} "{o.name}"' for o in reversed(others))
        names = ", ".join(f'"{item.name}"' for item in items)
        raise DependencyExists(
            f"cannot drop {names}: {shown} depend{'s' if len(others) == 1 else ''} on "
            f"{'it' if len(items) == 1 else 'them'}; drop them first or use CASCADE",
            name=items[0].name,
            dependants=", ".join(other.name for other in reversed(others)),
        )
    cascades = [f'drop cascades to {KIND_NAMES[o.kind]} "{o.name}"' for o in reversed(others)]
    return DropItems(items=tuple(ordered), tag=tag, notices=(*notices, *cascades))
