-- The life of an API key: when it ends by itself, and when it was last looked up.

ALTER TABLE api_key
    ADD COLUMN expires_at   timestamptz,              -- null: never
    ADD COLUMN last_used_at timestamptz;              -- written in batches, so up to a minute late
