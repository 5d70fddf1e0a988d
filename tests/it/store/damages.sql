-- journal_content
UPDATE journal SET data = replace(data, 'opportunity', 'opportunitx') WHERE position = 4
-- journal_gap
DELETE FROM journal WHERE position = 5
-- run_state
UPDATE runs SET state = 'dead'
-- run_state
UPDATE runs SET attempt = 7
-- run_end
UPDATE runs SET outcome = replace(outcome, 'Q-2026-0137', 'Q-2026-0138')
-- run_lost
UPDATE counters SET value = 2 WHERE name = 'correlation'
-- link
UPDATE links SET quote_number = 'Q-2026-0138'
-- base
DELETE FROM links
-- base
UPDATE bases SET body = 'nothing'
-- decision
UPDATE decisions SET correlation = 'csync-009' WHERE position = 1
-- quote
UPDATE quotes SET version = version + 1
-- quote_event
DELETE FROM quote_events WHERE sequence = 1
-- key
INSERT INTO idempotency (client, key, fingerprint, run_id, state, created_at, expires_at) SELECT 'shop', 'k', x'00', id, 'running', 0, 0 FROM runs
-- dead_letter
INSERT INTO dead_letters (run_id, number, connection, opportunity, state, code, signature, cause, died_at, body) SELECT id, 1, connection, opportunity, 'open', 'CRM_REJECTED', 's-0', 'x', 0, '{}' FROM runs
