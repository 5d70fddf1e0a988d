-- One row for each run that died, until a person or a replay has dealt with it, and after that as a record of how.
CREATE TABLE dead_letters (
  run_id      TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES runs (id),
  -- Given at each death, so a selection "up to this number" is frozen whatever dies later.
  number      BIGINT NOT NULL,
  connection  TEXT COLLATE "C" NOT NULL,
  opportunity TEXT COLLATE "C" NOT NULL,
  state       TEXT COLLATE "C" NOT NULL CHECK (state IN ('open', 'replayed', 'settled', 'discarded')),
  code        TEXT COLLATE "C" NOT NULL,
  signature   TEXT COLLATE "C" NOT NULL,
  cause       TEXT COLLATE "C" NOT NULL,
  died_at     BIGINT NOT NULL,
  body        TEXT COLLATE "C" NOT NULL
);
CREATE UNIQUE INDEX dead_letters_by_number ON dead_letters (number);
CREATE INDEX dead_letters_by_opportunity ON dead_letters (opportunity, number);
-- Not over all states: an index that begins with the state is taken for every question about open letters, and then each
-- of them reads all that are open.
CREATE INDEX dead_letters_open_by_number ON dead_letters (number) WHERE state = 'open';
CREATE INDEX dead_letters_open_by_lane ON dead_letters (connection, opportunity, number) WHERE state = 'open';
CREATE INDEX dead_letters_open_by_signature ON dead_letters (signature, number) WHERE state = 'open';

CREATE TABLE replay_plans (
  number      BIGINT NOT NULL PRIMARY KEY,
  state       TEXT COLLATE "C" NOT NULL CHECK (state IN
    ('planning', 'planned', 'running', 'paused', 'stopped', 'aborted', 'done')),
  digest      TEXT COLLATE "C" NOT NULL,
  -- What the digest is about, beside the items; never changes once the plan is made.
  content     TEXT COLLATE "C" NOT NULL,
  progress    TEXT COLLATE "C" NOT NULL,
  created_at  BIGINT NOT NULL,
  updated_at  BIGINT NOT NULL,
  attempt     BIGINT NOT NULL,
  lease_until BIGINT NOT NULL,
  wanted      TEXT COLLATE "C" CHECK (wanted IN ('pause', 'abort'))
);
CREATE INDEX replay_plans_running ON replay_plans (lease_until) WHERE state = 'running';

-- One row for each opportunity of a plan, in the order in which they are synced.
CREATE TABLE replay_items (
  plan     BIGINT NOT NULL,
  position BIGINT NOT NULL,
  state    TEXT COLLATE "C" NOT NULL CHECK (state IN ('pending', 'left', 'submitted', 'done', 'failed', 'parked')),
  body     TEXT COLLATE "C" NOT NULL,
  run_id   TEXT COLLATE "C",
  PRIMARY KEY (plan, position)
);
CREATE INDEX replay_items_by_state ON replay_items (plan, state, position);
