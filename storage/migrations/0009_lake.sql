-- Hours of logs that were sealed for the lake (docs/decisions/0019-lake.md). Whoever changes logs of an hour raises its
-- generation in the same transaction; the hour is clean while the file in the lake has that generation.
CREATE TABLE lake_hours (
    project_id          text NOT NULL,
    hour                timestamptz NOT NULL,
    generation          bigint NOT NULL DEFAULT 1,
    -- What the file holds; 0 before the first export.
    exported_generation bigint NOT NULL DEFAULT 0,
    -- What the manifest of the day says about the file.
    manifest_generation bigint NOT NULL DEFAULT 0,
    -- Of the file; an hour without logs has none.
    row_count           bigint NOT NULL DEFAULT 0,
    size_bytes          bigint NOT NULL DEFAULT 0,
    sha256              text NOT NULL DEFAULT '',
    export_time         timestamptz,
    PRIMARY KEY (project_id, hour)
) WITH (fillfactor = 70);

-- Jobs that write hours to the lake. A worker runs one while it renews its lease.
CREATE TABLE exports (
    export_id    uuid PRIMARY KEY,
    project_id   text NOT NULL,
    start_time   timestamptz NOT NULL,
    end_time     timestamptz NOT NULL,
    -- Whether files that are in order by the table are looked for in the lake, too.
    checks_files boolean NOT NULL,
    state        text NOT NULL DEFAULT 'queued'
        CHECK (state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
    row_count    bigint NOT NULL DEFAULT 0,
    size_bytes   bigint NOT NULL DEFAULT 0,
    files        text[] NOT NULL DEFAULT '{}',
    error_reason text NOT NULL DEFAULT '',
    create_time  timestamptz NOT NULL DEFAULT now(),
    lease_time   timestamptz NOT NULL DEFAULT '-infinity',
    finish_time  timestamptz
);
-- At most one that has not ended for each project.
CREATE UNIQUE INDEX exports_unfinished ON exports (project_id) WHERE state IN ('queued', 'running');
CREATE INDEX exports_by_project ON exports (project_id, export_id DESC);
