"""What the specification finds: YOLOX's steps by `yoloxfast.reference`, through a session of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime as ort

from yoloxfast import Detections, reference
from yoloxfast.input_format import PixelOptions

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


DTYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}


def expected(
    model: Path,
    image: NDArray[np.uint8],
    size: tuple[int, int],
    **options: Any,
) -> Detections:
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    (network_input,) = session.get_inputs()
    batch, *shape = network_input.shape
    tensor = np.empty(shape, DTYPES[network_input.type])
    of_pixels = {name: options.pop(name) for name in PixelOptions.__annotations__ if name in options}
    in_cpp = options.get("semantics") == "cpp-demo"
    _, scale = reference.letterbox(image, size, out=tensor, **of_pixels, single_precision=in_cpp)
    (raw,) = session.run(None, {network_input.name: np.stack([tensor] * (batch if isinstance(batch, int) else 1))})
    strides = (8, 16, 32) if raw.shape[1] % 21 == 0 else (8, 16, 32, 64)
    return reference.postprocess(raw[0], size, strides, scale=scale, image_size=image.shape[:2], **options)
