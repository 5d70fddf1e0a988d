-- Answers about records that are gone on one side: what was configured when it was noticed, or what a person decided.
-- A row lives until the record is there again.
CREATE TABLE deletions (
  connection         TEXT NOT NULL,
  opportunity_id     TEXT NOT NULL,
  opportunity_number TEXT,
  record             TEXT NOT NULL,
  answer             TEXT NOT NULL,
  answered_at        INTEGER NOT NULL,
  PRIMARY KEY (connection, opportunity_id, record)
) STRICT, WITHOUT ROWID;
CREATE INDEX deletions_by_number ON deletions (connection, opportunity_number) WHERE opportunity_number IS NOT NULL;
