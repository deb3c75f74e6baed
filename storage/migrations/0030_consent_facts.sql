-- What else is asked about a consent: for what it was given and over which channel, who took it or from which IP address
-- it came, and what was promised for it.
ALTER TABLE consent
    ADD COLUMN purpose text,                          -- as the person was told: offers, a newsletter …
    ADD COLUMN channel text,                          -- web | app | sms | voice | paper | in_person | email | other
    ADD COLUMN operator text,                         -- who took it
    ADD COLUMN address text,                          -- the IP address it was given from
    ADD COLUMN incentive text;                        -- a coupon …
