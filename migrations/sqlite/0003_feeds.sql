-- Where the reader of each feed of changes stands, how it fares, and which process reads it.
CREATE TABLE feed_positions (
  connection   TEXT NOT NULL,
  feed         TEXT NOT NULL,
  -- The organisation that the mark is of: a mark of another one means nothing.
  origin       TEXT NOT NULL,
  mark         BLOB,
  seen_until   INTEGER,
  state        TEXT NOT NULL CHECK (state IN ('live', 'behind', 'gap')),
  updated_at   INTEGER NOT NULL,
  change_at    INTEGER,
  error        TEXT,
  error_at     INTEGER,
  lease_fence  INTEGER NOT NULL,
  lease_holder TEXT,
  lease_until  INTEGER,
  PRIMARY KEY (connection, feed)
) STRICT, WITHOUT ROWID;

-- When an opportunity with a quote was looked at last: at its last agreement, or when the schedule asked for a look.
ALTER TABLE bases ADD COLUMN looked_at INTEGER NOT NULL DEFAULT 0;
UPDATE bases SET looked_at = agreed_at;
CREATE INDEX bases_by_look ON bases (connection, looked_at);
