"""Models by name: the demo network of this package, and official ones, downloaded once and checked always."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from yoloxfast.errors import ModelError
from yoloxfast.limits import MODEL_BYTES
from yoloxfast.lookalikes import check_beginning
from yoloxfast.reading import check_file, digest_file, read_file

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "DEMO_MODEL",
    "MODELS_VARIABLE",
    "OFFICIAL_MODELS",
    "ModelFile",
    "OfficialModel",
    "PinnedModel",
    "checked_name",
    "checked_path",
    "download",
    "find_model",
    "official_name",
    "read_model",
    "sha256_of",
]

DEMO_NAME = "demo"
DEMO_MODEL = Path(__file__).parent / "demo" / "shapes.onnx"
"""A YOLOX for the shapes that `yoloxfast.demo` draws; its name is `DEMO_NAME`."""

MODELS_VARIABLE = "YOLOXFAST_MODELS"
"""Environment variable: a folder that is searched before anything is downloaded."""

BASE_URL = "https://github.com/Megvii-BaseDetection/YOLOX/releases/download/0.1.1rc0"


@dataclass(frozen=True)
class OfficialModel:
    """A file of YOLOX release 0.1.1rc0 (Apache-2.0)."""

    file: str
    size: int
    sha256: str


OFFICIAL_MODELS = {
    "yolox-nano": OfficialModel(
        "yolox_nano.onnx", 3_659_407, "c789161ed43c8269fcd4e67c67eeeb4e80c622da2eb296a20bc6007bd18a0b7d"
    ),
    "yolox-tiny": OfficialModel(
        "yolox_tiny.onnx", 20_219_662, "427cc366d34e27ff7a03e2899b5e3671425c262ea2291f88bb942bc1cc70b0f7"
    ),
    "yolox-s": OfficialModel(
        "yolox_s.onnx", 35_858_002, "c5c2d13e59ae883e6af3b45daea64af4833a4951c92d116ec270d9ddbe998063"
    ),
    "yolox-l": OfficialModel(
        "yolox_l.onnx", 216_746_733, "7860ae79de6c89a3c1eb72ae9a2756c0ccfbe04b7791bb5880afabd97855a411"
    ),
    "yolox-x": OfficialModel(
        "yolox_x.onnx", 396_142_663, "c892d7aaf1c4746d8a4d675bec669a4db4f434b4ee1efb654bc9b353379c7c55"
    ),
}

_UNVERIFIED = {"yolox-m": "yolox_m.onnx", "yolox-darknet": "yolox_darknet.onnx"}
"""Files of the same release whose SHA-256 is not known."""


def find_model(model: str | os.PathLike[str]) -> Path:
    """Return the file of a model: the path itself, the demo network's for "demo", or an official model's.

    The file of an official model is downloaded if need be, and verified.

    Raises
    ------
    TypeError
        Neither a string nor a path.
    ValueError
        An empty name, or one that no file can have.
    FileNotFoundError
        Neither a file nor the name of a model.
    ModelError
        A folder, a pipe or another special file; a Git LFS pointer, a web page or an archive; one that is larger than
        `yoloxfast.limits` allow; or the file of an official model is not the official one.
    """
    path = checked_path(model)
    if model == DEMO_NAME:
        return DEMO_MODEL
    if name := official_name(model):
        return download(name)
    try:
        with _refusing(path):
            check_file(path, MODEL_BYTES)
    except FileNotFoundError:
        hint = _hint(model) if isinstance(model, str) else ""
        raise FileNotFoundError("; ".join(filter(None, (f"no model file {path}", hint)))) from None
    check_beginning(path)
    return path


def official_name(model: object) -> str | None:
    """Return the name of the official model that is meant, None if a file is.

    YOLOX's own spelling, "yolox_s", means a file of that name where there is one. A name with a suffix, "yolox_s.onnx",
    always means a file: a mistyped folder must not give the official model in place of one's own.
    """
    if not isinstance(model, str) or _dashed(model) not in OFFICIAL_MODELS:
        return None
    return _dashed(model) if model in OFFICIAL_MODELS or not Path(model).is_file() else None


def checked_name(name: str) -> str:
    """Return the name of an official model, which may be in YOLOX's own spelling, else raise `ValueError`."""
    if _dashed(name) in OFFICIAL_MODELS:
        return _dashed(name)
    if _dashed(name) in _UNVERIFIED:
        raise ValueError(f"{name}: {_hint(name)}")
    raise ValueError(f"unknown model {name!r}, expected one of {', '.join(OFFICIAL_MODELS)}")


def _dashed(name: str) -> str:
    return name.replace("_", "-")


def _hint(model: str) -> str:
    """Say what would do instead of a file that is not there, if anything is known."""
    name = _dashed(model.removesuffix(".onnx"))
    if file := _UNVERIFIED.get(name):
        return f"the SHA-256 of {file} is not known, so download {BASE_URL}/{file} yourself and pass its path"
    if name in OFFICIAL_MODELS:
        return f"the official model is named {name}"
    return "" if Path(model).suffix else f"models with names are demo, {', '.join(OFFICIAL_MODELS)}"


def checked_path(model: Any) -> Path:
    """Return a model's name or path as a path that a file may have, else raise `TypeError` or `ValueError`."""
    name = os.fspath(model) if isinstance(model, os.PathLike) else model
    if not isinstance(name, str):
        raise TypeError(f"the model is {model!r}, expected the path of a file or the name of a model")
    if not name:
        raise ValueError("the model's name is empty, expected a file or the name of a model")
    if "\0" in name:
        raise ValueError(f"the model's name is {name!r}, but no file has a null character in its name")
    return Path(name)


def download(name: str) -> Path:
    """Return the verified file of an official model, downloading it if need be.

    A file of that model in the folder that `YOLOXFAST_MODELS` names comes first, then the cache, then the network.
    A download is complete and verified before it takes its place in the cache.

    Raises
    ------
    ValueError
        No official model has that name, or its SHA-256 is not known.
    ModelError
        The file is not the official one (its SHA-256 differs).
    ConnectionError
        It could not be downloaded.
    MissingDependencyError
        pooch or tqdm is not installed.
    """
    model = OFFICIAL_MODELS[checked_name(name)]
    folder = os.environ.get(MODELS_VARIABLE)
    if folder and (path := Path(folder, model.file)).is_file():
        _check_hash(path, model)
        return path
    return _fetch(model)


@dataclass(frozen=True)
class PinnedModel:
    """A model to be opened again by another process.

    Attributes
    ----------
    model : str
        The absolute path of its file, or its name.
    sha256 : str or None
        Of its file; None for a model with a name.
    """

    model: str
    sha256: str | None

    def find(self) -> str:
        """Return the path or name, if that is the same model still.

        Raises
        ------
        FileNotFoundError
            The file does not exist any more, or not on this machine.
        ModelError
            It is another file.
        """
        if self.sha256 is not None and sha256_of(find_model(self.model)) != self.sha256:
            raise ModelError(f"{self.model} is not the file that the pickled detector had open: make a new detector")
        return self.model


class ModelFile:
    """The file of a model that is open, in whatever way it was named."""

    def __init__(self, model: str | os.PathLike[str], path: Path) -> None:
        self._name = DEMO_NAME if model == DEMO_NAME else official_name(model)
        self._path = path.absolute()
        self._stamp = _stamp_of(path)

    def pinned(self) -> PinnedModel:
        """Return what finds it again.

        Raises
        ------
        FileNotFoundError
            It has been deleted.
        ModelError
            It has been replaced.
        """
        if self._name is not None:
            return PinnedModel(self._name, None)
        self.check_unchanged()
        return PinnedModel(str(self._path), sha256_of(self._path))

    def check_unchanged(self) -> None:
        """Raise as `pinned` does, unless it is there still."""
        if _stamp_of(find_model(self._path)) != self._stamp:
            raise ModelError(f"{self._path} has been replaced since it was opened: make a new detector")


def _stamp_of(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def read_model(path: Path) -> bytes:
    """Return the content of a model's file, else raise `FileNotFoundError` or `ModelError`."""
    with _refusing(path):
        return read_file(path, MODEL_BYTES)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a model's file, else raise `FileNotFoundError` or `ModelError`."""
    with _refusing(path):
        return digest_file(path, MODEL_BYTES)


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: {error.strerror if isinstance(error, OSError) else error}") from error


def _check_hash(path: Path, model: OfficialModel) -> None:
    digest = sha256_of(path)
    if digest != model.sha256:
        raise ModelError(
            f"{path} is not the official {model.file}: expected {model.size} bytes of SHA-256 {model.sha256},"
            f" got {path.stat().st_size} bytes of {digest}"
        )


def _fetch(model: OfficialModel) -> Path:
    try:
        from yoloxfast.download import fetch  # which imports an HTTP client

        return fetch(f"{BASE_URL}/{model.file}", model.size, model.sha256)
    except ConnectionError as error:
        folder = os.environ.get(MODELS_VARIABLE)
        where = f"is not in {folder}" if folder else f"may lie in a folder named in {MODELS_VARIABLE}, which is not set"
        raise ConnectionError(f"{model.file} {where}, and {error}") from None
