-- Moments are microseconds since 1970-01-01T00:00:00Z, identifiers and JSON are TEXT, true and false are 1 and 0.

CREATE TABLE counters (
  name  TEXT NOT NULL PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE settings (
  name  TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE ownership (
  version    TEXT NOT NULL PRIMARY KEY,
  body       TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE runs (
  id                 TEXT NOT NULL PRIMARY KEY,
  connection         TEXT NOT NULL,
  opportunity        TEXT NOT NULL,
  correlation        TEXT NOT NULL,
  caller_correlation TEXT,
  traceparent        TEXT,
  cause              TEXT NOT NULL,
  state              TEXT NOT NULL CHECK (state IN
    ('queued', 'running', 'parked', 'waiting', 'succeeded', 'superseded', 'dead', 'cancelled')),
  attempt            INTEGER NOT NULL,
  tries              INTEGER NOT NULL,
  restarts           INTEGER NOT NULL,
  crashes            INTEGER NOT NULL DEFAULT 0,
  created_at         INTEGER NOT NULL,
  updated_at         INTEGER NOT NULL,
  due_at             INTEGER NOT NULL,
  outcome            TEXT,
  error              TEXT,
  error_code         TEXT,
  superseded_by      TEXT,
  node               TEXT,
  lease_until        INTEGER,
  -- When the run can be claimed; NULL while it cannot. A column of its own, because a planner asked for two states
  -- sorted by moment takes the index on states, and sorts the whole queue.
  ready_at           INTEGER GENERATED ALWAYS AS (CASE WHEN state IN ('queued', 'parked') THEN due_at END)
) STRICT;

-- The queue. Ended runs are in none of these four, so they stay small however long the history is.
CREATE INDEX runs_ready ON runs (ready_at, id) WHERE ready_at IS NOT NULL;
CREATE INDEX runs_ready_in_lane ON runs (connection, opportunity, ready_at, id) WHERE ready_at IS NOT NULL;
CREATE UNIQUE INDEX runs_one_per_lane ON runs (connection, opportunity) WHERE state = 'running';
CREATE INDEX runs_lease ON runs (lease_until) WHERE lease_until IS NOT NULL;

CREATE INDEX runs_by_state ON runs (state, id);
CREATE INDEX runs_by_lane ON runs (opportunity, connection, id);
CREATE INDEX runs_by_connection ON runs (connection, id);
CREATE INDEX runs_by_correlation ON runs (correlation);
CREATE INDEX runs_by_caller_correlation ON runs (caller_correlation) WHERE caller_correlation IS NOT NULL;

CREATE TABLE journal (
  position    INTEGER PRIMARY KEY AUTOINCREMENT,
  run_id      TEXT NOT NULL REFERENCES runs (id),
  sequence    INTEGER NOT NULL,
  kind        TEXT NOT NULL,
  step        TEXT NOT NULL,
  attempt     INTEGER NOT NULL,
  at          INTEGER NOT NULL,
  duration_us INTEGER,
  data        TEXT NOT NULL,
  UNIQUE (run_id, sequence)
) STRICT;

CREATE TABLE links (
  connection         TEXT NOT NULL,
  opportunity_id     TEXT NOT NULL,
  revision           INTEGER NOT NULL,
  opportunity_number TEXT,
  quote_root_id      TEXT NOT NULL,
  quote_number       TEXT NOT NULL,
  PRIMARY KEY (connection, opportunity_id, revision)
) STRICT, WITHOUT ROWID;
CREATE INDEX links_by_number ON links (connection, opportunity_number) WHERE opportunity_number IS NOT NULL;
CREATE INDEX links_by_quote ON links (quote_number);

CREATE TABLE bases (
  connection         TEXT NOT NULL,
  opportunity_id     TEXT NOT NULL,
  opportunity_number TEXT,
  body               TEXT NOT NULL,
  matrix_version     TEXT NOT NULL,
  agreed_at          INTEGER NOT NULL,
  PRIMARY KEY (connection, opportunity_id)
) STRICT;
CREATE INDEX bases_by_number ON bases (connection, opportunity_number) WHERE opportunity_number IS NOT NULL;

CREATE TABLE decisions (
  position       INTEGER PRIMARY KEY AUTOINCREMENT,
  run_id         TEXT NOT NULL REFERENCES runs (id),
  correlation    TEXT NOT NULL,
  connection     TEXT NOT NULL,
  opportunity_id TEXT NOT NULL,
  field          TEXT NOT NULL,
  line           TEXT,
  verdict        TEXT NOT NULL,
  owner          TEXT NOT NULL,
  policy         TEXT NOT NULL,
  matrix_version TEXT NOT NULL,
  crm            TEXT NOT NULL,
  cpq            TEXT NOT NULL,
  lost           TEXT,
  reason         TEXT NOT NULL,
  at             INTEGER NOT NULL
) STRICT;
CREATE INDEX decisions_by_run ON decisions (run_id, position);
CREATE INDEX decisions_by_opportunity ON decisions (connection, opportunity_id, field, position);

-- A removed grant leaves its row without secrets: generation and fence must not start over.
CREATE TABLE grants (
  connection   TEXT NOT NULL PRIMARY KEY,
  removed      INTEGER NOT NULL,
  settings     TEXT NOT NULL,
  identity     TEXT NOT NULL,
  generation   INTEGER NOT NULL,
  sealed       BLOB NOT NULL,
  dead_reason  TEXT,
  dead_since   INTEGER,
  refreshed_at INTEGER NOT NULL,
  lease_fence  INTEGER NOT NULL,
  lease_holder TEXT,
  lease_until  INTEGER
) STRICT;

CREATE TABLE idempotency (
  client      TEXT NOT NULL,
  key         TEXT NOT NULL,
  fingerprint BLOB NOT NULL,
  run_id      TEXT,
  state       TEXT NOT NULL CHECK (state IN ('running', 'done', 'expired')),
  accepted    INTEGER NOT NULL DEFAULT 0,
  status      INTEGER,
  headers     TEXT,
  body        BLOB,
  created_at  INTEGER NOT NULL,
  expires_at  INTEGER NOT NULL,
  PRIMARY KEY (client, key)
) STRICT;
CREATE INDEX idempotency_by_run ON idempotency (run_id) WHERE run_id IS NOT NULL;
CREATE INDEX idempotency_by_expiry ON idempotency (state, expires_at);

CREATE TABLE api_tokens (
  id           TEXT NOT NULL PRIMARY KEY,
  client       TEXT NOT NULL,
  name         TEXT NOT NULL,
  hash         BLOB NOT NULL UNIQUE,
  scopes       TEXT NOT NULL,
  created_at   INTEGER NOT NULL,
  expires_at   INTEGER,
  revoked_at   INTEGER,
  last_used_at INTEGER
) STRICT;

CREATE TABLE quotes (
  id                 TEXT NOT NULL PRIMARY KEY,
  root_id            TEXT NOT NULL,
  number             TEXT NOT NULL,
  revision           INTEGER NOT NULL,
  system             TEXT NOT NULL,
  opportunity_id     TEXT NOT NULL,
  opportunity_number TEXT,
  status             TEXT NOT NULL,
  version            INTEGER NOT NULL,
  is_primary         INTEGER NOT NULL,
  superseded         INTEGER NOT NULL,
  updated_at         INTEGER NOT NULL,
  body               TEXT NOT NULL,
  UNIQUE (system, opportunity_id, revision),
  UNIQUE (number, revision)
) STRICT;
CREATE INDEX quotes_by_opportunity_number ON quotes (system, opportunity_number, revision)
  WHERE opportunity_number IS NOT NULL;
CREATE INDEX quotes_by_root ON quotes (root_id, revision);
CREATE INDEX quotes_by_update ON quotes (updated_at, id);
CREATE INDEX quotes_by_status ON quotes (status, updated_at, id);

CREATE TABLE quote_events (
  position    INTEGER PRIMARY KEY AUTOINCREMENT,
  root_id     TEXT NOT NULL,
  sequence    INTEGER NOT NULL,
  quote_id    TEXT NOT NULL,
  kind        TEXT NOT NULL,
  at          INTEGER NOT NULL,
  correlation TEXT,
  data        TEXT NOT NULL,
  UNIQUE (root_id, sequence)
) STRICT;

CREATE TABLE webhook_deliveries (
  source      TEXT NOT NULL,
  delivery_id TEXT NOT NULL,
  seen_at     INTEGER NOT NULL,
  PRIMARY KEY (source, delivery_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX webhook_deliveries_by_age ON webhook_deliveries (seen_at);

CREATE TABLE crm_schemas (
  connection TEXT NOT NULL PRIMARY KEY,
  body       TEXT NOT NULL,
  fetched_at INTEGER NOT NULL
) STRICT;
