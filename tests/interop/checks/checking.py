"""A list of named checks, and the loop that gives each its verdict."""

import os
import signal
import sys
import traceback
from pathlib import Path

# A check that waits longer waits for something that will not come.
CHECK_SECONDS_MAX = 90

# The folder of the interop tests.
HERE = str(Path(__file__).resolve().parent.parent)

_checks = []


def check(name):
    """Registers a function without arguments as a check. Checks run in the order of their definition."""

    def register(function):
        _checks.append((name, function))
        return function

    return register


def run_all(group):
    """Runs the checks that INTEROP_ONLY allows, and exits with 0 only if all passed."""
    only = os.environ.get("INTEROP_ONLY", "")
    chosen = [(name, function) for name, function in _checks if only in name]
    print(f"plan {len(chosen)}")
    failed = [name for name, function in chosen if not _passes(group, name, function)]
    sys.exit(1 if failed else 0)


def _passes(group, name, function):
    signal.signal(signal.SIGALRM, _too_late)
    signal.alarm(CHECK_SECONDS_MAX)
    try:
        function()
    except Exception as error:
        print(_told(error))
        print(f"test {group}: {name} ... FAILED")
        return False
    finally:
        signal.alarm(0)
    print(f"test {group}: {name} ... ok")
    return True


def _told(error):
    """The error, and the lines of the check that led to it; not those of the client."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if HERE in frame.filename and frame.filename != __file__]
    lines = [f"{Path(frame.filename).name}:{frame.lineno}: {frame.line}" for frame in ours]
    return "\n".join([*lines, f"{type(error).__name__}: {error}"])


def _too_late(*_):
    raise TimeoutError(f"the check takes longer than {CHECK_SECONDS_MAX} s")


class Unexpected(AssertionError):
    """Says what was expected and what came."""


def equal(got, expected):
    """Fails unless both are equal, and of the same type, so that `1` is not `True` or `1.0`."""
    if got != expected or type(got) is not type(expected) and not isinstance(got, dict):
        raise Unexpected(f"\n  expected: {expected!r}\n  got:      {got!r}")


def matches(got, expected):
    """Fails unless a dict has at least these keys with these values."""
    equal({key: got.get(key, "(absent)") for key in expected}, expected)


def holds(condition, got):
    """Fails with what came unless the condition holds."""
    if not condition:
        raise Unexpected(f"\n  got: {got!r}")


def raises(kind, call):
    """Returns the error of exactly this type that a call raises."""
    try:
        result = call()
    except kind as error:
        if type(error) is not kind:
            raise Unexpected(f"\n  expected: {kind.__name__}\n  got:      {error!r}") from error
        return error
    raise Unexpected(f"\n  expected: {kind.__name__}\n  got:      {result!r}")
