"""The forms that tests/support makes of a network hold the numbers of the raw rows that it gave: undone in NumPy."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest

import toy_network
from edited import SIZE, demo, run, scenes
from forms import AMBIGUOUS, BOX_FORMS, DYNAMIC_FORMS, FORMS, LOOKALIKES, ROW_FORMS
from tail import levels

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edited import Array
    from forms import Edit

    Undo = Callable[[list[Array]], Array]

STRIDES = (8, 16, 32)


def sigmoid(values: Array) -> Array:
    return 1 / (1 + np.exp(-values))


def encoded(rows: Array) -> Array:
    """Turn decoded boxes into raw ones."""
    raw = rows.astype(np.float64)
    for (start, stop, _, width), stride in zip(levels(SIZE), STRIDES, strict=True):
        y, x = np.divmod(np.arange(stop - start), width)
        raw[:, start:stop, :2] = raw[:, start:stop, :2] / stride - np.stack([x, y], axis=1)
        raw[:, start:stop, 2:4] = np.log(raw[:, start:stop, 2:4] / stride)
    return raw


def with_sigmoid(rows: Array) -> Array:
    return np.concatenate([rows[..., :4], sigmoid(rows[..., 4:])], axis=-1)


def flat(level: Array) -> Array:
    return level.reshape(*level.shape[:2], -1).transpose(0, 2, 1)


def of_maps(outputs: list[Array]) -> Array:
    return np.concatenate([flat(level) for level in outputs], axis=1)


def of_nine(outputs: list[Array], order: str = "levels") -> Array:
    parts = {
        "levels": [outputs[0::3], outputs[1::3], outputs[2::3]],
        "kinds": [outputs[3:6], outputs[6:9], outputs[0:3]],
    }
    return np.concatenate([of_maps(part) for part in parts[order]], axis=2)


def first_rows(outputs: list[Array]) -> Array:
    (output,) = outputs
    return output


def channels_last(outputs: list[Array]) -> list[Array]:
    return [output.transpose(0, 3, 1, 2) for output in outputs]


UNDO: dict[str, Undo] = {
    "rows": first_rows,
    "decoded": lambda outputs: encoded(outputs[0]),
    "logits": lambda outputs: with_sigmoid(outputs[0]),
    "channels first": lambda outputs: outputs[0].transpose(0, 2, 1),
    "decoded, channels first": lambda outputs: encoded(outputs[0].transpose(0, 2, 1)),
    "logits, channels first": lambda outputs: with_sigmoid(outputs[0].transpose(0, 2, 1)),
    "maps": of_maps,
    "maps, stride 32 first": lambda outputs: of_maps(outputs[::-1]),
    "maps, channels last": lambda outputs: of_maps(channels_last(outputs)),
    "maps of logits": lambda outputs: with_sigmoid(of_maps(outputs)),
    "nine maps": of_nine,
    "nine maps, by kind": partial(of_nine, order="kinds"),
    "nine maps, channels last": lambda outputs: of_nine(channels_last(outputs)),
    "nine maps of logits": lambda outputs: with_sigmoid(of_nine(outputs)),
    "nine maps of logits, by kind": lambda outputs: with_sigmoid(of_nine(outputs, "kinds")),
    "extra columns": lambda outputs: outputs[0][..., :-3],
    "extra columns of ones": lambda outputs: outputs[0][..., :-3],
    "strides 8 to 64": lambda outputs: outputs[0][:, :-16],
    "strides 4 to 32": lambda outputs: outputs[0][:, 4096:],
    "decoded, strides 8 to 64": lambda outputs: encoded(outputs[0][:, :-16]),
    "maps, strides 8 to 64": lambda outputs: of_maps(outputs[:3]),
    "maps, strides 4 to 32": lambda outputs: of_maps(outputs[1:]),
    "dynamic size": first_rows,
    "dynamic size, logits": lambda outputs: with_sigmoid(outputs[0]),
}
"""Of each form that is made of all raw rows: how to get them back from the outputs in their order."""


@pytest.mark.parametrize("name", UNDO)
def test_a_form_holds_the_raw_rows(name: str) -> None:
    for image in scenes():
        (raw,) = run(demo(), image[None]).values()
        found = UNDO[name](list(run(FORMS[name].edit(demo()), image[None]).values()))
        if "decoded" in name or "logits" in name:
            np.testing.assert_allclose(found, raw, rtol=0, atol=2e-5)
        else:
            np.testing.assert_array_equal(found, raw)


def test_rows_of_stride_8_are_cut_off_or_silent() -> None:
    form, image = FORMS["strides 16, 32"], scenes()[:1]
    (raw,) = run(demo(), image).values()
    (cut,) = run(form.edit(demo()), image).values()
    (silent,) = run(form.twin(demo()), image).values()
    np.testing.assert_array_equal(cut, raw[:, 1024:])
    np.testing.assert_array_equal(silent[:, 1024:], cut)
    assert (silent[:, :1024, 4] == 0).all()


def test_rows_of_further_levels_are_zeros() -> None:
    image = scenes()[:1]
    for name, more in (("strides 8 to 64", slice(-16, None)), ("strides 4 to 32", slice(0, 4096))):
        (found,) = run(FORMS[name].edit(demo()), image).values()
        assert (found[:, more] == 0).all()


@pytest.mark.parametrize("name", [*ROW_FORMS, *BOX_FORMS])
def test_outputs_in_float16_are_rounded(name: str) -> None:
    form, image = FORMS[f"{name}, float16"], scenes()[:1]
    full, half = run(FORMS[name].edit(demo()), image), run(form.edit(demo()), image)
    assert list(half) == list(full)
    for output, values in full.items():
        if values.dtype == np.float32:
            assert half[output].dtype == np.float16
        np.testing.assert_array_equal(half[output], values.astype(half[output].dtype))
    if name in UNDO:
        (twin,) = run(form.twin(demo()), image).values()
        found = UNDO[name]([output.astype(np.float32) for output in half.values()])
        np.testing.assert_allclose(found, twin, rtol=0, atol=2e-5)
        assert twin.dtype == np.float32


def test_every_form_of_rows_is_undone() -> None:
    assert set(UNDO) == {*ROW_FORMS, *DYNAMIC_FORMS} - {"strides 16, 32"}


@pytest.mark.parametrize("size", [(256, 256), (96, 64), (160, 320)])
def test_a_dynamic_size_gives_the_rows_of_any(size: tuple[int, int]) -> None:
    image = np.full((1, 3, *size), 114, np.float32)
    for name in ("dynamic size", "dynamic size, logits"):
        (found,) = run(FORMS[name].edit(demo()), image).values()
        assert found.shape == (1, sum(stop - start for start, stop, *_ in levels(size)), 13)


@pytest.mark.parametrize("batch", [1, 4, "batch"])
@pytest.mark.parametrize("name", FORMS)
def test_each_form_of_a_batch_holds_what_its_images_give_alone(name: str, batch: int | str, tmp_path: Path) -> None:
    one, many = (
        FORMS[name].edit(onnx.load(toy_network.build(tmp_path / "toy.onnx", batch=size))) for size in (1, batch)
    )
    images = np.random.default_rng(1).integers(0, 256, (4, 3, *toy_network.SIZE)).astype(np.float32)
    alone = [run(one, image[None]) for image in images]
    together = [run(many, image[None]) for image in images] if batch == 1 else [run(many, images)]
    for output in alone[0]:
        expected = np.concatenate([outputs[output] for outputs in alone])
        if "NonMaxSuppression" in name:
            expected[:, 0] = np.repeat(range(4), [len(outputs[output]) for outputs in alone])
        found = np.concatenate([outputs[output] for outputs in together])
        if batch == 1 and "NonMaxSuppression" in name:
            expected[:, 0] = 0
        np.testing.assert_allclose(found.astype(np.float64), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("edit", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_ambiguous_outputs_have_one_shape(edit: Edit) -> None:
    first, second = run(edit(demo()), scenes()[:1]).values()
    assert first.shape == second.shape == (1, 1344, 13)


def test_lookalikes_have_the_shape_and_not_the_values() -> None:
    image = scenes()[:1]
    shapes = {}
    for name, edit in LOOKALIKES.items():
        (found,) = run(edit(demo()), image).values()
        shapes[name] = found.shape
        if "keypoints" in name:
            assert 600 < found[..., 5:].max() <= 700
    assert list(shapes.values()) == [(1, 1344, 21), (1, 1344, 25), (1, 12, 1344)]


@pytest.mark.parametrize("file", ["yolox_nano.onnx", "yolox_nano_384x640.onnx", "fish_nano.onnx"])
def test_every_form_can_be_made_of_real_networks(data: Path, file: str) -> None:
    model = onnx.load(data / "models" / file)
    for form in FORMS.values():
        onnx.checker.check_model(form.edit(model), full_check=True)
        onnx.checker.check_model(form.twin(model), full_check=True)
