"""Runs the CLI as a person at a terminal would, with a home directory and a project of its own."""

import json
import os
import socket
import subprocess
from pathlib import Path

from checking import Unexpected
from control import info

SCRATCH = Path(os.environ["INTEROP_SCRATCH"])
PROGRAM = str(Path(os.environ["INTEROP_PACKAGES"]) / "node_modules" / ".bin" / "sf")
PROJECT = SCRATCH / "project"

SETTINGS = {
    "SF_AUTOUPDATE_DISABLE": "true", "SF_DISABLE_TELEMETRY": "true", "SF_SKIP_NEW_VERSION_CHECK": "true",
    # Tokens are kept in a file, as on a machine without a keyring; localhost has no DNS entry to wait for.
    "SF_USE_GENERIC_UNIX_KEYCHAIN": "true", "SF_DISABLE_DNS_CHECK": "true",
    "NO_COLOR": "1",
}


def prepare():
    """Makes a project, which says where the CLI waits for the browser to come back, and logs in once."""
    PROJECT.mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {"packageDirectories": [{"path": "app", "default": True}], "sourceApiVersion": "68.0", "oauthLocalPort": port}
    (PROJECT / "sfdx-project.json").write_text(json.dumps(settings))
    (PROJECT / "app").mkdir()
    log_in()


def log_in():
    """By JWT, as the org that checks share. Returns what the CLI says."""
    words = ["--username", info()["username"], "--client-id", info()["clientId"], "--jwt-key-file", info()["jwtPrivateKeyPath"]]
    return result("org", "login", "jwt", *words, "--instance-url", info()["tlsInstanceUrl"], "--alias", "interop")


def text(*words, status=0, more={}):
    """What a command prints. It must end with this status."""
    environment = os.environ | SETTINGS | more
    done = subprocess.run(
        [PROGRAM, *words], cwd=PROJECT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
    )
    if done.returncode != status:
        raise Unexpected(f"sf {' '.join(words)}\n  ended with {done.returncode}, not {status}:\n{_told(done)}")
    return done.stdout


def _told(done):
    """The message if there is one; the rest is stack traces of the CLI."""
    try:
        failure = json.loads(done.stdout)
        return f"{failure['name']}: {failure['message']}"
    except (ValueError, KeyError):
        return done.stdout + done.stderr


def result(*words, **options):
    """The result of a command that succeeds."""
    return json.loads(text(*words, "--json", **options))["result"]


def refusal(*words, status=1):
    """What a command that fails says."""
    return json.loads(text(*words, "--json", status=status))


def org(*words):
    """The words, with the org that checks share."""
    return [*words, "--target-org", "interop"]
