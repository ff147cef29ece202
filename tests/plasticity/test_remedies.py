"""The text form of remedies: every field there and back, and errors that name the field."""

from dataclasses import MISSING, fields
from typing import Any, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primacy.plasticity.remedies import BOUNDS, REMEDIES, RemedyError, describe, parse
from primacy.plasticity.resets import Reset

NAMES = st.lists(st.sampled_from(["critic", "actor", "temperature"]), min_size=1, unique=True)
SPECIAL: dict[str, st.SearchStrategy[Any]] = {
    "networks": NAMES.map(tuple),
    "layers": st.sampled_from(["all", "head:2", "torso", "critic.*"]),
    "preserve_variance": st.just(False),
    "decay": st.floats(0, 1, exclude_max=True),
}


def values(name: str, kind: Any) -> st.SearchStrategy[Any]:
    low, high = BOUNDS.get(name, (0, None))
    if kind is float or kind == float | None:
        number = st.floats(low, high if high is not None else 1e6)
        return number if kind is float else st.none() | number
    if kind is int or kind == int | None:
        number = st.integers(low, 10**7)
        return number if kind is int else st.none() | number
    return st.from_type(kind)


def remedies() -> st.SearchStrategy[Any]:
    def of(cls: type) -> st.SearchStrategy[Any]:
        hints = get_type_hints(cls)
        return st.builds(
            cls, **{f.name: SPECIAL.get(f.name, values(f.name, hints[f.name])) for f in fields(cls)}
        )

    return st.one_of([of(cls) for cls in REMEDIES.values()])


@given(remedies())
def test_a_remedy_survives_its_own_text(remedy):
    text = describe(remedy)
    assert parse(text) == remedy
    assert describe(parse(text)) == text


def test_the_text_of_the_issue():
    text = "reset:every=200000,unit=env_steps,networks=critic+actor,layers=head:2"
    remedy = parse(text)
    networks = ("critic", "actor")
    assert remedy == Reset(every=200_000, unit="env_steps", networks=networks, layers="head:2")
    assert describe(remedy) == text
    assert describe(parse("l2:strength=0.001")) == "l2"
    assert describe(parse("shrink-perturb:perturb=none,every=5,shrink=0.8")) == (
        "shrink-perturb:every=5"
    )


@pytest.mark.parametrize("text", ["", "none"])
def test_no_remedy(text):
    assert parse(text) is None


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("rest:every=5", "unknown remedy 'rest'", "reset"),
        ("perturb", "unknown remedy 'perturb'", "shrink-perturb"),
        ("reset", "field every is missing", "reset:every="),
        ("reset:evry=5", "no field 'evry'", "every"),
        ("reset:every=0", "every=0 is out of range", "at least 1"),
        ("reset:every=-5", "every=-5 is out of range", "at least 1"),
        ("reset:every=many", "every=many is not a whole number", "every="),
        ("reset:every=1.5", "every=1.5 is not a whole number", "every="),
        ("reset:every", "field every has no value", "every=VALUE"),
        ("reset:every=5,every=6", "every is given twice", "once"),
        ("reset:every=5,unit=steps", "unit=steps is not one of", "env_steps"),
        ("reset:every=5,target=same", "target=same is not one of", "copy"),
        ("reset:every=5,at_most=0", "at_most=0 is out of range", "at least 1"),
        ("shrink-perturb:every=5,shrink=1.1", "shrink=1.1 is out of range", "at most 1"),
        ("shrink-perturb:every=5,shrink=nan", "shrink=nan is not a finite number", "shrink="),
        ("shrink-perturb:every=5,perturb=0.1,preserve_variance=true", "exclude each other", "one"),
        ("shrink-perturb:every=5,preserve_variance=yes", "preserve_variance=yes", "true"),
        ("hare-tortoise:every=5,decay=1", "decay=1.0 is out of range", "less than 1"),
        ("l2:strength=inf", "strength=inf is not a finite number", "strength="),
        ("l2-init:strength=-1", "strength=-1 is out of range", "at least 0"),
        ("crelu:width=half", "width=half is not one of", "units"),
    ],
)
def test_errors_name_the_field_and_say_what_to_do(text, message, hint):
    with pytest.raises(RemedyError) as error:
        parse(text)
    assert message in str(error.value)
    assert hint in error.value.hint


def test_required_fields_have_no_default():
    required = {f.name for cls in REMEDIES.values() for f in fields(cls) if f.default is MISSING}
    assert required == {"every"}
