-- Sources that are fetched from SFTP servers and buckets. Versions that don't know this fetch by
-- `url` alone, and refuse any that isn't one of the web.
-- What a kind of place takes beside its URL; NULL: nothing.
ALTER TABLE pulls ADD COLUMN settings jsonb;

-- Of a folder: the feeds made, the files refused, and those that aren't complete yet.
ALTER TABLE fetches ADD COLUMN feeds integer NOT NULL DEFAULT 0;
ALTER TABLE fetches ADD COLUMN refused integer NOT NULL DEFAULT 0;
ALTER TABLE fetches ADD COLUMN waiting integer NOT NULL DEFAULT 0;

-- Each version of each file of a folder, and what became of it.
CREATE TABLE pulled_files (
    source_id uuid NOT NULL,
    partner_id uuid NOT NULL,
    path text COLLATE "C" NOT NULL,
    version text COLLATE "C" NOT NULL,
    state text COLLATE "C" NOT NULL,
    seen_at timestamptz NOT NULL,
    size bigint,
    modified_at timestamptz,
    -- The fetch that decided; NULL: it was only seen.
    fetch_id uuid,
    feed_id uuid,
    sha256 text,
    error jsonb,
    -- No version of a file is taken twice, by whichever way it was found.
    PRIMARY KEY (source_id, path, version)
);
CREATE INDEX pulled_files_by_fetch ON pulled_files (fetch_id, path) WHERE fetch_id IS NOT NULL;
