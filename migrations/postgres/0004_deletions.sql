-- Answers about records that are gone on one side: what was configured when it was noticed, or what a person decided.
-- A row lives until the record is there again.
CREATE TABLE deletions (
  connection         TEXT COLLATE "C" NOT NULL,
  opportunity_id     TEXT COLLATE "C" NOT NULL,
  opportunity_number TEXT COLLATE "C",
  record             TEXT COLLATE "C" NOT NULL,
  answer             TEXT COLLATE "C" NOT NULL,
  answered_at        BIGINT NOT NULL,
  PRIMARY KEY (connection, opportunity_id, record)
);
CREATE INDEX deletions_by_number ON deletions (connection, opportunity_number) WHERE opportunity_number IS NOT NULL;
