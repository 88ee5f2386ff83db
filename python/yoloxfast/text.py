"""Text that other people wrote: names of files and classes."""

from __future__ import annotations

import unicodedata

__all__ = ["is_harmless"]

_SPACES = "Zs"
_JOINERS = "\u200c\u200d"
"""Parts of Persian words and of emoji, which Python does not call printable."""


def is_harmless(letter: str) -> bool:
    """Return whether a character is shown, or a space: not a command for terminals, a line break, or half of one."""
    return letter.isprintable() or letter in _JOINERS or unicodedata.category(letter) == _SPACES
