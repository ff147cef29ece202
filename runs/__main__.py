"""`python -m primacy.runs`: the same as the console command `primacy`."""

import sys

from primacy.runs.cli import main

sys.exit(main())
