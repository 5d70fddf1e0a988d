-- Conflicts: edits that lost, and fields that a person must decide. The body is the whole conflict; the columns beside
-- it are what it is found by.
CREATE TABLE conflicts (
  number             INTEGER NOT NULL PRIMARY KEY,
  state              TEXT NOT NULL CHECK (state IN ('open', 'settled', 'resolved', 'obsolete')),
  connection         TEXT NOT NULL,
  opportunity_id     TEXT NOT NULL,
  opportunity_number TEXT,
  field              TEXT NOT NULL,
  line               TEXT,
  policy             TEXT NOT NULL,
  body               TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX conflicts_one_open ON conflicts (connection, opportunity_id, field, COALESCE(line, ''))
  WHERE state = 'open';
CREATE INDEX conflicts_by_state ON conflicts (state, field, number);
CREATE INDEX conflicts_by_field ON conflicts (field, number);
CREATE INDEX conflicts_by_opportunity ON conflicts (opportunity_id, number);
CREATE INDEX conflicts_by_number ON conflicts (opportunity_number, number) WHERE opportunity_number IS NOT NULL;

-- Where the news came from, a value that a person gave to both sides, and the conflict that this decided. Decisions
-- that were kept before have none of them.
ALTER TABLE decisions ADD COLUMN origin TEXT;
ALTER TABLE decisions ADD COLUMN given TEXT;
ALTER TABLE decisions ADD COLUMN conflict TEXT;

-- The last decision about one field of one line is looked up before the next is kept.
DROP INDEX decisions_by_opportunity;
CREATE INDEX decisions_by_field ON decisions (connection, opportunity_id, field, COALESCE(line, ''), position);
