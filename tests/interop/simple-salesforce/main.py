"""Checks of simple-salesforce against the sandbox."""

import checking
import control

import login  # noqa: F401
import sessions  # noqa: F401
import records  # noqa: F401
import values  # noqa: F401
import upserts  # noqa: F401
import errors  # noqa: F401
import queries  # noqa: F401
import describes  # noqa: F401
import composite  # noqa: F401
import many_records  # noqa: F401
import replication  # noqa: F401
import limits  # noqa: F401
import search  # noqa: F401
import bulk  # noqa: F401
import classic_bulk  # noqa: F401

control.seed_robots()
checking.run_all("simple-salesforce")
