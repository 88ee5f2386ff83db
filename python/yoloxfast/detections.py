"""What was found in one image."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from yoloxfast.arguments import checked_size
from yoloxfast.classes import COCO_CATEGORY_IDS, COCO_NAMES
from yoloxfast.errors import missing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import supervision
    from numpy.typing import NDArray

__all__ = ["Detection", "Detections"]

_SHOWN = 5
_REAL = "fiu"


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """One detected object.

    Attributes
    ----------
    xyxy : ndarray of float32, (4,)
        `x1, y1, x2, y2` in image pixels.
    score : float
        Objectness times class score, 0..1.
    class_id : int
    name : str
        Name of the class.
    """

    xyxy: NDArray[np.float32]
    score: float
    class_id: int
    name: str


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Detections:
    """What was found in one image, best score first: parallel arrays, of length 0 if nothing was found.

    Boxes may reach beyond the image: they are what the network says, as in YOLOX's evaluator; `clip` clips them.

    Iteration gives a `Detection` each. An integer index gives one `Detection`; a slice, a boolean mask or an array of
    integers gives the `Detections` selected, in that order.

    Attributes
    ----------
    xyxy : ndarray of float32, (N, 4)
        `x1, y1, x2, y2` in image pixels.
    scores : ndarray of float32, (N,)
        Objectness times class score, 0..1.
    class_ids : ndarray of int64, (N,)
    names : tuple of str
        Names of all classes of the model: `names[class_id]`.

    Raises
    ------
    TypeError
        Not arrays, or class ids that are not whole numbers.
    ValueError
        Arrays of other shapes, a box or score that is not finite, or a class id without a name.
    """

    xyxy: NDArray[np.float32]
    scores: NDArray[np.float32]
    class_ids: NDArray[np.int64]
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        for array in (self.xyxy, self.scores, self.class_ids):
            if not isinstance(array, np.ndarray):
                raise TypeError(f"expected NumPy arrays, got {type(array).__name__}")
        if not isinstance(self.names, tuple):
            object.__setattr__(self, "names", tuple(self.names))
        count = self.scores.size
        if self.scores.shape != (count,) or self.xyxy.shape != (count, 4) or self.class_ids.shape != (count,):
            raise ValueError(
                "expected boxes (N, 4), scores (N,) and class_ids (N,),"
                f" got {self.xyxy.shape}, {self.scores.shape} and {self.class_ids.shape}"
            )
        if count == 0:
            object.__setattr__(self, "class_ids", self.class_ids.astype(np.int64))
        self._check_values()

    def _check_values(self) -> None:
        if not np.issubdtype(self.class_ids.dtype, np.integer):
            raise TypeError(f"expected class_ids of whole numbers, got {self.class_ids.dtype}")
        for array in (self.xyxy, self.scores):
            if array.dtype.kind not in _REAL:
                raise TypeError(f"expected boxes and scores of real numbers, got {array.dtype}")
            if not np.isfinite(array).all():
                raise ValueError("expected boxes and scores that are finite, got NaN or infinity")
        unnamed = self.class_ids[(self.class_ids < 0) | (self.class_ids >= len(self.names))]
        if unnamed.size > 0:
            raise ValueError(
                f"expected class ids from 0 to {len(self.names) - 1}, as there are names, got {unnamed[0]}"
            )

    def __repr__(self) -> str:
        best = [f"{found.name} {found.score:.2f}" for found in self[:_SHOWN]]
        more = ["…"] if len(self) > _SHOWN else []
        return f"<{len(self)} Detections: {', '.join(best + more)}>" if best else "<0 Detections>"

    def __len__(self) -> int:
        return len(self.scores)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Detections):
            return NotImplemented
        return (
            np.array_equal(self.xyxy, other.xyxy)
            and np.array_equal(self.scores, other.scores)
            and np.array_equal(self.class_ids, other.class_ids)
            and self.names == other.names
        )

    __hash__ = None  # type: ignore[assignment]  # arrays can change

    def __iter__(self) -> Iterator[Detection]:
        return (self._detection(index) for index in range(len(self)))

    @overload
    def __getitem__(self, index: int | np.integer[Any]) -> Detection: ...
    @overload
    def __getitem__(self, index: slice | Sequence[int] | Sequence[bool] | NDArray[Any]) -> Detections: ...
    def __getitem__(self, index: Any) -> Detection | Detections:
        if isinstance(index, (int, np.integer)):
            return self._detection(int(index))
        if not isinstance(index, slice):
            index = np.asarray(index)
            if index.ndim != 1 or (index.dtype == np.bool_ and len(index) != len(self)):
                raise IndexError(f"expected indices in one dimension, or {len(self)} booleans, got {index.shape}")
            index = index.astype(np.int64) if index.size == 0 else index
        return unchecked(self.xyxy[index], self.scores[index], self.class_ids[index], self.names)

    def _detection(self, index: int) -> Detection:
        class_id = int(self.class_ids[index])
        return Detection(self.xyxy[index], float(self.scores[index]), class_id, self.names[class_id])

    def clip(self, shape: Sequence[int]) -> Detections:
        """Return the same with boxes clipped to an image: before crops, or where other code expects boxes inside it.

        A box outside the image stays, so that numbers still fit: it lies on the edge, with a width or height of 0.

        Parameters
        ----------
        shape : (height, width) or (height, width, channels)
            Of the image: `image.shape`.

        Raises
        ------
        TypeError, ValueError
            Not such a shape.

        Examples
        --------
        >>> found = detector.detect(image).clip(image.shape)
        >>> inside = found[(found.xyxy[:, 2:] > found.xyxy[:, :2]).all(axis=1)]
        """
        height, width = checked_size(shape[:2] if isinstance(shape, (list, tuple)) else shape, "shape")
        clipped = np.clip(self.xyxy, 0, (width, height) * 2).astype(self.xyxy.dtype)
        return unchecked(clipped, self.scores, self.class_ids, self.names)

    def draw(self, image: NDArray[Any]) -> NDArray[np.uint8]:
        """Draw the boxes with names and scores on a copy of the image.

        Names beyond ASCII need OpenCV 5; earlier versions draw question marks.

        Parameters
        ----------
        image : ndarray of uint8, (height, width, 3)
            BGR.

        Returns
        -------
        ndarray of uint8, (height, width, 3)
            The copy; lines and letters grow with the image.

        Raises
        ------
        TypeError, ValueError
            Not such an image.
        MissingDependencyError
            OpenCV is not installed or cannot be loaded.
        """
        from yoloxfast.drawing import draw

        labels = [f"{found.name} {found.score:.2f}" for found in self]
        return draw(image, self.xyxy, self.class_ids.tolist(), labels)

    def to_dict(self) -> dict[str, Any]:
        """Return plain Python values.

        Returns
        -------
        dict
            `{"detections": [{"xyxy": [x1, y1, x2, y2], "score": …, "class_id": …, "name": …}, …]}`. The numbers have as
            many digits as tell float32 values apart.
        """
        boxes, scores, class_ids = _shortest(self.xyxy), _shortest(self.scores), self.class_ids.tolist()
        return {
            "detections": [
                {"xyxy": xyxy, "score": score, "class_id": class_id, "name": self.names[class_id]}
                for xyxy, score, class_id in zip(boxes, scores, class_ids, strict=True)
            ]
        }

    def to_json(self) -> str:
        """Return `to_dict()` as one line of JSON."""
        import json

        return json.dumps(self.to_dict())

    def to_coco(self, image_id: int, category_ids: Sequence[int] | None = None) -> list[dict[str, Any]]:
        """Return entries of a COCO results file.

        Parameters
        ----------
        image_id : int
            Id of the image in the annotation file.
        category_ids : sequence of int, optional
            Category id of each class. By default COCO's own (1 to 90) for COCO's 80 names, else the class ids.

        Returns
        -------
        list of dict
            `{"image_id": …, "category_id": …, "bbox": [x, y, width, height], "score": …}` in image pixels.

        Raises
        ------
        ValueError
            Not one category id per class.
        """
        if category_ids is None:
            category_ids = COCO_CATEGORY_IDS if self.names == COCO_NAMES else range(len(self.names))
        elif len(category_ids) != len(self.names):
            raise ValueError(f"got {len(category_ids)} category ids for {len(self.names)} classes")
        xywh = self.xyxy.astype(np.float64)
        xywh[:, 2:] -= xywh[:, :2]
        return [
            {"image_id": int(image_id), "category_id": int(category_ids[class_id]), "bbox": bbox, "score": score}
            for class_id, bbox, score in zip(self.class_ids.tolist(), xywh.tolist(), self.scores.tolist(), strict=True)
        ]

    def to_supervision(self) -> supervision.Detections:
        """Return `supervision.Detections`, the class names under `data["class_name"]`.

        Raises
        ------
        MissingDependencyError
            supervision is not installed.
        """
        try:
            import supervision
        except ImportError as error:
            raise missing("supervision", error, extra="supervision") from error
        return supervision.Detections(
            xyxy=self.xyxy.copy(),
            confidence=self.scores.copy(),
            class_id=self.class_ids.copy(),
            data={"class_name": np.array([self.names[class_id] for class_id in self.class_ids], dtype=str)},
        )


_SET_FIELDS = tuple(Detections.__dict__[field.name].__set__ for field in fields(Detections))


def unchecked(
    xyxy: NDArray[np.float32], scores: NDArray[np.float32], class_ids: NDArray[np.int64], names: tuple[str, ...]
) -> Detections:
    """Build `Detections` from core arrays without validation, in half the time."""
    detections = object.__new__(Detections)
    set_xyxy, set_scores, set_class_ids, set_names = _SET_FIELDS
    set_xyxy(detections, xyxy)
    set_scores(detections, scores)
    set_class_ids(detections, class_ids)
    set_names(detections, names)
    return detections


def _shortest(values: NDArray[np.float32]) -> Any:
    """Convert to Python floats with the fewest digits that are still the same float32."""
    return values.astype(np.str_).astype(np.float64).tolist()
