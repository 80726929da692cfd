"""`python -m gadfly`, and so `accelerate launch -m gadfly train ...` for several devices."""

import sys

from gadfly.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
