"""What a command says about a mistake: two lines and exit code 2."""

from pathlib import Path

import pytest

from primacy.runs import cli


def complaint(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    assert cli.main([str(argument) for argument in arguments]) == 2
    said = capsys.readouterr().err.strip()
    assert len(said.splitlines()) == 2, said
    assert said.startswith("error: ")
    return said
