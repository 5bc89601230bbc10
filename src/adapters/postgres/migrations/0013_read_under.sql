-- What a feed was read and applied under, beside its profile, so that it can be read so once more. Of
-- publications from before it isn't known; then what holds now is taken. NULL in price_leap is known
-- and means no limit, if time_zone is known.
ALTER TABLE publications
    ADD COLUMN currency text,
    ADD COLUMN time_zone text,
    ADD COLUMN price_leap integer,
    ADD COLUMN without_removals boolean NOT NULL DEFAULT FALSE;
