"""Values of channels: new ones, and edits of what a channel held before.

Left out is what upstream is known to change: texts with NUL or lone surrogates and floats that JSONB rewrites (it keeps
plain values in JSONB), enums, and NaN, which equals nothing.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=60) | st.sampled_from([50, 3000]).map(
    "x".__mul__
)
SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.sampled_from([0.5, -2.25, 3.0]) | TEXTS
KEYS = st.sampled_from(["a", "b", "c", "readme.md", ""])
NESTED = st.recursive(
    SCALARS | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4) | st.tuples(inner, inner),
    max_leaves=8,
)
IDS = st.sampled_from(["1", "2", "3", "4"]) | st.none()
MESSAGES = st.one_of(
    st.builds(HumanMessage, content=TEXTS, id=IDS),
    st.builds(AIMessage, content=TEXTS, id=IDS, response_metadata=st.dictionaries(KEYS, SCALARS, max_size=2)),
    st.builds(ToolMessage, content=TEXTS, id=IDS, tool_call_id=st.just("call"), artifact=NESTED),
)
ELEMENTS = MESSAGES | NESTED
LISTS = st.lists(ELEMENTS, max_size=6) | st.lists(st.integers(0, 3), min_size=60, max_size=140)
DICTS = st.dictionaries(KEYS, NESTED | st.lists(ELEMENTS, max_size=3), max_size=5)
VALUES = st.one_of(LISTS, DICTS, NESTED, MESSAGES)


@st.composite
def edits(draw: st.DrawFn, before: Any) -> Any:
    """A value that follows another in a channel: appended to, edited, cut, put in another order, or a new one."""
    if isinstance(before, list) and before:
        at = draw(st.integers(0, len(before) - 1))
        return draw(
            st.one_of(
                st.lists(ELEMENTS, min_size=1, max_size=3).map(lambda more: [*before, *more]),
                ELEMENTS.map(lambda new: [*before[:at], new, *before[at + 1 :]]),
                ELEMENTS.map(lambda new: [*before[:at], new, *before[at:]]),
                st.sampled_from([before[:at], before[at:], before[::-1], before * 2, []]),
            )
        )
    if isinstance(before, dict) and before:
        gone = draw(st.sampled_from(sorted(before)))
        rest = {key: value for key, value in before.items() if key != gone}
        return draw(
            st.one_of(
                NESTED.map(lambda new: {**before, gone: new}), DICTS.map(lambda more: before | more), st.just(rest)
            )
        )
    return draw(VALUES)
