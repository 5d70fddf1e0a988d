-- Conflicts: edits that lost, and fields that a person must decide. The body is the whole conflict; the columns beside
-- it are what it is found by.
CREATE TABLE conflicts (
  number             BIGINT NOT NULL PRIMARY KEY,
  state              TEXT COLLATE "C" NOT NULL CHECK (state IN ('open', 'settled', 'resolved', 'obsolete')),
  connection         TEXT COLLATE "C" NOT NULL,
  opportunity_id     TEXT COLLATE "C" NOT NULL,
  opportunity_number TEXT COLLATE "C",
  field              TEXT COLLATE "C" NOT NULL,
  line               TEXT COLLATE "C",
  policy             TEXT COLLATE "C" NOT NULL,
  body               TEXT COLLATE "C" NOT NULL
);
CREATE UNIQUE INDEX conflicts_one_open ON conflicts (connection, opportunity_id, field, COALESCE(line, ''))
  WHERE state = 'open';
CREATE INDEX conflicts_by_state ON conflicts (state, field, number);
CREATE INDEX conflicts_by_field ON conflicts (field, number);
CREATE INDEX conflicts_by_opportunity ON conflicts (opportunity_id, number);
CREATE INDEX conflicts_by_number ON conflicts (opportunity_number, number) WHERE opportunity_number IS NOT NULL;

-- Where the news came from, a value that a person gave to both sides, and the conflict that this decided. Decisions
-- that were kept before have none of them.
ALTER TABLE decisions ADD COLUMN origin TEXT COLLATE "C";
ALTER TABLE decisions ADD COLUMN given TEXT COLLATE "C";
ALTER TABLE decisions ADD COLUMN conflict TEXT COLLATE "C";

-- The last decision about one field of one line is looked up before the next is kept.
DROP INDEX decisions_by_opportunity;
CREATE INDEX decisions_by_field ON decisions (connection, opportunity_id, field, COALESCE(line, ''), position);
