"""Where things lie."""

import os
from pathlib import Path

PROJECT = Path(__file__).parents[2]

DATA = Path(os.environ.get("YOLOXFAST_DATA", PROJECT / "../shared/data"))
"""Real models, photos and golden detections; may be absent."""

PYCUDA = Path(os.environ.get("YOLOXFAST_PYCUDA", PROJECT / ".venv-pycuda"))
"""What build_pycuda.py built; may be absent."""

DEMO_GOLDEN = Path(__file__).parent / "golden_demo.json"
"""What the specification found with the demo network; written by store_golden.py."""
