"""Store what the specification finds with the demo network; `make demo-network` runs it after training."""

from __future__ import annotations

import json
from hashlib import sha256
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np

from golden import options_of
from locations import DEMO_GOLDEN
from specification import expected
from yoloxfast.demo import draw_scene
from yoloxfast.models import DEMO_MODEL

if TYPE_CHECKING:
    from yoloxfast import Detections

FIRST_SEED = 1000
SCENES = 25
MODES = ("eval_0.3_0.45", "eval_0.01_0.65", "agnostic_0.3_0.45")
SIZE = (256, 256)
LEAST_GAP = 1e-5
"""Between two scores, or a score and the threshold: other CPUs differ by less, so order and number are the same."""


def main() -> None:
    scenes: dict[int, dict[str, Any]] = {}
    for seed in count(FIRST_SEED):
        image = draw_scene(seed).image
        found = {mode: expected(DEMO_MODEL, image, SIZE, **options_of(mode)) for mode in MODES}
        if all(is_clear(found[mode], options_of(mode)["score_threshold"]) for mode in MODES):
            scenes[seed] = {"sha256": sha256(image.tobytes()).hexdigest()} | {mode: rows(found[mode]) for mode in MODES}
        if len(scenes) == SCENES:
            break
    lines = [f'    "{seed}": {json.dumps(facts)}' for seed, facts in scenes.items()]
    network = sha256(DEMO_MODEL.read_bytes()).hexdigest()
    DEMO_GOLDEN.write_text(f'{{\n  "network": "{network}",\n  "scenes": {{\n' + ",\n".join(lines) + "\n  }\n}\n")


def is_clear(found: Detections, score_threshold: float) -> bool:
    return bool((-np.diff(found.scores, append=score_threshold) > LEAST_GAP).all())


def rows(found: Detections) -> list[list[float]]:
    boxes, scores, class_ids = found.xyxy.tolist(), found.scores.tolist(), found.class_ids.tolist()
    return [
        [*(round(corner, 4) for corner in box), round(score, 7), class_id]
        for box, score, class_id in zip(boxes, scores, class_ids, strict=True)
    ]


if __name__ == "__main__":
    main()
