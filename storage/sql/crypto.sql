-- name: claim_installation
INSERT INTO installation (key_fingerprint) VALUES ($1) ON CONFLICT DO NOTHING;

-- name: key_fingerprint
SELECT key_fingerprint FROM installation;
