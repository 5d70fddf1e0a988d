-- Business numbers are looked up by themselves: a service has few connections, and with the connection before it SQLite took the
-- primary key, and read all links of a connection at each sync.
DROP INDEX links_by_number;
CREATE INDEX links_by_number ON links (opportunity_number) WHERE opportunity_number IS NOT NULL;
DROP INDEX deletions_by_number;
CREATE INDEX deletions_by_number ON deletions (opportunity_number) WHERE opportunity_number IS NOT NULL;
