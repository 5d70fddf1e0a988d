-- Where the reader of each feed of changes stands, how it fares, and which process reads it.
CREATE TABLE feed_positions (
  connection   TEXT COLLATE "C" NOT NULL,
  feed         TEXT COLLATE "C" NOT NULL,
  -- The organisation that the mark is of: a mark of another one means nothing.
  origin       TEXT COLLATE "C" NOT NULL,
  mark         BYTEA,
  seen_until   BIGINT,
  state        TEXT COLLATE "C" NOT NULL CHECK (state IN ('live', 'behind', 'gap')),
  updated_at   BIGINT NOT NULL,
  change_at    BIGINT,
  error        TEXT COLLATE "C",
  error_at     BIGINT,
  lease_fence  BIGINT NOT NULL,
  lease_holder TEXT COLLATE "C",
  lease_until  BIGINT,
  PRIMARY KEY (connection, feed)
);

-- When an opportunity with a quote was looked at last: at its last agreement, or when the schedule asked for a look.
ALTER TABLE bases ADD COLUMN looked_at BIGINT NOT NULL DEFAULT 0;
UPDATE bases SET looked_at = agreed_at;
CREATE INDEX bases_by_look ON bases (connection, looked_at);
