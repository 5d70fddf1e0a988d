"""`deny.toml`, read by cargo-deny: that the tree keeps to it, and that each of its parts would find an offence."""

import subprocess
import tempfile
from pathlib import Path

# What must be found, were the file a little different: part of it, the text that is replaced, what takes its place.
PLANTED = [
    ("bans", "deny = [\n", 'deny = [\n    { crate = "tokio", reason = "planted" },\n'),
    ("licenses", '    "MIT",\n', ""),
    ("sources", "https://github.com/rust-lang/crates.io-index", "https://crates.example/index"),
]


def rules(root, programs):
    """What the sources alone can tell. Needs no network once the crates of Cargo.lock are there."""
    file = root / "deny.toml"
    holds = [(f"{part} hold", lambda part=part: failure(root, programs, file, part)) for part, *_ in PLANTED]
    finds = [
        (f"{part} find an offence", lambda change=change, part=part: unseen(root, programs, part, *change))
        for part, *change in PLANTED
    ]
    return holds + finds


def advisories(root, programs):
    """What the world has learnt since."""
    return [("advisories", lambda: failure(root, programs, root / "deny.toml", "advisories"))]


def failure(root, programs, file, part):
    """What cargo-deny finds; `None` if nothing."""
    # Two versions of one crate are told by `cargo deny check bans`, and are no failure: see `deny.toml`.
    words = ["--locked", "--config", str(file), "check", "--hide-inclusion-graph", "--allow", "duplicate", part]
    ran = subprocess.run(
        [str(programs / "cargo-deny"), *words], cwd=root, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    )
    return f"{ran.stdout}cargo-deny: status {ran.returncode}" if ran.returncode else None


def unseen(root, programs, part, before, after):
    """What is wrong if an offence goes unseen; `None` if it is found."""
    text = (root / "deny.toml").read_text(encoding="utf-8")
    if text.count(before) != 1:
        return f"{before!r} is not once in deny.toml; mend PLANTED in tests/supply/deny.py"
    with tempfile.TemporaryDirectory(prefix="cpq-deny.") as folder:
        file = Path(folder) / "deny.toml"
        file.write_text(text.replace(before, after), encoding="utf-8")
        told = failure(root, programs, file, part)
    return None if told and f"{part} FAILED" in told else f"cargo-deny does not find it: {told}"
