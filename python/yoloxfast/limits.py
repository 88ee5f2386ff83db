"""How much a file from outside may ask for: limits that no honest one meets, and that the environment can raise."""

from __future__ import annotations

import os
from typing import NamedTuple

__all__ = ["FIRST_RUN_SECONDS", "IMAGE_BYTES", "IMAGE_PIXELS", "INPUT_BYTES", "MODEL_BYTES", "NAMES_BYTES", "Limit"]

_MAX = 10**15


class Limit(NamedTuple):
    """A limit.

    Attributes
    ----------
    variable : str
        Environment variable that replaces it.
    default : int
        What it is without that.
    unit : str
        What is counted.
    """

    variable: str
    default: int
    unit: str

    @property
    def value(self) -> int:
        """The limit that is in force.

        Raises
        ------
        ValueError
            The environment variable is not a number.
        """
        text = os.environ.get(self.variable, "")
        if not text:
            return self.default
        try:
            number = int(text)
        except ValueError:
            number = 0
        if not 1 <= number <= _MAX:
            raise ValueError(f"{self.variable} is {text:.40}, expected a whole number of {self.unit}, 1 to {_MAX:,}")
        return number

    def excess(self, count: int) -> str | None:
        """Say what is too much, and how to allow it; None if the count is within the limit."""
        if count <= self.value:
            return None
        return f"{count:,} {self.unit}, more than {self.value:,}: to allow more, set {self.variable} in the environment"


IMAGE_BYTES = Limit("YOLOXFAST_MAX_IMAGE_BYTES", 1 << 30, "bytes")
"""Of an image file."""

IMAGE_PIXELS = Limit("YOLOXFAST_MAX_IMAGE_PIXELS", 1 << 28, "pixels")
"""Of a picture that is decoded: 800 MB of memory. A file of 100 KB can ask for more than there is."""

MODEL_BYTES = Limit("YOLOXFAST_MAX_MODEL_BYTES", 16 << 30, "bytes")
"""Of a model file."""

NAMES_BYTES = Limit("YOLOXFAST_MAX_NAMES_BYTES", 1 << 20, "bytes")
"""Of a file of class names."""

INPUT_BYTES = Limit("YOLOXFAST_MAX_INPUT_BYTES", 4 << 30, "bytes")
"""Of the images of one run of a network."""

FIRST_RUN_SECONDS = Limit("YOLOXFAST_MAX_FIRST_RUN_SECONDS", 300, "seconds")
"""Of the run that finds out what a model is: it may hold a loop without end."""
