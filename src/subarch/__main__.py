"""``python -m subarch``."""

import sys

from subarch.cli import main

sys.exit(main())
