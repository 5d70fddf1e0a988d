-- Circuits that are not closed: no call is made to that CRM before due_at, whatever process or restart comes. A row goes
-- when the circuit closes.
CREATE TABLE circuits (
  connection TEXT NOT NULL PRIMARY KEY,
  circuit    TEXT NOT NULL CHECK (circuit IN ('open', 'half_open')),
  hold       TEXT NOT NULL,
  openings   INTEGER NOT NULL,
  opened_at  INTEGER NOT NULL,
  due_at     INTEGER NOT NULL,
  report     TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Calls of a CRM's day as last heard from it, and when they will be used up.
CREATE TABLE call_budgets (
  connection   TEXT NOT NULL PRIMARY KEY,
  used         INTEGER NOT NULL,
  max          INTEGER NOT NULL,
  heard_at     INTEGER NOT NULL,
  exhausted_at INTEGER
) STRICT, WITHOUT ROWID;

-- Calls that all processes of ours made, by hour and purpose. Only the last day counts.
CREATE TABLE call_counts (
  connection TEXT NOT NULL,
  purpose    TEXT NOT NULL,
  hour       INTEGER NOT NULL,
  calls      INTEGER NOT NULL,
  PRIMARY KEY (connection, purpose, hour)
) STRICT, WITHOUT ROWID;

-- Runs that two processes have died on are worked on one at a time.
CREATE INDEX runs_suspected ON runs (ready_at, id) WHERE crashes >= 2 AND ready_at IS NOT NULL;
