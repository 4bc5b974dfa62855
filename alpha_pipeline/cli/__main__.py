"""`python -m alpha_pipeline.cli`, the same as the console script."""

import sys

from alpha_pipeline.cli import main

sys.exit(main())
