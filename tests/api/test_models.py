from __future__ import annotations

import hashlib
import pickle
import re
import sys
from contextlib import suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from toy_release import names_in, toy_release
from yoloxfast import Detector, MissingDependencyError, ModelError, models
from yoloxfast.cli import main
from yoloxfast.errors import how_to_install
from yoloxfast.models import OfficialModel, download, find_model

if TYPE_CHECKING:
    from collections.abc import Iterator


class Release:
    """A server on this machine with the files of a release, and the cache that downloads go to."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder = folder
        self.cache = cache
        self.requests: list[str] = []
        self.hangs_up_halfway = False

    def cached(self) -> list[str]:
        return names_in(self.cache)


@pytest.fixture
def release(tmp_path: Path, toy_model: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Release]:
    found = Release(tmp_path / "release", tmp_path / "cache")
    found.folder.mkdir()
    content = toy_model.read_bytes()
    (found.folder / "toy.onnx").write_bytes(content)

    class Handler(SimpleHTTPRequestHandler):
        def copyfile(self, source: Any, outputfile: Any) -> None:
            content = source.read()
            with suppress(ConnectionError):  # a client that leaves
                outputfile.write(content[: len(content) // 2] if found.hangs_up_halfway else content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            found.requests.append(format % args)

    with toy_release(monkeypatch, content, partial(Handler, directory=found.folder), lambda: found.cache):
        yield found


def test_a_model_is_downloaded_once(release: Release, toy_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = download("toy")
    assert path.read_bytes() == toy_model.read_bytes()
    assert "100%" in capsys.readouterr().err
    assert download("toy") == path
    assert len(release.requests) == 1
    assert Detector("toy").num_classes == 3
    assert find_model(path) == path


def test_a_wrong_checksum_never_stays_in_the_cache(release: Release) -> None:
    content = (release.folder / "toy.onnx").read_bytes()
    (release.folder / "toy.onnx").write_bytes(content[:-1] + b"X")
    with pytest.raises(ModelError, match=r"is not the official toy\.onnx"):
        Detector("toy")
    assert release.cached() == []
    (release.folder / "toy.onnx").write_bytes(content)
    assert download("toy").read_bytes() == content


def test_a_spoilt_cache_is_downloaded_anew(release: Release, toy_model: Path) -> None:
    download("toy").write_bytes(b"spoilt")
    assert download("toy").read_bytes() == toy_model.read_bytes()
    assert len(release.requests) == 2
    assert release.cached() == ["toy.onnx"]


def test_a_broken_download_leaves_nothing(release: Release, capsys: pytest.CaptureFixture[str]) -> None:
    (release.folder / "toy.onnx").unlink()
    with pytest.raises(
        ConnectionError,
        match=r"YOLOXFAST_MODELS, which is not set, and http.* could not be read: the server answers 404 Not Found",
    ):
        download("toy")
    assert release.cached() == []
    assert "%" not in capsys.readouterr().err


def test_a_download_that_breaks_off_starts_anew(release: Release, toy_model: Path) -> None:
    release.hangs_up_halfway = True
    with pytest.raises(ConnectionError, match="could not be read"):
        download("toy")
    assert release.cached() == []
    release.hangs_up_halfway = False
    assert download("toy").read_bytes() == toy_model.read_bytes()


def test_a_folder_of_models_comes_first(
    release: Release, tmp_path: Path, toy_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    monkeypatch.setenv(models.MODELS_VARIABLE, str(folder))
    (folder / "toy.onnx").write_bytes(toy_model.read_bytes())
    assert download("toy") == folder / "toy.onnx"
    assert release.requests == []
    (folder / "toy.onnx").write_bytes(b"another model")
    with pytest.raises(ModelError, match=r"is not the official toy\.onnx: expected .* got 13 bytes"):
        Detector("toy")
    assert (folder / "toy.onnx").read_bytes() == b"another model"
    (folder / "toy.onnx").unlink()
    assert download("toy").parent == release.cache


def test_a_server_out_of_reach_says_what_to_do(release: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv(models.MODELS_VARIABLE, "/somewhere/empty")
    with pytest.raises(
        ConnectionError, match=r"^toy\.onnx is not in .*/empty, and http.* could not be read: .*refused$"
    ):
        download("toy")
    assert release.cached() == []


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(ValueError, match=r"unknown model 'yolox-xxl', expected one of yolox-nano, .*yolox-x"):
        download("yolox-xxl")
    with pytest.raises(FileNotFoundError, match="no model file yolox-xxl; models with names are demo, yolox-nano, "):
        Detector("yolox-xxl")
    with pytest.raises(ValueError, match="name is empty"):
        Detector("")


@pytest.mark.parametrize(("name", "file"), [("yolox-m", "yolox_m.onnx"), ("yolox_darknet", "yolox_darknet.onnx")])
def test_a_model_that_cannot_be_verified_is_not_downloaded(
    name: str, file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    reason = f"the SHA-256 of {file} is not known, so download https://github.com/.*/{file} yourself and pass its path"
    for model in (name, file):
        with pytest.raises(FileNotFoundError, match=f"no model file {model}; {reason}"):
            Detector(model)
    with pytest.raises(ValueError, match=f"{name}: {reason}"):
        download(name)
    with pytest.raises(SystemExit):
        main(["download", name])
    assert re.search(f"argument NAME: {name}: {reason}", capsys.readouterr().err)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_yoloxs_own_names_mean_the_same_models(
    toy_model: Path, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    content = toy_model.read_bytes()
    toy = OfficialModel("yolox_toy.onnx", len(content), hashlib.sha256(content).hexdigest())
    monkeypatch.setattr(models, "OFFICIAL_MODELS", {"yolox-toy": toy})
    monkeypatch.setenv(models.MODELS_VARIABLE, str(here / "models"))
    official = here / "models/yolox_toy.onnx"
    official.parent.mkdir()
    official.write_bytes(content)
    (here / "yolox_toy").mkdir()  # what YOLOX calls the folder of a training
    assert find_model("yolox_toy") == find_model("yolox-toy") == download("yolox_toy") == official
    assert main(["download", "yolox_toy"]) == 0
    assert capsys.readouterr().out == f"{official}\n"
    with Detector("yolox_toy") as detector:
        again = pickle.loads(pickle.dumps(detector))
        assert (again.num_classes, again.network.path) == (3, official)
        again.close()


def test_a_file_comes_before_yoloxs_own_name(toy_model: Path, here: Path) -> None:
    (here / "yolox_s").write_bytes(toy_model.read_bytes())
    assert find_model("yolox_s") == Path("yolox_s")
    with Detector("yolox_s", backend="onnxruntime") as detector:
        assert detector.num_classes == 3
        assert pickle.loads(pickle.dumps(detector)).network.path == here / "yolox_s"


def test_a_name_with_a_suffix_is_a_file(toy_model: Path, here: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"^no model file yolox_s\.onnx; the official model is named yolox-s$"):
        Detector("yolox_s.onnx")
    (here / "yolox_s.onnx").write_bytes(toy_model.read_bytes())
    assert find_model("yolox_s.onnx") == Path("yolox_s.onnx")
    with pytest.raises(FileNotFoundError, match=r"^no model file elsewhere/yolox_s\.onnx$"):
        Detector("elsewhere/yolox_s.onnx")
    with pytest.raises(FileNotFoundError, match=r"^no model file yolox_s\.engine$"):
        find_model("yolox_s.engine")


def test_a_cache_that_cannot_be_written_is_named(release: Release, tmp_path: Path) -> None:
    release.cache = tmp_path / "file/cache"
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        download("toy")


def test_nothing_is_downloaded_for_a_runtime_that_is_missing(release: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.delitem(sys.modules, "yoloxfast.backends.onnxruntime", raising=False)
    with pytest.raises(MissingDependencyError, match=re.escape(how_to_install("cpu"))):
        Detector("toy")
    assert release.requests == []


def test_pooch_missing_says_how_to_install_it(release: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(
        MissingDependencyError, match=f"^pooch is not installed: {re.escape(how_to_install('download'))}$"
    ):
        download("toy")
    assert release.requests == []


def test_the_official_nano_is_found_offline(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(models.MODELS_VARIABLE, str(data / "models"))
    with Detector("yolox-nano") as detector:
        assert detector.input_size == (416, 416)
        assert detector.names[0] == "person"
