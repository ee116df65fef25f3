"""``python -m streams.cli`` is ``monmouth``."""

import sys

from streams.cli import main

sys.exit(main())
