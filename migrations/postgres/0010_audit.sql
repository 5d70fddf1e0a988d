-- Who did what: people and programs, at the API, in the browser and at the command line. Only ever added to; each entry
-- holds the hash of the one before, so that nothing can be changed or left out unseen. An act has two entries: one before
-- it, and one with its end, which names the first.
CREATE TABLE audit (
  position    BIGINT NOT NULL PRIMARY KEY,
  at          BIGINT NOT NULL,
  client      TEXT COLLATE "C" NOT NULL,
  person      TEXT COLLATE "C",
  origin      TEXT COLLATE "C",
  act         TEXT COLLATE "C" NOT NULL,
  subject     TEXT COLLATE "C" NOT NULL,
  correlation TEXT COLLATE "C",
  begun       BIGINT,
  result      TEXT COLLATE "C",
  previous    BYTEA NOT NULL,
  hash        BYTEA NOT NULL
);
