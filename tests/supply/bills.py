"""The bill of materials: that it is what CycloneDX 1.6 asks for, and tells what is in the program."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

# In the program whatever its features are: crates, C libraries within them, scripts of the dashboard.
KNOWN = ["tokio", "rustls", "libsqlite3-sys", "sqlite", "aws-lc", "htmx.org", "htmx-ext-sse"]


def checks(root, programs):
    """The checks of one bill. It is written once."""
    made = {}

    def bill():
        if "text" not in made:
            made["text"] = written(root)
        return json.loads(made["text"])

    return [
        ("the bill is CycloneDX 1.6", lambda: misshapen(programs, bill())),
        ("a bill of parts without names would be refused", lambda: None if misshapen(programs, spoilt(bill())) else "it is taken"),
        ("the bill names what is in the program", lambda: lacking(root, bill())),
        ("the bill's references lead somewhere", lambda: dangling(bill())),
        ("the same sources give the same bill", lambda: None if written(root) == made["text"] else "two differ"),
    ]


def written(root):
    return subprocess.run([str(root / "ops" / "sbom")], stdout=subprocess.PIPE, text=True, check=True).stdout


def misshapen(programs, bill):
    """What the schema finds; `None` if nothing. It is compiled in the environment that has it."""
    here = Path(__file__).resolve().parent / "schema.py"
    words = [str(programs / "python"), str(here)]
    ran = subprocess.run(words, input=json.dumps(bill), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if ran.returncode not in (0, 3):
        sys.exit(f"error: the schema cannot be read: {ran.stdout}")
    return ran.stdout if ran.returncode else None


def spoilt(bill):
    return bill | {"components": [{key: part[key] for key in part if key != "name"} for part in bill["components"]]}


def lacking(root, bill):
    """Parts that are missing, and crates whose hash is not that of Cargo.lock."""
    lock = tomllib.loads((root / "Cargo.lock").read_text(encoding="utf-8"))["package"]
    sums = {(crate["name"], crate["version"]): crate.get("checksum") for crate in lock}
    parts = [inner for part in bill["components"] for inner in (part, *part.get("components", []))]
    names = {part["name"] for part in parts}
    wrong = [f"{name} is missing" for name in KNOWN if name not in names]
    for part in parts:
        if part["purl"].startswith("pkg:cargo/"):
            told = [hashed["content"] for hashed in part["hashes"]]
            if told != [sums.get((part["name"], part["version"]))]:
                wrong.append(f"{part['purl']} has another hash than Cargo.lock")
    return "\n".join(wrong) or None


def dangling(bill):
    """References to what is not listed, and parts that nothing leads to."""
    parts = [inner for part in bill["components"] for inner in (part, *part.get("components", []))]
    listed = [part["bom-ref"] for part in parts] + [bill["metadata"]["component"]["bom-ref"]]
    uses = {each["ref"]: each["dependsOn"] for each in bill["dependencies"]}
    wrong = [f"{each} is listed twice" for each in set(listed) if listed.count(each) > 1]
    wrong += [f"{each} is used and not listed" for use in uses.values() for each in use if each not in listed]
    wrong += [f"what {each} uses is not told" for each in listed if each not in uses]
    return "\n".join(sorted(set(wrong))) or None
