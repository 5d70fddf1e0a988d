-- Where a browser was when it logged in, for whoever looks through the list of those that are logged in as them, which is
-- found by way of their tokens.
ALTER TABLE browser_sessions ADD COLUMN address TEXT;
CREATE INDEX browser_sessions_by_token ON browser_sessions (token_id);
CREATE INDEX api_tokens_by_client ON api_tokens (client);
