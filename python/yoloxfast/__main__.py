"""`python -m yoloxfast`."""

import sys

from yoloxfast.cli import command

if __name__ == "__main__":
    sys.exit(command())
