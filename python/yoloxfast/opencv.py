"""The one place that imports OpenCV: whichever build of it is installed.

Detection does not need it. What reads, writes or draws images imports `cv2` from here when it is called. If OpenCV is
not installed or cannot be loaded, the error says in one sentence what to do.
"""

from __future__ import annotations

from yoloxfast.errors import missing

__all__ = ["cv2"]

_HEADLESS = "pip install opencv-python-headless, which needs no display and so runs in containers too"
_BUILDS = "opencv-python opencv-python-headless"  # they share a folder: a build is whole only if it is the only one

try:
    import cv2
    from cv2 import imdecode as _  # noqa: F401  # an uninstalled OpenCV may leave a folder, which is then an empty module
except (ImportError, AttributeError) as error:  # AttributeError: parts of two builds
    if isinstance(error, ModuleNotFoundError) and error.name == "cv2":
        raise missing("cv2", error, how=_HEADLESS) from error
    how = f"pip uninstall --yes {_BUILDS}, then {_HEADLESS}"
    raise missing("cv2", ImportError(str(error)), how=how) from error
