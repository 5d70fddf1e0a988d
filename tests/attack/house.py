"""A directory with a seeded sandbox, a connection, syncs of each kind, and the service that is attacked."""

import json
import os
import subprocess
import threading
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

# Secrets of senders, as a person would configure them.
WEBHOOK_SECRET = "whsec_YXR0YWNrLWF0dGFjay1hdHRhY2stYXR0YWNrLWF0dGE="
OUTBOUND_SECRET = "outbound-messages-of-the-attacked-house"

CONFIG = f"""
[service]
requests_per_second = 0
refusals_per_minute = 0
default_wait_seconds = 2

[webhooks]
sources = {{ flow = "{WEBHOOK_SECRET}" }}

[outbound_messages]
sources = {{ workflow = ["{OUTBOUND_SECRET}"] }}
"""

# A command that takes longer hangs.
COMMAND_SECONDS_MAX = 120


# A sync as often as this.
EVENT_SECONDS = 0.3


@dataclass
class Target:
    """The attacked service."""

    url: str
    token: str
    # Values that lead somewhere, by what they name: without them every request would be about nothing.
    known: dict

    def names(self):
        """The known values, as Schemathesis takes them."""
        lines = [
            f"[dictionaries.{name}]\nvalues = {json.dumps(values)}\n" for name, values in self.known.items()
        ]
        return "\n" + "\n".join(lines)

    def is_alive(self):
        """Whether it still answers that it can work."""
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=10) as answer:
                return answer.status == 200
        except OSError:
            return False


@contextmanager
def attacked(program, folder):
    """The service, with something of everything in it; ended with its sandbox at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cpq.toml").write_text(CONFIG)

    def cpq(*words):
        return must([str(program), *words], environment(folder), folder)

    free = "127.0.0.1:0"
    cpq("seed", "--scenario", "crm-sync", "--sandbox-listen", free, "--sandbox-tls-listen", free,
        "--sandbox-pubsub-listen", free)
    try:
        cpq("auth", "connect-crm")
        known = furnished(cpq)
        scopes = cpq("token", "scopes").split()
        token = cpq("token", "create", "--client", "attacker", *(w for s in scopes for w in ("--scope", s))).strip()
        log = open(folder / "serve.log", "wb")
        service = subprocess.Popen(
            [str(program), "serve", "--listen", free, "--changes", "off"], cwd=folder, env=environment(folder),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True,
        )
        try:
            target = Target(service.stdout.readline().strip().removeprefix("cpq="), token, known)
            over = threading.Event()
            living = threading.Thread(target=lives_on, args=(target, over))
            living.start()
            try:
                yield target
            finally:
                over.set()
                living.join()
        finally:
            service.terminate()
            try:
                service.wait(timeout=30)
            except subprocess.TimeoutExpired:
                service.kill()
    finally:
        cpq("sandbox", "stop")


def lives_on(target, over):
    """What happens in a service while it is attacked: syncs, so that whoever follows the events sees some."""
    headers = {"Authorization": f"Bearer {target.token}", "Prefer": "respond-async"}
    while not over.wait(EVENT_SECONDS):
        request = urllib.request.Request(
            f"{target.url}/api/v1/sync/opportunities/OPP-4482", method="POST", headers=headers)
        try:
            urllib.request.urlopen(request, timeout=10).close()
        except OSError:
            pass  # Whether the service lives is asked at the end.


def furnished(cpq):
    """Syncs that ended well and badly, so that lists have rows; the names by which they are found."""
    cpq("sync", "run", "--opportunity", "OPP-4482")
    for failing in ("OPP-4483", "OPP-4484"):
        try:
            cpq("sync", "run", "--opportunity", failing)
        except Failed:
            pass  # It lacks products, or its account: this is how a dead letter comes about.
    cpq("dlq", "plan")
    cpq("reconcile")
    syncs = json.loads(cpq("--json", "sync", "list"))["syncs"]
    quotes = json.loads(cpq("--json", "quote", "list"))["quotes"]
    return {
        "syncs": [sync["correlationId"] for sync in syncs],
        "quotes": [name for quote in quotes for name in (quote["id"], quote["number"])],
        "opportunities": ["OPP-4482", "OPP-4483", "OPP-4484", "OPP-9999"],
        "conflicts": ["cf-001"],
        "replays": ["rp-001"],
        "senders": ["flow"],
        "fields": ["quote.status", "account.name"],
        "line_fields": ["line.quantity", "line.discount"],
        "objects": ["opportunity", "quote"],
        "workflows": ["workflow"],
        "secrets": [OUTBOUND_SECRET],
    }


class Failed(Exception):
    """A command that ended badly."""


def must(command, environment, folder):
    """Runs a command to its end and gives what it printed."""
    done = subprocess.run(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, timeout=None if command[0] == "cargo" else COMMAND_SECONDS_MAX,
    )
    if done.returncode != 0:
        raise Failed(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def environment(home):
    """What a program is told, and nothing of this machine's own settings."""
    return {"PATH": os.environ.get("PATH", ""), "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
