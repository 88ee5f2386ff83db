"""Calling the command line, and reading what it wrote."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from yoloxfast.cli import main

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def assert_fails(capsys: pytest.CaptureFixture[str], *arguments: object, message: str) -> None:
    """Expect one line on stderr, nothing on stdout, and status 2."""
    try:
        status = main([str(argument) for argument in arguments])
    except SystemExit as error:
        status = int(error.code or 0)
    captured = capsys.readouterr()
    assert status == 2, captured
    assert captured.out == ""
    assert captured.err.count("\n") == 1, captured.err
    assert message in captured.err


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]
