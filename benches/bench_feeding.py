"""How often `yoloxfast doctor` names a wrong way of feeding: `BENCH_TURNS=1 pytest benches/bench_feeding.py -s`.

YOLOX-Nano, as it is and changed to want two other kinds of values, and draws from 100 photos of COCO val, or from 12
without BENCH_TURNS. Beside the sums of scores, which doctor compares, stand the numbers of these boxes.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import pytest

from fronted import FRONTS, put_in_front
from locations import DATA
from yoloxfast import Detector
from yoloxfast.feeding import MARGIN, FeedingTest
from yoloxfast.media.images import read_image

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

PHOTOS = 100 if "BENCH_TURNS" in os.environ else 12
DRAWS = 1000
RIGHT = {"": "BGR, 0 to 255", "0 to 1": "BGR, 0 to 1", "legacy": "RGB, normalised"}


@pytest.mark.skipif(not DATA.is_dir(), reason=f"real models and photos are not at hand: no folder {DATA}")
def test_draws_of_photos_name_the_right_way_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = sorted((DATA / "coco_val/images").iterdir())[:PHOTOS]
    measured = {}
    for front, right in RIGHT.items():
        model = DATA / "models/yolox_nano.onnx"
        if front:
            monkeypatch.setitem(FRONTS, front, ((1, 3, 416, 416), FRONTS[front][1]))
            model = put_in_front(front, model, tmp_path / "model.onnx")
        with Detector(model) as detector:
            measured[right] = measure(detector, photos)
    print("\nphotos  compared  named right  wrong  values right, order open")
    for count in (3, 6, 12, 25) if len(photos) > 25 else (3, 6):
        for column, compared in enumerate(("scores", "boxes")):
            of_models = [draw(values[..., column], names, right, count) for right, (names, values) in measured.items()]
            right, wrong, open_order = np.mean(of_models, axis=0)
            print(f"{count:6}  {compared:8}{right:13.1%}{wrong:7.1%}{open_order:26.1%}")
            assert compared == "boxes" or wrong < (0.01 if count > 3 else 0.05)


def measure(detector: Detector, photos: list[Path]) -> tuple[list[str], NDArray[np.float64]]:
    """Return the names of the ways of feeding, and of each photo the agreement and the number of boxes in each way."""
    values = []
    for photo in photos:
        test = FeedingTest(detector.network, detector.names)
        test.add(read_image(photo))
        values.append([(trial.agreement, trial.agreeing) for trial in test.trials])
    return [str(trial.feeding) for trial in test.trials], np.array(values)


def draw(values: NDArray[np.float64], names: list[str], right: str, count: int) -> NDArray[np.float64]:
    """Return the shares of draws that name the right way, a wrong one, and the right values with any order."""
    random = np.random.default_rng(0)
    shares = np.zeros(3)
    for _ in range(DRAWS):
        sums = values[random.choice(len(values), count, replace=False)].sum(axis=0)
        left = [name for name, value in zip(names, sums, strict=True) if value > (1 - MARGIN) * sums.max()]
        if len(left) == 1:
            shares[0 if left == [right] else 1] += 1
        elif left and {name.split(", ")[1] for name in left} == {right.split(", ")[1]}:
            shares[2] += 1
    return shares / DRAWS
