"""Values of options, read from text; argparse reports what cannot be read."""

from __future__ import annotations

import argparse
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

__all__ = ["fraction", "list_of", "name_of", "numbers_of", "path_of", "positive", "wholes_of"]


def fraction(text: str) -> float:
    """Read a number from 0 to 1."""
    with suppress(ValueError):
        if 0 <= (value := float(text)) <= 1:
            return value
    raise argparse.ArgumentTypeError(f"expected a number from 0 to 1, got {text}")


def positive(text: str) -> int:
    """Read a whole number above 0."""
    with suppress(ValueError):
        if (value := int(text)) >= 1:
            return value
    raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text}")


def list_of(text: str) -> list[str]:
    """Read names with commas between them."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise argparse.ArgumentTypeError("expected names with commas between them, got none")
    return names


def numbers_of(text: str) -> list[float]:
    """Read numbers with commas between them, such as 0.5 or 1/255."""
    try:
        return [float(Fraction(number) if "/" in number else number) for number in list_of(text)]
    except (ValueError, ArithmeticError):
        raise argparse.ArgumentTypeError(
            f"expected a number, or three with commas between them, such as 1/255 or 0.485,0.456,0.406, got {text}"
        ) from None


def wholes_of(text: str) -> list[int]:
    """Read whole numbers above 0 with commas between them."""
    with suppress(ValueError):
        if min(numbers := [int(number) for number in list_of(text)]) >= 1:
            return numbers
    raise argparse.ArgumentTypeError(f"expected whole numbers with commas between them, such as 8,16,32, got {text}")


def name_of(text: str) -> str:
    """Read the name of a file or folder. Python would take an empty one, as of an unset variable, for this folder."""
    if not text:
        raise argparse.ArgumentTypeError("the name is empty, expected one of a file or folder")
    return text


def path_of(text: str) -> Path:
    """Read the same as a path."""
    return Path(name_of(text))
