-- How the files of a source are read, every version of it with who wrote it. A publication names
-- the version that it was read by; 0 is the profile that every source begins with.
CREATE TABLE source_profiles (
    source_id uuid NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    profile jsonb NOT NULL,
    author text NOT NULL,
    saved_at timestamptz NOT NULL,
    PRIMARY KEY (source_id, version)
);

ALTER TABLE publications ADD COLUMN profile_version integer NOT NULL DEFAULT 0;
