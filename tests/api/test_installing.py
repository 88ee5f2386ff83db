"""How to install is said in one way: from the source, as long as anybody could publish another package of this name."""

from __future__ import annotations

import re
import shlex
from importlib.metadata import requires

import pytest

from locations import PROJECT
from yoloxfast.cli import main
from yoloxfast.errors import how_to_install

FOLDERS = ("python", "rust", "tests", "benches", "training", "assets")
TEXTS = (".md", ".py", ".pyi", ".rs", ".toml", ".txt")
FROM_PYPI = re.compile(
    r"""pip3?["',\s]+install(?:["',\s\\]|\bf["']|--?\w[\w-]*)*yoloxfast\b(?!\.)"""  # also over lines, and as a list
    r"""|\bpipx?\s+(?:run|download)\s+yoloxfast\b|\buvx?\s+(?:\w+\s+)*yoloxfast\b"""
    r"""|['"`\s]yoloxfast\[[\w,{}-]+\]['"`]"""
)


def texts() -> dict[str, str]:
    """Read what people read: sources and documents, but pyproject.toml, whose extras name one another."""
    files = [path for folder in FOLDERS for path in (PROJECT / folder).rglob("*") if path.suffix in TEXTS]
    files += [path for path in PROJECT.iterdir() if path.suffix in TEXTS or path.name == "Makefile"]
    return {
        path.relative_to(PROJECT).as_posix(): path.read_text()
        for path in files
        if "target" not in path.parts and path.name not in ("pyproject.toml", "test_installing.py")
    }


@pytest.mark.parametrize(
    "text",
    [
        "pip install yoloxfast",
        "pip install 'yoloxfast[cpu]'",
        "pip3 install --upgrade yoloxfast",
        '"pip install"\n    " yoloxfast"',
        '"to install it: pip install"\n    f" \'yoloxfast[{extra}]\'"',
        "[sys.executable, '-m', 'pip', 'install', '--quiet', 'yoloxfast']",
        "Packages: `yoloxfast[cpu]`",
        "uv pip install yoloxfast",
        "uvx yoloxfast demo",
    ],
)
def test_commands_that_take_the_package_from_pypi_are_found(text: str) -> None:
    assert FROM_PYPI.search(text)


@pytest.mark.parametrize(
    "text", [how_to_install("cpu"), "pip install '.[cpu]'; yoloxfast demo", "dist/yoloxfast-*.whl"]
)
def test_other_commands_are_not(text: str) -> None:
    assert not FROM_PYPI.search(text)


def test_nothing_says_to_install_a_package_that_anybody_could_publish() -> None:
    found = texts()
    assert {"README.md", "Makefile", "CHANGELOG.md", "python/yoloxfast/errors.py"} <= set(found)
    assert {name: match[0] for name, text in found.items() if (match := FROM_PYPI.search(text))} == {}
    assert "not on PyPI yet" in found["README.md"]


def test_one_file_says_how_to_install_the_package_and_one_how_to_install_opencv() -> None:
    naming = {name for name, text in texts().items() if name.startswith("python/") and re.search(r"\bpip\b", text)}
    assert naming == {"python/yoloxfast/errors.py", "python/yoloxfast/opencv.py"}


@pytest.mark.parametrize("command", [(), ("demo",), ("detect",), ("build",), ("info",), ("download",)], ids=str)
def test_help_says_how_to_install_in_the_one_way(command: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([*command, "--help"])
    text = capsys.readouterr().out
    assert not FROM_PYPI.search(text)
    assert text.count("pip install") == text.count(how_to_install("build,tensorrt")) == (command == ("build",))


def opencv_builds(extra: str | None) -> set[str]:
    """Return the builds of OpenCV that an extra brings, by itself or by another extra; or the package alone."""
    lines = requires("yoloxfast") or []
    if extra is None:
        return {line for line in lines if "opencv" in line and "extra ==" not in line}
    own = [line for line in lines if re.search(rf"extra == ['\"]{extra}['\"]", line)]
    builds = {match[0] for line in own if (match := re.match(r"opencv[\w-]*", line))}
    for line in own:
        if others := re.match(r"yoloxfast\[([\w,-]+)\]", line):
            builds |= {build for other in others[1].split(",") for build in opencv_builds(other)}
    return builds


@pytest.mark.parametrize("extra", [None, "cpu", "tools", "download", "build", "openvino", "tensorrt", "supervision"])
def test_whoever_has_an_opencv_gets_no_second_one(extra: str | None) -> None:
    assert opencv_builds(extra) == set()


@pytest.mark.parametrize(
    ("extra", "builds"),
    [
        ("headless", {"opencv-python-headless"}),
        ("opencv", {"opencv-python"}),
        ("dev", {"opencv-python-headless"}),
    ],
)
def test_extras_bring_one_build_of_opencv(extra: str, builds: set[str]) -> None:
    assert opencv_builds(extra) == builds


def test_the_commands_of_readme_that_read_or_draw_images_bring_an_opencv() -> None:
    blocks = re.findall(r"```sh\n(.*?)```", (PROJECT / "README.md").read_text(), re.DOTALL)
    blocks = [block for block in blocks if "pip install" in block]
    assert len(blocks) == 2
    for block in blocks:
        assert re.search(r"yoloxfast (demo|detect)", block)
        words = shlex.split(block, comments=True)
        extras = words[words.index("install") + 1].removeprefix(".[").removesuffix("]").split(",")
        assert set().union(*map(opencv_builds, extras)) == {"opencv-python-headless"}
