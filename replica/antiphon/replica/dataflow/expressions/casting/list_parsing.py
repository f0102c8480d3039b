"""Lists out of text, `{1,NULL,"a b"}`, a column at a time: text that is not well formed fails.

Every byte is told what it is: escaped, quoted, a mark. Then elements are what lies between marks.
Lists of values alone; a list in a list is not read here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from antiphon.protocol.buffers import array_of, offsets_of
from antiphon.protocol.schema import TEXT, Type, list_of
from antiphon.replica.dataflow.columns.gather import Rows
from antiphon.replica.dataflow.expressions.frame import Frame
from antiphon.replica.dataflow.expressions.nested.lists import Lists, list_vector
from antiphon.replica.dataflow.expressions.vector import Mask, Vector

MALFORMED: Final = "invalid_text_representation"
_BACKSLASH, _QUOTE, _OPEN, _CLOSE, _COMMA = (ord(c) for c in '\\"{},')
_SPACES: Final = np.zeros(256, np.bool_)
_SPACES[[ord(c) for c in " \t\n\r\f\v"]] = True


@dataclass(frozen=True, slots=True, eq=False)
class _Bytes:
    """The bytes of all texts, and for each: its row, and what it is."""

    raw: npt.NDArray[np.uint8]
    row: Rows
    escape: Mask  # a backslash that escapes the next byte
    escaped: Mask
    quote: Mask  # a mark that opens or closes
    inside: Mask  # of quotes

    @property
    def blank(self) -> Mask:
        spaces: Mask = _SPACES[self.raw]
        return spaces & ~self.escaped & ~self.inside & ~self.quote

    def marks(self, char: int) -> Mask:
        return np.asarray(self.raw == char) & ~self.escaped & ~self.inside


def parse(frame: Frame, vector: Vector, target: Type) -> Lists:
    """The elements as text, of rows that are well formed; the others fail and have none."""
    bytes_ = _classified(pc.fill_null(vector.array, ""))
    count = vector.count
    opens, closes, commas = (bytes_.marks(c) for c in (_OPEN, _CLOSE, _COMMA))
    content = ~bytes_.blank & ~opens & ~closes & ~commas
    first, last, wrong = _bounds(bytes_, opens, closes, count)
    # Elements begin after the opening mark and after each comma.
    place = np.arange(len(bytes_.raw))
    inside = (place > first[bytes_.row]) & (place < last[bytes_.row])
    wrong |= np.bincount(bytes_.row[content & ~inside], minlength=count) > 0
    filled = np.bincount(bytes_.row[(content | commas) & inside], minlength=count) > 0
    good = filled & ~wrong
    begins = np.flatnonzero((opens | commas) & good[bytes_.row])
    ends = np.flatnonzero((closes | commas) & good[bytes_.row])
    shown, misshapen = _elements(bytes_, content, begins, ends)
    wrong |= np.bincount(bytes_.row[begins[misshapen]], minlength=count) > 0
    _fail(frame, vector, wrong, target)
    sizes = np.bincount(bytes_.row[begins], minlength=count)
    found = Lists(list_vector(list_of(TEXT), shown, sizes, vector.valid))
    if not wrong.any():
        return found
    kept = np.flatnonzero(~wrong[found.rows])
    elements = found.elements.take(array_of(kept, pa.int64()))
    return Lists(list_vector(list_of(TEXT), elements, np.where(wrong, 0, sizes), vector.valid))


def _fail(frame: Frame, vector: Vector, wrong: Mask, target: Type) -> None:
    rows = wrong if vector.valid is None else wrong & vector.valid
    if rows.any():
        shown = pc.binary_join_element_wise(
            'malformed list: "', pc.fill_null(vector.array, ""),
            f'" is not a value of type {target}', "",
        )  # fmt: skip
        frame.fail(rows, MALFORMED, shown, "cast")


def _classified(text: pa.Array) -> _Bytes:
    offsets = offsets_of(text).astype(np.int64)
    base = int(offsets[0])
    offsets = offsets - base
    size = int(offsets[-1])
    raw = np.zeros(0, np.uint8)
    if size:
        raw = np.frombuffer(text.buffers()[2], np.uint8, size, base)
    row = np.repeat(np.arange(len(text)), np.diff(offsets))
    begins = np.zeros(size + 1, np.bool_)
    begins[offsets] = True
    place = np.arange(size)
    is_backslash = raw == _BACKSLASH
    # Of several in a run each second one is escaped; a run ends with its row.
    fresh = ~is_backslash | begins[:-1]
    run = np.maximum.accumulate(np.where(fresh, place, 0)) if size else place
    run = np.where(is_backslash & (raw[run] == _BACKSLASH), run, run + 1)
    escape = is_backslash & ((place - run) % 2 == 0)
    escaped = np.zeros(size, np.bool_)
    escaped[1:] = escape[:-1] & ~begins[1:-1]
    quote = (raw == _QUOTE) & ~escaped
    before = np.concatenate([[0], np.cumsum(quote)])
    inside = ((before[:-1] - before[offsets[row]]) % 2 == 1) & ~quote
    return _Bytes(raw, row, escape, escaped, quote, inside)


def _bounds(bytes_: _Bytes, opens: Mask, closes: Mask, count: int) -> tuple[Rows, Rows, Mask]:
    """Where each row's opening and closing marks are, and which rows have not one of each."""
    first, last = np.full(count, -1, np.int64), np.full(count, -1, np.int64)
    where_open, where_close = np.flatnonzero(opens), np.flatnonzero(closes)
    first[bytes_.row[where_open]] = where_open
    last[bytes_.row[where_close]] = where_close
    one_each = (np.bincount(bytes_.row[where_open], minlength=count) == 1) & (
        np.bincount(bytes_.row[where_close], minlength=count) == 1
    )
    quotes = np.bincount(bytes_.row[bytes_.quote], minlength=count)
    return first, last, ~one_each | (last < first) | (quotes % 2 == 1)


def _elements(bytes_: _Bytes, content: Mask, begins: Rows, ends: Rows) -> tuple[pa.Array, Mask]:
    """The text of each element between two marks, null where it says so; which have no shape."""

    def counted(mask: Mask) -> Rows:
        total = np.concatenate([[0], np.cumsum(mask)])
        found: Rows = total[ends] - total[begins + 1]
        return found

    quotes = counted(bytes_.quote)
    outside = counted(content & ~bytes_.quote & ~bytes_.inside)
    some = (quotes > 0) | (outside > 0)
    misshapen = ~some | (quotes > 2) | ((quotes > 0) & (outside > 0))
    # Blanks at either end are no part of an element, those between its words are.
    place = np.flatnonzero(content)
    keep = np.zeros(len(bytes_.raw) + 1, np.int64)
    keep[place[np.searchsorted(place, begins[some])]] += 1
    keep[place[np.searchsorted(place, ends[some]) - 1] + 1] -= 1
    kept = (np.cumsum(keep)[:-1] > 0) & ~bytes_.escape & ~bytes_.quote
    total = np.concatenate([[0], np.cumsum(kept)])
    offsets = np.append(total[begins + 1], total[ends[-1]] if len(ends) else 0).astype(np.int32)
    data = pa.py_buffer(bytes_.raw[kept].tobytes())
    texts = pa.Array.from_buffers(pa.string(), len(begins), [None, pa.py_buffer(offsets), data], 0)
    bare = array_of((quotes == 0) & (counted(bytes_.escape) == 0), pa.bool_())
    missing = pc.and_(bare, pc.equal(pc.ascii_upper(texts), "NULL"))
    return pc.if_else(missing, pa.scalar(None, pa.string()), texts), misshapen
