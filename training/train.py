"""Train the demo network and export it: `make demo-network`.

A YOLOX of pixeltable-yolox, trained on scenes that `yoloxfast.demo` draws: each is seen once, so nothing can be learnt
by heart. Everything is seeded: the same machine with the packages of requirements.txt gives the same file again.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm
from yolox.config import YoloxConfig

import yoloxfast
from export import export
from yoloxfast.demo import CLASSES, draw_scene
from yoloxfast.demo.scenes import SHAPES

if TYPE_CHECKING:
    from numpy.typing import NDArray

OUTPUT = Path(__file__).parent.parent / "python/yoloxfast/demo/shapes.onnx"
SEED = 3
INPUT_SIZE = (256, 256)
WIDTH, DEPTH = 0.125, 0.33  # half of YOLOX-Nano's width, but with plain convolutions

STEPS = 5000
BATCH = 16
LEARNING_RATE = 2e-3
WARM_UP = 0.05  # of the steps
WEIGHT_DECAY = 5e-4
THREADS = 2  # sums are split among them: another number gives other last digits

TRAINING_SCENES = 1
"""First part of their seeds: seen as one number, as seeds of tests and demo are, they are 1 and those above 2**32."""


class Scenes(Dataset):  # type: ignore[misc]  # torch is not installed where types are checked
    """Tensors and labels as YOLOX's loss wants them: class, center x and y, width, height in input pixels."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def __len__(self) -> int:
        return self.steps * BATCH

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        scene = draw_scene((TRAINING_SCENES, index))
        tensor, scale = yoloxfast.letterbox(scene.image, INPUT_SIZE)
        corners = scene.xyxy * scale
        labels = np.zeros((SHAPES[1], 5), np.float32)
        rows = labels[: len(corners)]
        rows[:, 0] = scene.class_ids
        rows[:, 1:3] = (corners[:, :2] + corners[:, 2:]) / 2
        rows[:, 3:5] = corners[:, 2:] - corners[:, :2]
        return tensor, labels


def use_one_thread(_: int) -> None:
    cv2.setNumThreads(1)


def build() -> torch.nn.Module:
    config = YoloxConfig("demo")
    config.num_classes, config.width, config.depth = len(CLASSES), WIDTH, DEPTH
    model: torch.nn.Module = config.get_model()
    return model


def train(steps: int) -> torch.nn.Module:
    """Return the network after that number of steps."""
    torch.manual_seed(SEED)
    torch.set_num_threads(THREADS)
    torch.use_deterministic_algorithms(mode=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # no need: nothing reads it
    model = build().to(memory_format=torch.channels_last)
    model.head.use_l1 = True  # YOLOX adds the L1 loss when its augmentation ends; here nothing is augmented
    weights = [weight for weight in model.parameters() if weight.ndim > 1]
    offsets = [weight for weight in model.parameters() if weight.ndim == 1]
    groups = [{"params": weights, "weight_decay": WEIGHT_DECAY}, {"params": offsets, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps, pct_start=WARM_UP)

    batches = DataLoader(Scenes(steps), BATCH, num_workers=2, worker_init_fn=use_one_thread)
    for step, (images, labels) in enumerate(progress := tqdm(batches)):
        losses = model(images.to(memory_format=torch.channels_last), labels)
        optimizer.zero_grad()
        losses["total_loss"].backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 10)
        optimizer.step()
        schedule.step()
        if step % 20 == 0:
            progress.set_postfix(
                {name: f"{float(torch.as_tensor(loss).detach()):.2f}" for name, loss in losses.items()}
            )
    return model.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=OUTPUT, help="the ONNX file (default: that in the package)")
    parser.add_argument("--steps", type=int, default=STEPS, help="fewer, to try things out")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", category=FutureWarning, module="yolox")
    export(train(options.steps), INPUT_SIZE, options.output)


if __name__ == "__main__":
    main()
