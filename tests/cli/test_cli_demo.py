from __future__ import annotations

import re
import socket
import sys
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from command_line import assert_fails
from yoloxfast import Detections, Detector
from yoloxfast.cli import main
from yoloxfast.cli.demo import compare
from yoloxfast.demo import CLASSES, Scene, draw_scene
from yoloxfast.errors import how_to_install
from yoloxfast.media.images import read_image

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_the_demo_shows_what_was_drawn_and_what_was_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "scene.png"
    assert main(["demo", "--seed", "7", "--output", str(picture)]) == 0
    scene = draw_scene(7)
    found = Detector("demo").detect(scene.image)
    assert len(found) > 0
    np.testing.assert_array_equal(read_image(picture), found.draw(scene.image))
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    height, width, _ = scene.image.shape
    assert lines[0].startswith(f"Scene 7: {len(scene.xyxy)} shapes on {width} x {height} pixels")
    for class_id, box in zip(scene.class_ids, scene.xyxy, strict=True):
        numbers = r"\s+".join(f"{value:.0f}" for value in box)
        assert re.search(rf"^{CLASSES[class_id]}\s+{numbers}\b", captured.out, re.MULTILINE)
    for detection in found:
        numbers = r"\s+".join(f"{value:.0f}" for value in detection.xyxy)
        assert re.search(rf"\s{detection.name}\s+{numbers}\s+{detection.score:.2f}\b", captured.out)
    times = re.findall(r"^(\S+) +([\d.]+) +([\d.]+) +([\d.]+)$", captured.out, re.MULTILINE)
    assert [step for step, *_ in times] == ["letterbox", "wait", "network", "post-processing"]
    assert all(0 < float(p50) <= float(p95) <= float(p99) for _, p50, p95, p99 in times)
    assert lines[-1].endswith(str(picture))
    assert max(map(len, lines[:-1])) <= 80
    assert captured.err == ""


def test_each_demo_draws_a_new_scene_into_one_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["demo"]) == main(["demo"]) == 0
    first, second = re.findall(r"^Scene (\d+):", capsys.readouterr().out, re.MULTILINE)
    assert first != second
    assert [path.name for path in tmp_path.iterdir()] == ["yoloxfast-demo.png"]
    assert read_image(tmp_path / "yoloxfast-demo.png").shape == draw_scene(int(second)).image.shape


def test_the_demo_needs_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert main(["demo", "--output", str(tmp_path / "scene.png")]) == 0


def test_shapes_and_detections_are_compared_by_overlap() -> None:
    star, ring, cross = (CLASSES.index(name) for name in ("star", "ring", "cross"))
    scene = Scene(
        image=np.zeros((100, 100, 3), np.uint8),
        xyxy=np.array([[0, 0, 10, 10], [50, 50, 70, 70], [80, 80, 90, 90]], np.float32),
        class_ids=np.array([star, ring, cross]),
    )
    detections = Detections(
        np.array([[50, 50, 70, 60], [0, 0, 10, 9], [1, 0, 10, 10], [20, 20, 30, 30]], np.float32),
        np.array([0.9, 0.8, 0.7, 0.6], np.float32),
        np.array([cross, star, star, ring]),
        CLASSES,
    )
    rows = [[" ".join(cell.split()) for cell in row] for row in compare(scene, detections)]
    assert rows == [
        ["star", "0 0 10 10", "star", "0 0 10 9", "0.80", "0.90"],
        ["ring", "50 50 70 70", "cross", "50 50 70 60", "0.90", "0.50"],
        ["cross", "80 80 90 90", "-", "", "", ""],
        ["-", "", "star", "1 0 10 10", "0.70", ""],
        ["-", "", "ring", "20 20 30 30", "0.60", ""],
    ]


def test_a_scene_without_shapes_or_detections_is_compared_too() -> None:
    nothing = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64), CLASSES)
    scene = Scene(np.zeros((9, 9, 3), np.uint8), np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
    assert compare(scene, nothing) == []
    assert len(compare(draw_scene(0), nothing)) == len(draw_scene(0).xyxy)


def test_bad_options_of_the_demo_are_one_line_and_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in ("-1", "one", str(2**32), "9" * 5000):
        message = f"argument --seed: expected a whole number from 0 to 4294967295, got {seed[:20]} "
        assert_fails(capsys, "demo", "--seed", seed, message=message)
    for name in ("scene.doc", "scene"):
        message = f"{name} is not an image file name, expected one that ends in .bmp, "
        assert_fails(capsys, "demo", "--output", tmp_path / name, message=message)
    message = f"{tmp_path} is a folder, expected a file such as yoloxfast-demo.png"
    assert_fails(capsys, "demo", "--output", tmp_path, message=message)
    (tmp_path / "file").touch()
    for name, reason in (("file/a.png", "Not a directory"), ("missing/a.png", "No such file or directory")):
        assert_fails(capsys, "demo", "--output", tmp_path / name, message=f"{name}: {reason}")
    assert_fails(capsys, "demo", "photo.jpg", message="unrecognized arguments: photo.jpg")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_demo_says_how_to_install_what_it_needs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tabulate", None)
    assert_fails(capsys, "demo", message=f"tabulate is not installed: {how_to_install('tools')}")
