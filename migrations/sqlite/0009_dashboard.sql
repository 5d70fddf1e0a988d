-- Browsers that a person logged in with an API token. Only hashes of what they hold are here; what they may do is asked of
-- the token at each request, so that revoking it ends them.
CREATE TABLE browser_sessions (
  hash       BLOB NOT NULL PRIMARY KEY,
  token_id   TEXT NOT NULL REFERENCES api_tokens (id),
  created_at INTEGER NOT NULL,
  seen_at    INTEGER NOT NULL,
  ends_at    INTEGER NOT NULL
) STRICT;
CREATE INDEX browser_sessions_by_end ON browser_sessions (ends_at);

-- Syncs are counted by the hour out of this alone, without their rows.
CREATE INDEX runs_by_creation ON runs (created_at, state);
