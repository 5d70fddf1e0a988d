"""The groups: one client each, with a sandbox of its own, side by side."""

import os
import re
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from . import packages, processes
from .places import HERE
from .refusal import Refusal
from .sandbox import sandbox

# A group that takes longer hangs. All of them together stay far below the half hour that `./test` has.
GROUP_SECONDS_MAX = 420

# A proxy to the world outside has no business between a client and a server on loopback.
PROXIES = ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"]


@dataclass
class Group:
    """A client, how its packages are installed, and how its checks are started."""

    name: str
    # Where the checks and the list of packages are.
    folder: str
    install: Callable[[str], Path]
    command: Callable[[Path], list]
    only: str = ""

    def run(self, program, report):
        """Installs the client, starts a sandbox, and runs the group's checks."""
        try:
            report.tell(self.name, "installing the client, unless it is there")
            installed = self.install(self.folder)
            with tempfile.TemporaryDirectory(prefix=f"interop-{self.name}.") as scratch:
                scratch = Path(scratch)
                with sandbox(program, scratch / "sandbox") as url:
                    self._check(self._environment(url, installed, scratch), installed, report)
        except Refusal as refusal:
            report.fail(self.name, "sets up", str(refusal))
        except InterruptedError:
            report.fail(self.name, "runs to its end", "it was interrupted")

    def _check(self, environment, installed, report):
        """Starts the check program and passes on what it says. It must give a verdict on every check it has."""
        process = processes.start(
            self.command(installed), env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace",
        )
        deadline = threading.Timer(GROUP_SECONDS_MAX, process.kill)
        deadline.start()
        planned = verdicts = 0
        try:
            for line in process.stdout:
                plan = re.fullmatch(r"plan (\d+)\n", line)
                planned = int(plan[1]) if plan else planned
                if not plan:
                    verdicts += report.tell(self.name, line.rstrip("\n"))
            status = process.wait()
        finally:
            deadline.cancel()
            processes.end(process)
        if planned == 0 or verdicts != planned or status not in (0, 1):
            why = f"{verdicts} of {planned} checks ended, and the program with status {status}"
            report.fail(self.name, "runs to its end", why)

    def _environment(self, url, installed, scratch):
        """What a check program is told, and what keeps it from this machine's own settings."""
        home = scratch / "home"
        home.mkdir()
        authority = str(scratch / "sandbox" / "ca.pem")
        environment = {name: value for name, value in os.environ.items() if name not in PROXIES}
        return environment | {
            "INTEROP_SANDBOX": url,
            "INTEROP_PACKAGES": str(installed),
            "INTEROP_SCRATCH": str(scratch),
            "INTEROP_ONLY": self.only,
            # The certificate to trust, as Node and Python's requests want it told.
            "NODE_EXTRA_CA_CERTS": authority,
            "REQUESTS_CA_BUNDLE": authority,
            "HOME": str(home),
            "PYTHONPATH": str(HERE / "checks"),
            "PYTHONUTF8": "1",
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }


def _by_node(name):
    return Group(name, name, packages.npm, lambda _: ["node", str(HERE / name / "main.mjs")])


# Each command of the CLI is a process that works for a second, so its checks are two groups.
def _cli(subject):
    program = str(HERE / "cli" / "main.py")
    return Group(f"cli-{subject}", "cli", packages.npm, lambda _: [sys.executable, program, subject])


def _by_python(name):
    program = str(HERE / name / "main.py")
    return Group(name, name, packages.python, lambda installed: [str(installed / "bin" / "python"), program])


ALL = {
    group.name: group
    for group in [_cli("access"), _cli("data"), _by_node("jsforce"), _by_node("pubsub"), _by_python("simple-salesforce")]
}


def chosen(words):
    """The groups that begin with these words, or all. `jsforce:upsert` is only the checks with `upsert` in their name."""
    groups = []
    for word in words:
        prefix, _, only = word.partition(":")
        found = [group for name, group in ALL.items() if name.startswith(prefix)]
        if not found:
            raise Refusal(f"there is no group {prefix}; there are: {' '.join(ALL)}")
        for group in found:
            group.only = only
        groups += [group for group in found if group not in groups]
    return groups or list(ALL.values())
