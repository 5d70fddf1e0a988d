-- A token may belong to one connection alone, and what it is shown is narrowed to that; so syncs are counted by the hour
-- for one connection, too, out of the index alone.
ALTER TABLE api_tokens ADD COLUMN connection TEXT;
DROP INDEX runs_by_creation;
CREATE INDEX runs_by_creation ON runs (created_at, state, connection);
