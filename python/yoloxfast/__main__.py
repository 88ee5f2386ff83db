"""`python -m yoloxfast`."""

import sys

from yoloxfast.cli import main

if __name__ == "__main__":
    sys.exit(main())
