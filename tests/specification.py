"""What the specification finds: YOLOX's steps by `yoloxfast.reference`, through a session of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime as ort

from yoloxfast import Detections, reference

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def expected(model: Path, image: NDArray[np.uint8], size: tuple[int, int], **options: Any) -> Detections:
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    (network_input,) = session.get_inputs()
    tensor, scale = reference.letterbox(image, size)
    dtype = np.float16 if network_input.type == "tensor(float16)" else np.float32
    batch = network_input.shape[0] if isinstance(network_input.shape[0], int) else 1
    (raw,) = session.run(None, {network_input.name: np.stack([tensor.astype(dtype)] * batch)})
    strides = (8, 16, 32) if raw.shape[1] % 21 == 0 else (8, 16, 32, 64)
    return reference.postprocess(raw[0], size, strides, scale=scale, **options)
