"""``python -m subarch``."""

import sys

from subarch.cli import main

if __name__ == "__main__":
    sys.exit(main())
