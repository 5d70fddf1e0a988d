-- Where a browser was when it logged in, for whoever looks through the list of those that are logged in as them.
ALTER TABLE browser_sessions ADD COLUMN address TEXT;
CREATE INDEX browser_sessions_by_token ON browser_sessions (token_id);
