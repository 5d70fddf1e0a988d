CREATE TABLE reconciliations (
  id             TEXT NOT NULL PRIMARY KEY,
  connection     TEXT NOT NULL,
  since          INTEGER,
  repair         INTEGER NOT NULL,
  asked_by       TEXT NOT NULL,
  state          TEXT NOT NULL CHECK (state IN ('running', 'stopped', 'done', 'failed', 'abandoned')),
  attempt        INTEGER NOT NULL,
  started_at     INTEGER NOT NULL,
  updated_at     INTEGER NOT NULL,
  ended_at       INTEGER,
  lease_until    INTEGER NOT NULL,
  mark           TEXT NOT NULL,
  told           TEXT NOT NULL,
  matrix_version TEXT NOT NULL,
  error          TEXT,
  -- Counts and sums of opportunities with a quote, by bucket of their ids; see the orchestrator.
  digest         BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX reconciliations_one_per_connection ON reconciliations (connection) WHERE state = 'running';
CREATE INDEX reconciliations_by_connection ON reconciliations (connection, id);

-- Records that differ, and the part of each in the certificates, to be taken out again when it was repaired.
CREATE TABLE reconcile_records (
  reconciliation TEXT NOT NULL,
  opportunity_id TEXT NOT NULL,
  state          TEXT NOT NULL CHECK (state IN ('open', 'repaired', 'remains')),
  body           TEXT NOT NULL,
  parts          TEXT NOT NULL,
  PRIMARY KEY (reconciliation, opportunity_id)
) STRICT, WITHOUT ROWID;

-- Certificates in the making.
CREATE TABLE certificate_drafts (
  reconciliation TEXT NOT NULL,
  object         TEXT NOT NULL,
  hour           INTEGER NOT NULL,
  crm_count      INTEGER NOT NULL,
  cpq_count      INTEGER NOT NULL,
  crm_sum        BLOB NOT NULL,
  cpq_sum        BLOB NOT NULL,
  differing      INTEGER NOT NULL,
  in_flight      INTEGER NOT NULL,
  excluded       INTEGER NOT NULL,
  PRIMARY KEY (reconciliation, object, hour)
) STRICT, WITHOUT ROWID;

-- The last certificate of each object and hour of a connection.
CREATE TABLE certificates (
  connection     TEXT NOT NULL,
  hour           INTEGER NOT NULL,
  object         TEXT NOT NULL,
  crm_count      INTEGER NOT NULL,
  cpq_count      INTEGER NOT NULL,
  crm_sum        BLOB NOT NULL,
  cpq_sum        BLOB NOT NULL,
  differing      INTEGER NOT NULL,
  in_flight      INTEGER NOT NULL,
  excluded       INTEGER NOT NULL,
  complete       INTEGER NOT NULL,
  verdict        TEXT NOT NULL CHECK (verdict IN ('green', 'red', 'open')),
  matrix_version TEXT NOT NULL,
  made_at        INTEGER NOT NULL,
  reconciliation TEXT NOT NULL,
  PRIMARY KEY (connection, hour, object)
) STRICT, WITHOUT ROWID;
