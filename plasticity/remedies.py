"""The remedies by name, and their text form:
"reset:every=200000,unit=env_steps,networks=critic+actor"."""

import types
from dataclasses import MISSING, fields
from difflib import get_close_matches
from math import isfinite
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from primacy.plasticity.options import CReLU, LayerNorm
from primacy.plasticity.penalties import L2, L2Init, WeightDecay
from primacy.plasticity.perturb import ShrinkPerturb
from primacy.plasticity.resets import Reset
from primacy.plasticity.schedule import RemedyError
from primacy.plasticity.tortoise import HareTortoise

REMEDIES: dict[str, type] = {
    "reset": Reset,
    "shrink-perturb": ShrinkPerturb,
    "hare-tortoise": HareTortoise,
    "l2-init": L2Init,
    "l2": L2,
    "weight-decay": WeightDecay,
    "crelu": CReLU,
    "layer-norm": LayerNorm,
}

# Inclusive bounds of the numeric fields, by field name; the same name means the same thing in every
# remedy.
BOUNDS = {
    "every": (1, None),
    "offset": (0, None),
    "until": (1, None),
    "leave": (0, None),
    "at_most": (1, None),
    "shrink": (0.0, 1.0),
    "perturb": (0.0, None),
    "decay": (0.0, 1.0),
    "strength": (0.0, None),
}


def _near(name: str, names: list[str]) -> str:
    close = get_close_matches(name, names, n=2, cutoff=0.5)
    return f"did you mean {' or '.join(close)}?" if close else f"choose from {', '.join(names)}"


def _number(kind: type, text: str) -> int | float:
    wanted = "a whole number" if kind is int else "a finite number"
    try:
        number = kind(text)
    except ValueError:
        raise ValueError(wanted) from None
    if not isfinite(number):
        raise ValueError(wanted)
    return number


def _one_of(choices: tuple[str, ...], text: str) -> str:
    if text not in choices:
        raise ValueError(f"one of {', '.join(choices)}")
    return text


def _value(kind: Any, text: str) -> Any:
    """Text to a field's type; raises ValueError saying what would be right."""
    if get_origin(kind) in (Union, types.UnionType):
        inner = [part for part in get_args(kind) if part is not type(None)]
        return None if text == "none" else _value(inner[0], text)
    if get_origin(kind) is Literal:
        return _one_of(get_args(kind), text)
    if get_origin(kind) is tuple:
        return tuple(text.split("+"))
    if kind is bool:
        return _one_of(("true", "false"), text) == "true"
    if kind in (int, float):
        return _number(kind, text)
    return text


def _field(name: str, cls: type, part: str) -> tuple[str, Any]:
    key, separator, text = part.partition("=")
    names = [f.name for f in fields(cls)]
    if key not in names:
        raise RemedyError(f"remedy {name}: no field {key!r}", _near(key, names))
    if not separator or not text:
        raise RemedyError(f"remedy {name}: field {key} has no value", f"write {key}=VALUE")
    try:
        value = _value(get_type_hints(cls)[key], text)
    except ValueError as error:
        raise RemedyError(
            f"remedy {name}: field {key}={text} is not {error}", f"write {key}= and {error}"
        ) from None
    low, high = BOUNDS.get(key, (None, None))
    below = low is not None and value is not None and not value >= low
    if below or (high is not None and value is not None and value > high):
        upper = f" and at most {high}" if high is not None else ""
        raise RemedyError(
            f"remedy {name}: field {key}={text} is out of range", f"it is at least {low}{upper}"
        )
    return key, value


def parse(text: str) -> Any | None:
    """The remedy of a text; None for "none" and "". Raises RemedyError, naming the field."""
    if text in ("", "none"):
        return None
    name, _, rest = text.partition(":")
    if name not in REMEDIES:
        raise RemedyError(f"unknown remedy {name!r}", _near(name, list(REMEDIES)))
    cls = REMEDIES[name]
    values = {}
    for part in rest.split(",") if rest else []:
        key, value = _field(name, cls, part)
        if key in values:
            raise RemedyError(f"remedy {name}: field {key} is given twice", "give each field once")
        values[key] = value
    for f in fields(cls):
        if f.default is MISSING and f.name not in values:
            raise RemedyError(
                f"remedy {name}: field {f.name} is missing",
                f"write {name}:{f.name}=VALUE, for example {name}:{f.name}=200000",
            )
    return cls(**values)


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return "+".join(value)
    if isinstance(value, bool):
        return str(value).lower()
    return "none" if value is None else str(value)


def describe(remedy: Any) -> str:
    """The canonical text of a remedy, without fields at their defaults; `parse` is its inverse."""
    name = next(key for key, cls in REMEDIES.items() if type(remedy) is cls)
    changed = [
        f"{f.name}={_text(getattr(remedy, f.name))}"
        for f in fields(remedy)
        if f.default is MISSING or getattr(remedy, f.name) != f.default
    ]
    return f"{name}:{','.join(changed)}" if changed else name
