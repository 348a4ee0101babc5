"""`python -m gradcompile` is the command `gradcompile`."""

import sys

from gradcompile.cli import main

sys.exit(main())
