"""Any flat map, for hypothesis."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from antiphon.protocol.plan import TABLE_FUNCTIONS, FlatMap, TableFunction

Strategy = st.SearchStrategy[Any]


def flat_maps(
    inner: Strategy, expressions: Strategy, types: Strategy
) -> st.SearchStrategy[FlatMap]:
    """Over any of `inner`; functions of `expressions`, whose values are of `types`."""
    function = st.builds(
        TableFunction,
        name=st.sampled_from(sorted(TABLE_FUNCTIONS)),
        arguments=st.lists(expressions, max_size=2).map(tuple),
        type=types,
    )
    return st.builds(
        FlatMap,
        input=inner,
        functions=st.lists(function, min_size=1, max_size=2).map(tuple),
        with_ordinality=st.booleans(),
        keep_empty=st.booleans(),
    )
