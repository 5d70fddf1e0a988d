"""One sandbox process, with a state directory of its own, over HTTP, HTTPS and gRPC on free ports."""

import subprocess
from contextlib import contextmanager

from . import processes
from .refusal import Refusal


@contextmanager
def sandbox(program, state):
    """Yields its URL; it ends with the block."""
    command = [
        str(program), "--listen", "127.0.0.1:0", "--tls-listen", "127.0.0.1:0", "--pubsub-listen", "127.0.0.1:0",
        "--state-dir", str(state), "--scenario", "crm-sync",
    ]
    with open(state.with_suffix(".log"), "w+") as log:
        process = processes.start(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            # The URL is the first line it prints, once it listens; an end of the stream means that it died.
            url = process.stdout.readline().strip()
            if not url:
                log.seek(0)
                raise Refusal(f"the sandbox does not start: {log.read()}")
            yield url
        finally:
            processes.end(process)
