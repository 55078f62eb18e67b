"""Corrections of rejected touchpoints."""

from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from pipeline.patch import PatchUnfit, patch_of, patched

VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3)


@pytest.mark.parametrize(
    ("value", "patch", "after"),
    [
        ({"a": 1, "b": 2}, {"a": 3}, {"a": 3, "b": 2}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}}, {"a": {"b": 3, "c": 2}}),
        ({"a": None}, {"a": {"b": 3}}, {"a": {"b": 3}}),
        ({"a": {"b": 1}}, {"a": None}, {"a": None}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": [1, 2]}, {"a": {"b": 3}}, {"a": {"b": 3}}),
    ],
)
def test_a_patch(value: Any, patch: Any, after: Any) -> None:
    assert patched(value, patch) == after


@given(OBJECTS, OBJECTS)
def test_a_patch_applied_twice_is_a_patch_applied_once(value: dict[str, Any], patch: dict[str, Any]) -> None:
    once = patched(value, patch)
    assert patched(once, patch) == once
    assert patched(value, {}) == value


def test_what_a_patch_may_say() -> None:
    text = '{"answer": {"scale_max": 7, "aspect": null}, "campaign": "spring", "attributes": {"any": "thing"}}'
    assert patch_of(text)["answer"] == {"scale_max": 7, "aspect": None}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "is no JSON"),
        ("[]", "no JSON object"),
        ("{}", "no JSON object"),
        ('"text"', "no JSON object"),
        ('{"event": 1}', "no field event$"),
        ('{"answer": {"scale": 1}}', "no field answer.scale$"),
        ('{"text": "a", "text": "b"}', "has text twice"),
        ('{"attributes": ' + "[" * 40 + "]" * 40 + "}", "nested too deeply"),
        ('{"attributes": ' + "[" * 400_000, "nested too deeply"),
    ],
)
def test_what_is_no_patch(text: str, why: str) -> None:
    with pytest.raises(PatchUnfit, match=why):
        patch_of(text)
