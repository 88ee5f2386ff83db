"""What commands print."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO

__all__ = ["reason", "say"]

try:
    from tqdm import tqdm
except ImportError:
    tqdm = None


def reason(error: Exception) -> str:
    """Return what an error says, without the error number and the file of an `OSError`."""
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)


def say(text: str, file: TextIO) -> None:
    """Print above the progress bar, escaping what the terminal cannot show."""
    encoding = file.encoding or "utf-8"
    text = text.encode(encoding, "backslashreplace").decode(encoding)
    if tqdm is None:
        print(text, file=file)
    else:
        tqdm.write(text, file=file)
