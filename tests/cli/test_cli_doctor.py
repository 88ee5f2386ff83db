"""How `yoloxfast doctor` finds out the way in which a network wants its images."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pytest

import yoloxfast
from command_line import assert_fails
from fronted import FRONTS, put_in_front
from yoloxfast.cli import main
from yoloxfast.cli.doctor import MAX_PHOTOS
from yoloxfast.demo import CLASSES, draw_scene
from yoloxfast.feeding import agreeing_scores
from yoloxfast.forms import Semantics
from yoloxfast.inference import Inference
from yoloxfast.media.images import read_image, write_image
from yoloxfast.models import DEMO_MODEL

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    """A folder of six scenes."""
    return draw_scenes(tmp_path / "scenes", 6)


def draw_scenes(folder: Path, count: int, *, blue: bool = True) -> Path:
    folder.mkdir()
    for seed in range(count):
        image = draw_scene(seed).image.copy()
        if not blue:
            image[..., 0] = 0
        write_image(folder / f"{seed}.png", image)
    return folder


def lines_of_python(text: str) -> list[str]:
    """Return the lines, after running each."""
    lines = re.findall(r"^    (detector = .*)$", text, re.MULTILINE)
    for line in lines:
        names: dict[str, Any] = {"yoloxfast": yoloxfast}
        exec(line, names)
        names["detector"].close()
    return lines


@pytest.mark.parametrize(
    ("front", "values", "options"),
    [
        ("", "0 to 255", ""),
        ("0 to 1", "0 to 1", ", scale=1 / 255"),
        ("legacy", "normalised", ", legacy=True"),
        (
            "normalised BGR",
            "normalised",
            ", scale=1 / 255, mean=(0.406, 0.456, 0.485), std=(0.225, 0.224, 0.229)",
        ),
    ],
)
def test_the_values_that_a_model_wants_are_named(
    scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], front: str, values: str, options: str
) -> None:
    model = put_in_front(front, DEMO_MODEL, tmp_path / "model.onnx") if front else DEMO_MODEL
    assert main(["doctor", str(model), str(scenes)]) == 0
    text = capsys.readouterr().out
    assert re.search(r"^input size +256 x 256 ", text, re.MULTILINE)
    assert "Run on 6 photos and the mirror image of each:" in text
    # Its scenes have shapes of any colour, so that the order of the channels makes no difference.
    assert f"Fits best: values {values}. Cannot tell whether BGR or RGB" in text
    lines = lines_of_python(text)
    assert len(lines) == 2
    assert f'detector = yoloxfast.Detector("{model}"{options})' in lines


def test_the_order_of_channels_that_a_model_wants_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = put_in_front("RGB without blue", DEMO_MODEL, tmp_path / "model.onnx")
    scenes = draw_scenes(tmp_path / "scenes", 6, blue=False)
    assert main(["doctor", str(model), str(scenes)]) == 0
    text = capsys.readouterr().out
    assert "Fits best: RGB, 0 to 255.\n" in text
    assert lines_of_python(text) == [f'detector = yoloxfast.Detector("{model}", input_color="rgb")']
    table = re.findall(r"^(\w+, [\w ]+?) +(\d+) +(\d+) +([\d.]+)$", text, re.MULTILINE)
    assert len(table) == 6
    agreements = [float(agreement) for *_, agreement in table]
    assert agreements == sorted(agreements, reverse=True)
    assert [feeding for feeding, *_ in table[:2]] == ["RGB, 0 to 255", "BGR, 0 to 255"]


@pytest.mark.parametrize(("front", "feedings"), [("grey plane", ["0 to 255", "0 to 1"])])
def test_a_grey_network_has_no_order_of_channels(
    scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], front: str, feedings: list[str]
) -> None:
    model = put_in_front(front, DEMO_MODEL, tmp_path / "model.onnx")
    assert main(["doctor", str(model), str(scenes)]) == 0
    text = capsys.readouterr().out
    assert re.findall(r"^(\w+ to \w+) +\d", text, re.MULTILINE) == feedings
    assert "Fits best: 0 to 255.\n" in text


def test_a_network_of_bytes_has_no_fractions(scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = put_in_front("pixels", DEMO_MODEL, tmp_path / "model.onnx", np.uint8)
    assert main(["doctor", str(model), str(scenes)]) == 0
    text = capsys.readouterr().out
    assert sorted(re.findall(r"^(\w+, .*?)  ", text, re.MULTILINE)) == ["BGR, 0 to 255", "RGB, 0 to 255"]


def test_few_photos_are_said_to_be_few(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = put_in_front("RGB without blue", DEMO_MODEL, tmp_path / "model.onnx")
    scenes = draw_scenes(tmp_path / "scenes", 3, blue=False)
    assert main(["doctor", str(model), *(str(scenes / f"{seed}.png") for seed in (0, 1))]) == 0
    text = capsys.readouterr().out
    assert "Cannot tell from 2 photos: pass at least 3, better 6 or more. Best so far:" in text
    assert len(lines_of_python(text)) == 1
    assert main(["doctor", str(model), str(scenes)]) == 0
    text = capsys.readouterr().out
    assert "Probably fits best: RGB, 0 to 255.\n3 photos may mislead: 6 or more are surer." in text


def test_nothing_found_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(6):
        write_image(tmp_path / f"{number}.png", np.full((60, 80, 3), 114, np.uint8))
    assert main(["doctor", "demo", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "Cannot tell: 0 boxes found in a photo and in its mirror image, too few." in text
    assert lines_of_python(text) == ['detector = yoloxfast.Detector("demo")']


def test_the_line_of_python_has_what_was_said_of_the_model(scenes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--num-classes", "8", "--strides", "8,16,32", "--no-decoded", "--input-size", "256,256"]
    assert main(["doctor", "demo", str(scenes / "0.png"), *options, "--threads", "1", "--device", "0"]) == 0
    lines = lines_of_python(capsys.readouterr().out)
    said = "input_size=[256, 256], num_classes=8, strides=[8, 16, 32], decoded=False, threads=1"
    assert f'detector = yoloxfast.Detector("demo", {said})' in lines


def test_boxes_are_counted_by_semantics(scenes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "demo", str(scenes)]) == 0
    counted = capsys.readouterr().out
    for semantics in get_args(Semantics):
        with yoloxfast.Detector("demo", semantics=semantics, score_threshold=0.3) as detector:
            count = sum(len(detector.detect(scenes / f"{seed}.png")) for seed in range(6))
        assert re.search(rf"Boxes in 6 photos at 0.3/0.45, by semantics: .*{semantics} {count}[,.]", counted)


def test_a_contact_sheet_shows_each_way_of_feeding(
    scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sheet = tmp_path / "sheet.png"
    write_image(scenes / "wide.png", np.full((2, 500, 3), 200, np.uint8))
    assert main(["doctor", "demo", str(scenes), "--output", str(sheet)]) == 0
    assert f"What is found in each way: {sheet}" in capsys.readouterr().out
    picture = read_image(sheet)
    assert picture.shape == (6 * 208, 6 * 244 - 4, 3)
    best, worst = picture[24:204], picture[5 * 208 + 24 : 5 * 208 + 204]
    assert (best != worst).any(axis=2).mean() > 0.01  # boxes, where nothing is found in the other


def test_photos_that_cannot_be_read_are_left_out(scenes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (scenes / "2.png").write_bytes(b"")
    assert main(["doctor", "demo", str(scenes), str(scenes / "none.png")]) == 0
    captured = capsys.readouterr()
    assert "Run on 5 photos" in captured.out
    assert f"{scenes / '2.png'}: the file is empty\n" in captured.err
    assert f"{scenes / 'none.png'}: No such file or directory\n" in captured.err


def test_of_many_photos_some_will_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(MAX_PHOTOS + 1):
        write_image(tmp_path / f"{number}.png", np.zeros((8, 8, 3), np.uint8))
    assert main(["doctor", "demo", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "Run on 26 photos, of 51, and the mirror image of each:" in text


def test_bad_photos_models_and_outputs_are_one_line_and_status_2(
    scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    doctor = ("doctor", "demo", scenes)
    (tmp_path / "text.onnx").write_text("hello")
    assert_fails(capsys, "doctor", tmp_path / "text.onnx", scenes, message="not a model that ONNX Runtime can load")
    assert_fails(capsys, "doctor", "demo", tmp_path / "*.gif", message="no file matches")
    assert_fails(capsys, *doctor, "--strides", "8,x", message="argument --strides: expected whole numbers with commas")
    assert_fails(capsys, *doctor, "--strides", "8,0", message="argument --strides: expected whole numbers with commas")
    assert_fails(capsys, *doctor, "--num-classes", "9", message="num_classes is 9, but the network has 8")
    assert_fails(capsys, *doctor, "--input-size", "256", message="input_size must be (height, width)")
    assert_fails(capsys, *doctor, "--decoded", message="decoded is True, but its boxes are not decoded")
    before = (scenes / "0.png").read_bytes()
    (tmp_path / "link.png").hardlink_to(scenes / "0.png")
    message = "is read or written already: choose another --output"
    for output in (scenes / "0.png", tmp_path / "link.png"):
        assert_fails(capsys, *doctor, "--output", output, message=message)
    model = shutil.copy(DEMO_MODEL, tmp_path / "model.png")
    assert_fails(capsys, "doctor", model, scenes, "--backend", "onnxruntime", "--output", model, message=message)
    assert_fails(capsys, *doctor, "--output", scenes, message="is a folder, expected a file such as sheet.jpg")
    assert_fails(capsys, *doctor, "--output", tmp_path / "sheet", message="sheet is not an image file name")
    assert (scenes / "0.png").read_bytes() == before


def test_photos_none_of_which_can_be_read_are_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.png").write_bytes(b"no image")
    assert main(["doctor", "demo", str(tmp_path / "a.png"), str(tmp_path / "b.png")]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert lines[-1] == "yoloxfast: error: none of the photos can be read"


def test_a_network_whose_output_is_always_refused_is_an_error(
    scenes: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise yoloxfast.ModelError("a score of 7, which YOLOX never gives")

    monkeypatch.setattr(Inference, "detect", refuse)
    assert main(["doctor", "demo", str(scenes)]) == 2
    assert capsys.readouterr().err == "yoloxfast: error: a score of 7, which YOLOX never gives\n"


def test_a_box_agrees_once_with_one_of_its_class() -> None:
    def detections(*boxes: tuple[int, int, int, int, int, float]) -> yoloxfast.Detections:
        rows = np.array(boxes, np.float32).reshape(-1, 6)
        return yoloxfast.Detections(rows[:, :4], rows[:, 5], rows[:, 4].astype(np.int64), CLASSES)

    found = detections((10, 0, 30, 20, 1, 0.9), (50, 0, 70, 20, 2, 0.8), (0, 30, 0, 30, 3, 0.7))
    mirrored = detections(
        (70, 1, 90, 20, 1, 0.7),  # the first, less exactly than
        (70, 0, 90, 20, 1, 0.6),  # this one
        (30, 0, 50, 20, 1, 0.5),  # where the second is, of another class
        (100, 30, 100, 30, 3, 0.4),  # a point
    )
    assert agreeing_scores(found, mirrored, width=100) == [pytest.approx(0.6)]
    assert agreeing_scores(found, detections(), width=100) == []
    assert agreeing_scores(detections(), detections(), width=100) == []


def test_real_photos_tell_orders_and_values(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = sorted((data / "coco_val/images").iterdir())[:12]
    plain = data / "models/yolox_nano.onnx"
    monkeypatch.setitem(FRONTS, "legacy", ((1, 3, 416, 416), FRONTS["legacy"][1]))
    legacy = put_in_front("legacy", plain, tmp_path / "legacy.onnx")
    for model, feeding in ((plain, "BGR, 0 to 255"), (legacy, "RGB, normalised")):
        assert main(["doctor", str(model), *map(str, photos)]) == 0
        text = capsys.readouterr().out
        assert f"Fits best: {feeding}.\n" in text
        with capsys.disabled():
            print(f"\n{text[text.index('Run on') :]}")
