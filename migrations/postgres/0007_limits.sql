-- Circuits that are not closed: no call is made to that CRM before due_at, whatever process or restart comes. A row goes
-- when the circuit closes.
CREATE TABLE circuits (
  connection TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  circuit    TEXT COLLATE "C" NOT NULL CHECK (circuit IN ('open', 'half_open')),
  hold       TEXT COLLATE "C" NOT NULL,
  openings   BIGINT NOT NULL,
  opened_at  BIGINT NOT NULL,
  due_at     BIGINT NOT NULL,
  report     TEXT COLLATE "C" NOT NULL
);

-- Calls of a CRM's day as last heard from it, and when they will be used up.
CREATE TABLE call_budgets (
  connection   TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  used         BIGINT NOT NULL,
  max          BIGINT NOT NULL,
  heard_at     BIGINT NOT NULL,
  exhausted_at BIGINT
);

-- Calls that all processes of ours made, by hour and purpose. Only the last day counts.
CREATE TABLE call_counts (
  connection TEXT COLLATE "C" NOT NULL,
  purpose    TEXT COLLATE "C" NOT NULL,
  hour       BIGINT NOT NULL,
  calls      BIGINT NOT NULL,
  PRIMARY KEY (connection, purpose, hour)
);

-- Runs that two processes have died on are worked on one at a time.
CREATE INDEX runs_suspected ON runs (ready_at, id) WHERE crashes >= 2 AND ready_at IS NOT NULL;
