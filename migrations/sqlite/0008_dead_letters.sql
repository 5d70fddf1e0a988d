-- One row for each run that died, until a person or a replay has dealt with it, and after that as a record of how.
CREATE TABLE dead_letters (
  run_id      TEXT NOT NULL PRIMARY KEY REFERENCES runs (id),
  -- Given at each death, so a selection "up to this number" is frozen whatever dies later.
  number      INTEGER NOT NULL,
  connection  TEXT NOT NULL,
  opportunity TEXT NOT NULL,
  state       TEXT NOT NULL CHECK (state IN ('open', 'replayed', 'settled', 'discarded')),
  code        TEXT NOT NULL,
  signature   TEXT NOT NULL,
  cause       TEXT NOT NULL,
  died_at     INTEGER NOT NULL,
  body        TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX dead_letters_by_number ON dead_letters (number);
CREATE INDEX dead_letters_by_opportunity ON dead_letters (opportunity, number);
-- Not over all states: an index that begins with the state is taken for every question about open letters, and then each
-- of them reads all that are open.
CREATE INDEX dead_letters_open_by_number ON dead_letters (number) WHERE state = 'open';
CREATE INDEX dead_letters_open_by_lane ON dead_letters (connection, opportunity, number) WHERE state = 'open';
CREATE INDEX dead_letters_open_by_signature ON dead_letters (signature, number) WHERE state = 'open';

CREATE TABLE replay_plans (
  number      INTEGER NOT NULL PRIMARY KEY,
  state       TEXT NOT NULL CHECK (state IN
    ('planning', 'planned', 'running', 'paused', 'stopped', 'aborted', 'done')),
  digest      TEXT NOT NULL,
  -- What the digest is about, beside the items; never changes once the plan is made.
  content     TEXT NOT NULL,
  progress    TEXT NOT NULL,
  created_at  INTEGER NOT NULL,
  updated_at  INTEGER NOT NULL,
  attempt     INTEGER NOT NULL,
  lease_until INTEGER NOT NULL,
  wanted      TEXT CHECK (wanted IN ('pause', 'abort'))
) STRICT;
CREATE INDEX replay_plans_running ON replay_plans (lease_until) WHERE state = 'running';

-- One row for each opportunity of a plan, in the order in which they are synced.
CREATE TABLE replay_items (
  plan     INTEGER NOT NULL,
  position INTEGER NOT NULL,
  state    TEXT NOT NULL CHECK (state IN ('pending', 'left', 'submitted', 'done', 'failed', 'parked')),
  body     TEXT NOT NULL,
  run_id   TEXT,
  PRIMARY KEY (plan, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX replay_items_by_state ON replay_items (plan, state, position);
