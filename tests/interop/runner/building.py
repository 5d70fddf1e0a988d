"""The sandbox that is tested."""

import os
import subprocess
from pathlib import Path

from .places import ROOT, TARGET
from .refusal import Refusal


def sandbox_program():
    """Path of the program: the one that the environment names, else built from the sources, which cargo knows to
    skip when nothing changed."""
    named = os.environ.get("SALESFORCE_SANDBOX")
    if named:
        if not Path(named).is_file():
            raise Refusal(f"SALESFORCE_SANDBOX names no file: {named}")
        return Path(named).resolve()
    command = ["cargo", "build", "--quiet", "--locked", "--package", "sandbox", "--bin", "salesforce-sandbox"]
    print("building the sandbox", flush=True)
    if subprocess.run(command, cwd=ROOT).returncode != 0:
        raise Refusal("the sandbox cannot be built, see above")
    return TARGET / "debug" / "salesforce-sandbox"
