"""Data in memory: every accepted form is the same table."""

from __future__ import annotations

from pathlib import Path

import pandas
import pyarrow as pa
import pytest

from antiphon.client.conform import conform
from antiphon.client.sources import is_path, table_of
from antiphon.protocol.errors import InvalidArgument

SCHEMA = pa.schema(
    [
        pa.field("id", pa.int64(), nullable=False),
        pa.field("name", pa.string()),
        pa.field("price", pa.decimal128(10, 2)),
    ]
)


def test_every_accepted_form_gives_the_same_table() -> None:
    rows = [{"id": 1, "name": "a"}, {"id": 2, "name": None}]
    table = pa.Table.from_pylist(rows, SCHEMA.remove(2))
    forms = [
        table,
        table.to_batches()[0],
        rows,
        tuple(rows),
        pandas.DataFrame({"id": [1, 2], "name": ["a", None]}),
        table.to_reader(),
    ]
    expected = conform(table, SCHEMA)
    for form in forms:
        assert conform(table_of(form, SCHEMA), SCHEMA).equals(expected), type(form)


@pytest.mark.parametrize("data", [7, [1, 2], b"no path"])
def test_other_forms_are_refused(data: object) -> None:
    with pytest.raises(InvalidArgument):
        table_of(data, SCHEMA)


def test_a_single_dict_is_one_row_and_an_empty_list_none() -> None:
    assert table_of({"id": 1}, SCHEMA).to_pylist() == [{"id": 1}]
    assert table_of([], SCHEMA).num_rows == 0


def test_text_and_paths_name_files() -> None:
    assert is_path("a.csv")
    assert is_path(Path("a.csv"))
    assert not is_path([{"id": 1}])
