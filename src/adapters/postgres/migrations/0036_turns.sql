-- Whose feed a job is, and whether it is a small one, so that a claim needn't ask the feeds. NULL and
-- FALSE for jobs of versions that don't know these columns: such a job is found by its feed, and takes
-- its turn among the large ones.
ALTER TABLE jobs
    ADD COLUMN source_id uuid,
    ADD COLUMN is_small boolean NOT NULL DEFAULT FALSE;
-- Of each lane, the partner whose job was claimed last; the next claim begins after it.
CREATE TABLE turns (
    lane text COLLATE "C" PRIMARY KEY,
    partner_id uuid NOT NULL
);
