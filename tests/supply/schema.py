"""Reads a bill of materials from standard input. Exit status 3, with what is wrong, if CycloneDX 1.6 does not allow it."""

import json
import sys
from importlib import resources

import fastjsonschema

SCHEMAS = resources.files("cyclonedx") / "schema" / "_res"


def read(address):
    """A schema that another one refers to, by the last part of its address."""
    name = address.rsplit("/", 1)[-1].replace(".SNAPSHOT", "").replace(".schema.json", ".SNAPSHOT.schema.json")
    return json.loads((SCHEMAS / name).read_text(encoding="utf-8"))


check = fastjsonschema.compile(read("bom-1.6.schema.json"), handlers={"http": read, "https": read}, use_formats=False)
try:
    check(json.load(sys.stdin))
except fastjsonschema.JsonSchemaValueException as error:
    print(error.message)
    sys.exit(3)
