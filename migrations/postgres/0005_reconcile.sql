CREATE TABLE reconciliations (
  id             TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  connection     TEXT COLLATE "C" NOT NULL,
  since          BIGINT,
  repair         BIGINT NOT NULL,
  asked_by       TEXT COLLATE "C" NOT NULL,
  state          TEXT COLLATE "C" NOT NULL CHECK (state IN ('running', 'stopped', 'done', 'failed', 'abandoned')),
  attempt        BIGINT NOT NULL,
  started_at     BIGINT NOT NULL,
  updated_at     BIGINT NOT NULL,
  ended_at       BIGINT,
  lease_until    BIGINT NOT NULL,
  mark           TEXT COLLATE "C" NOT NULL,
  told           TEXT COLLATE "C" NOT NULL,
  matrix_version TEXT COLLATE "C" NOT NULL,
  error          TEXT COLLATE "C",
  -- Counts and sums of opportunities with a quote, by bucket of their ids; see the orchestrator.
  digest         BYTEA NOT NULL
);
CREATE UNIQUE INDEX reconciliations_one_per_connection ON reconciliations (connection) WHERE state = 'running';
CREATE INDEX reconciliations_by_connection ON reconciliations (connection, id);

-- Records that differ, and the part of each in the certificates, to be taken out again when it was repaired.
CREATE TABLE reconcile_records (
  reconciliation TEXT COLLATE "C" NOT NULL,
  opportunity_id TEXT COLLATE "C" NOT NULL,
  state          TEXT COLLATE "C" NOT NULL CHECK (state IN ('open', 'repaired', 'remains')),
  body           TEXT COLLATE "C" NOT NULL,
  parts          TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (reconciliation, opportunity_id)
);

-- Certificates in the making.
CREATE TABLE certificate_drafts (
  reconciliation TEXT COLLATE "C" NOT NULL,
  object         TEXT COLLATE "C" NOT NULL,
  hour           BIGINT NOT NULL,
  crm_count      BIGINT NOT NULL,
  cpq_count      BIGINT NOT NULL,
  crm_sum        BYTEA NOT NULL,
  cpq_sum        BYTEA NOT NULL,
  differing      BIGINT NOT NULL,
  in_flight      BIGINT NOT NULL,
  excluded       BIGINT NOT NULL,
  PRIMARY KEY (reconciliation, object, hour)
);

-- The last certificate of each object and hour of a connection.
CREATE TABLE certificates (
  connection     TEXT COLLATE "C" NOT NULL,
  hour           BIGINT NOT NULL,
  object         TEXT COLLATE "C" NOT NULL,
  crm_count      BIGINT NOT NULL,
  cpq_count      BIGINT NOT NULL,
  crm_sum        BYTEA NOT NULL,
  cpq_sum        BYTEA NOT NULL,
  differing      BIGINT NOT NULL,
  in_flight      BIGINT NOT NULL,
  excluded       BIGINT NOT NULL,
  complete       BIGINT NOT NULL,
  verdict        TEXT COLLATE "C" NOT NULL CHECK (verdict IN ('green', 'red', 'open')),
  matrix_version TEXT COLLATE "C" NOT NULL,
  made_at        BIGINT NOT NULL,
  reconciliation TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (connection, hour, object)
);
