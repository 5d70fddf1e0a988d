"""Installs packages, exactly those of a lock file, once per lock file.

A folder is filled under a name of its own and then renamed, so that a broken installation is never taken for a good
one. Scripts of npm packages do not run: none of these needs one.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import threading
from collections import defaultdict
from functools import cache

from .places import HERE, INSTALLED
from .refusal import Refusal

# The oldest major version of Node that the pinned clients were seen to run on.
NODE_MIN = 20

# Groups side by side may want the same packages.
_locks = defaultdict(threading.Lock)


def npm(name):
    """Folder that holds `node_modules` of what the folder of this name lists."""
    files = [HERE / name / file for file in ("package.json", "package-lock.json")]

    def install(folder):
        for file in files:
            shutil.copy(file, folder)
        _call(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], folder)

    return _once(name, files, str(node_version()), install)


def python(name):
    """Folder of a virtual environment with what the folder of this name lists."""
    requirements = HERE / name / "requirements.txt"

    def install(folder):
        _call([sys.executable, "-m", "venv", str(folder)], folder)
        # Without dependencies: what the file does not pin must not come in.
        pip = [str(folder / "bin" / "python"), "-m", "pip"]
        _call([*pip, "install", "--quiet", "--disable-pip-version-check", "--no-deps", "-r", str(requirements)], folder)
        _call([*pip, "check"], folder)

    return _once(name, [requirements], sys.version, install)


@cache
def node_version():
    """Major version of Node; refuses if it is too old or missing."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise Refusal(f"Node {NODE_MIN} or later with npm is needed (Debian: apt-get install nodejs npm)")
    told = subprocess.run(["node", "--version"], capture_output=True, text=True).stdout.strip()
    major = int(told.removeprefix("v").split(".")[0])
    if major < NODE_MIN:
        raise Refusal(f"this is Node {told}; {NODE_MIN} or later is needed")
    return major


def _once(name, files, made_with, install):
    digest = hashlib.sha256(made_with.encode())
    for file in files:
        digest.update(file.read_bytes())
    folder = INSTALLED / f"{name}-{digest.hexdigest()[:16]}"
    with _locks[name]:
        if not folder.exists():
            _fill(folder, install)
    return folder


def _fill(folder, install):
    unfinished = folder.with_name(f"{folder.name}.{os.getpid()}")
    unfinished.mkdir(parents=True)
    try:
        install(unfinished)
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _call(command, folder):
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise Refusal(f"{' '.join(command)} failed:\n{done.stdout}")
