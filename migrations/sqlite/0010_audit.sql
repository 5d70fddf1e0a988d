-- Who did what: people and programs, at the API, in the browser and at the command line. Only ever added to; each entry
-- holds the hash of the one before, so that nothing can be changed or left out unseen. An act has two entries: one before
-- it, and one with its end, which names the first.
CREATE TABLE audit (
  position    INTEGER NOT NULL PRIMARY KEY,
  at          INTEGER NOT NULL,
  client      TEXT NOT NULL,
  person      TEXT,
  origin      TEXT,
  act         TEXT NOT NULL,
  subject     TEXT NOT NULL,
  correlation TEXT,
  begun       INTEGER,
  result      TEXT,
  previous    BLOB NOT NULL,
  hash        BLOB NOT NULL
) STRICT;
