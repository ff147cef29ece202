"""When updates are compiled, and what is said where they cannot be."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from primacy.runs import compilation
from primacy.runs.compilation import NEEDS, UPDATES_TO_REPAY, Need, compile_update
from primacy.runs.config import RunConfig


def asked(config: RunConfig) -> tuple[bool, list[str]]:
    """Whether the agent was told to compile, and what was said."""
    calls: list[bool] = []
    said: list[str] = []
    agent: Any = SimpleNamespace(compile=lambda: calls.append(True))
    compile_update(config, agent, said.append)
    return bool(calls), said


def config(updates: int, **fields: Any) -> RunConfig:
    return replace(
        RunConfig(task="cartpole-swingup", seeds=(0,)),
        start_steps=1,
        env_steps=updates + 1,
        replay_ratio="1",
        **fields,
    )


def test_only_runs_that_repay_it_are_compiled():
    assert asked(config(UPDATES_TO_REPAY + 10)) == (True, [])
    assert asked(config(UPDATES_TO_REPAY - 10)) == (False, [])
    assert asked(config(UPDATES_TO_REPAY - 10, compile="always")) == (True, [])
    assert asked(config(UPDATES_TO_REPAY + 10, compile="never")) == (False, [])


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    compiled, (line,) = asked(config(10, compile="always"))
    assert not compiled
    assert line.startswith("no C++ compiler found: ")
    assert line.endswith("installing g++ mends that")
    assert asked(config(10, compile="never")) == (False, [])


def test_each_device_has_needs_of_its_own(monkeypatch: pytest.MonkeyPatch):
    on_gpu = config(10, compile="always", device="cuda")
    here, absent = Need("a thing", "one", lambda: True), Need("Triton", "triton", lambda: False)
    monkeypatch.setitem(NEEDS, "cuda", (here, absent))
    compiled, (line,) = asked(on_gpu)
    assert not compiled
    assert "no Triton found" in line
    monkeypatch.setitem(NEEDS, "cuda", (here,))
    assert asked(on_gpu) == (True, [])


def test_a_compiler_is_the_one_that_is_named_or_any(monkeypatch: pytest.MonkeyPatch):
    found = compilation._program("PRIMACY_TEST_COMPILER", "no-such-compiler", "sh")
    assert found()
    monkeypatch.setenv("PRIMACY_TEST_COMPILER", "no-such-compiler")
    assert not found()


@pytest.mark.parametrize("device", NEEDS)
def test_headers_are_needed_everywhere(device: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(compilation.sysconfig, "get_path", lambda name: "/no/such/folder")
    absent = [need.name for need in NEEDS[device] if not need.found()]
    assert "Python.h" in absent
