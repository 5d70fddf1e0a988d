"""Processes that must not outlive the run.

They stay in our process group, so that `timeout` and a terminal reach them too if we ourselves are killed.
"""

import subprocess
import threading

_running = set()
_lock = threading.Lock()
_ended = False


def start(command, **options):
    """Like `subprocess.Popen`, but remembered."""
    with _lock:
        if _ended:
            raise InterruptedError("the run is over")
        process = subprocess.Popen(command, **options)
        _running.add(process)
    return process


def end(process):
    """Asks a process to end, makes it end, and forgets it. Returns its exit status."""
    with _lock:
        _running.discard(process)
    if process.poll() is None:
        process.terminate()
    try:
        return process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def end_all():
    """Ends what is left; nothing starts after this."""
    global _ended
    with _lock:
        _ended = True
        left = list(_running)
    for process in left:
        end(process)
