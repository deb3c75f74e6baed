-- What is due is claimed category by category, so that a million messages released at eight do not stand before the
-- second attempt of a one-time password.
CREATE INDEX outbox_due_by_category ON outbox (connector, category, not_before)
    WHERE owner = 0 AND not_before IS NOT NULL;
