"""``python -m explorer`` is the command line. Ctrl-C ends it without a traceback, also while it is still being loaded."""

import sys

try:
    from explorer.cli import run

    run()
except KeyboardInterrupt:
    sys.exit(130)
