-- Browsers that a person logged in with an API token. Only hashes of what they hold are here; what they may do is asked of
-- the token at each request, so that revoking it ends them.
CREATE TABLE browser_sessions (
  hash       BYTEA NOT NULL PRIMARY KEY,
  token_id   TEXT COLLATE "C" NOT NULL REFERENCES api_tokens (id),
  created_at BIGINT NOT NULL,
  seen_at    BIGINT NOT NULL,
  ends_at    BIGINT NOT NULL
);
CREATE INDEX browser_sessions_by_end ON browser_sessions (ends_at);

-- Syncs are counted by the hour out of this alone, without their rows.
CREATE INDEX runs_by_creation ON runs (created_at, state);
