-- A checksum of each row of the journal, so that a byte that flipped inside a value is seen. NULL in rows of before.
ALTER TABLE journal ADD COLUMN checksum BIGINT;

-- When the values in a run's journal were removed; NULL while they are there. What may be removed is found by its age,
-- oldest first, among runs that ended well; a dead letter keeps its journal until a person has dealt with it.
ALTER TABLE runs ADD COLUMN purged_at BIGINT;
CREATE INDEX runs_to_purge ON runs (updated_at, id)
  WHERE purged_at IS NULL AND state IN ('succeeded', 'superseded', 'cancelled');

-- Under which rule, and when, the values of a decision or of a closed conflict were removed (JSON); NULL while they are
-- there.
ALTER TABLE decisions ADD COLUMN purged TEXT COLLATE "C";
CREATE INDEX decisions_to_purge ON decisions (at, position) WHERE purged IS NULL;
ALTER TABLE conflicts ADD COLUMN purged TEXT COLLATE "C";
CREATE INDEX conflicts_to_purge ON conflicts (number) WHERE purged IS NULL AND state <> 'open';
