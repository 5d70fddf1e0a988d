"""Where things are."""

import os
from pathlib import Path

# The folder of the interop tests.
HERE = Path(__file__).resolve().parent.parent
# The repository.
ROOT = HERE.parent.parent
# What cargo and we build; nothing else is written to.
TARGET = (ROOT / (os.environ.get("CARGO_TARGET_DIR") or "target")).resolve()
# Installed packages, kept between runs.
INSTALLED = TARGET / "interop"
