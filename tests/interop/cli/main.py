"""Checks of Salesforce's CLI against the sandbox: `main.py access` or `main.py data`."""

import sys

import checking
import command
import control

subject = sys.argv[1]
if subject == "access":
    import access  # noqa: F401
    import catalog  # noqa: F401
else:
    import queries  # noqa: F401
    import records  # noqa: F401
    import trees  # noqa: F401
    import bulk  # noqa: F401

control.seed_robots()
command.prepare()
checking.run_all(f"cli-{subject}")
