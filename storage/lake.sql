-- name: list_unsealed_hours
-- Hours, over by `end`, of which logs are kept and counted, and that are not sealed. NULL means every project.
SELECT project_id, hour
FROM (
    SELECT project_id, start_time AS hour FROM rollups
    WHERE tier_minutes = 60 AND (:project_id::text IS NULL OR project_id = :project_id::text)
      AND start_time >= greatest((SELECT kept_from FROM retention), :start::timestamptz) AND start_time < :end::timestamptz
    UNION
    SELECT project_id, date_trunc('hour', minute, 'UTC') FROM rollup_deltas
    WHERE (:project_id::text IS NULL OR project_id = :project_id::text)
      AND minute >= greatest((SELECT kept_from FROM retention), :start::timestamptz) AND minute < :end::timestamptz
) AS counted
WHERE NOT EXISTS (
    SELECT FROM lake_hours AS h WHERE h.project_id = counted.project_id AND h.hour = counted.hour
)
ORDER BY project_id, hour

-- name: set_lock_timeout
SELECT set_config('lock_timeout', :timeout::text, true)

-- name: lock_writers
-- Waits for the transactions that write logs, and keeps others from beginning to. ONLY: they all lock the parent.
LOCK TABLE ONLY log_keys IN SHARE MODE

-- name: seal_hours
INSERT INTO lake_hours (project_id, hour)
SELECT * FROM unnest(:project_ids::text[], :hours::timestamptz[])
ON CONFLICT DO NOTHING

-- name: list_sealed_hours
-- Of hours whose logs are kept; those of dropped days are final. NULL means every project.
SELECT project_id, hour, generation, exported_generation, row_count, size_bytes, sha256, export_time
FROM lake_hours
WHERE (:project_id::text IS NULL OR project_id = :project_id::text)
  AND hour >= greatest((SELECT kept_from FROM retention), :start::timestamptz) AND hour < :end::timestamptz
  AND (generation <> exported_generation OR manifest_generation <> exported_generation OR NOT :only_changed::boolean)
ORDER BY project_id, hour

-- name: list_dropped_hours
-- Of days whose logs are dropped: what the lake has of them is all there is.
SELECT project_id, hour, generation, exported_generation, row_count, size_bytes, sha256, export_time
FROM lake_hours
WHERE project_id = :project_id::text AND exported_generation > 0
  AND hour >= :start::timestamptz AND hour < least((SELECT kept_from FROM retention), :end::timestamptz)
ORDER BY hour

-- name: share_lake
-- Retention waits for this and this for retention: what it drops, it drops for all snapshots.
SELECT pg_advisory_lock_shared(hashtext('llm_observe.lake'))

-- name: keep_exporters_out
SELECT pg_advisory_xact_lock(hashtext('llm_observe.lake'))

-- name: try_lock_hour
SELECT pg_try_advisory_lock(hashtextextended('llm_observe.lake_hour/' || :project_id::text || '/' || extract(epoch FROM :hour::timestamptz), 0))
    AS locked

-- name: lock_manifest
SELECT pg_advisory_lock(hashtextextended('llm_observe.lake_manifest/' || :project_id::text || '/' || extract(epoch FROM :day::timestamptz), 0))

-- name: set_date_style
SELECT set_config('DateStyle', 'ISO', true)

-- name: get_generation
-- No row where retention has dropped the hour.
SELECT generation FROM lake_hours
WHERE project_id = :project_id::text AND hour = :hour::timestamptz AND hour >= (SELECT kept_from FROM retention)

-- name: copy_hour
SELECT
    -- each lake_column: {value} AS {name}
FROM logs
WHERE project_id = :project_id::text AND start_time >= :hour::timestamptz
  AND start_time < :hour::timestamptz + interval '1 hour'
ORDER BY logs.start_time, log_id

-- name: check_connection
SELECT 1

-- name: set_exported
-- Notes what the file of an hour holds, and, in the same instant, the progress of the export that wrote it.
WITH noted AS (
    UPDATE lake_hours
    SET exported_generation = :generation::bigint, manifest_generation = 0, row_count = :row_count::bigint,
        size_bytes = :size_bytes::bigint, sha256 = :sha256::text, export_time = now()
    WHERE project_id = :project_id::text AND hour = :hour::timestamptz AND exported_generation <= :generation::bigint
)
UPDATE exports
SET row_count = row_count + :row_count::bigint, size_bytes = size_bytes + :size_bytes::bigint,
    files = CASE WHEN :row_count::bigint > 0 THEN array_append(files, :file::text) ELSE files END
WHERE export_id = :export_id::uuid AND state = 'running'

-- name: note_rewrite
-- Of an hour whose rows are dropped: its file was written again without what was erased.
UPDATE lake_hours
SET size_bytes = :size_bytes::bigint, sha256 = :sha256::text, export_time = now(), manifest_generation = 0
WHERE project_id = :project_id::text AND hour = :hour::timestamptz

-- name: list_changed_manifests
-- UTC days of which a file is newer than what the manifest says.
SELECT DISTINCT date_trunc('day', hour, 'UTC') AS day
FROM lake_hours
WHERE project_id = :project_id::text AND hour >= :start::timestamptz AND hour < :end::timestamptz
  AND manifest_generation <> exported_generation
ORDER BY 1

-- name: list_day
SELECT project_id, hour, generation, exported_generation, row_count, size_bytes, sha256, export_time
FROM lake_hours
WHERE project_id = :project_id::text AND exported_generation > 0
  AND hour >= :day::timestamptz AND hour < :day::timestamptz + interval '24 hours'
ORDER BY hour

-- name: set_manifest
UPDATE lake_hours AS h SET manifest_generation = h.exported_generation
FROM unnest(:hours::timestamptz[], :export_times::timestamptz[]) AS said (hour, export_time)
WHERE h.project_id = :project_id::text AND h.hour = said.hour AND h.export_time = said.export_time

-- name: mark_lost
-- Has hours exported again. Not those that were since: their files are others.
UPDATE lake_hours AS h SET generation = generation + 1
FROM unnest(:project_ids::text[], :hours::timestamptz[], :export_times::timestamptz[])
    AS lost (project_id, hour, export_time)
WHERE h.project_id = lost.project_id AND h.hour = lost.hour AND h.export_time = lost.export_time

-- name: mark_changed
UPDATE lake_hours SET generation = generation + 1
WHERE project_id = :project_id::text AND hour = :hour::timestamptz

-- name: find_waiting_hours
-- Hours before a time whose logs the lake does not have as they are: the oldest, and how many.
SELECT min(hour) AS oldest_hour, count(*) AS hour_count
FROM (
    SELECT project_id, start_time AS hour FROM rollups
    WHERE tier_minutes = 60 AND start_time >= (SELECT kept_from FROM retention) AND start_time < :end::timestamptz
    UNION
    SELECT project_id, date_trunc('hour', minute, 'UTC') FROM rollup_deltas
    WHERE minute >= (SELECT kept_from FROM retention) AND minute < :end::timestamptz
) AS counted
LEFT JOIN lake_hours AS h USING (project_id, hour)
WHERE h.generation IS NULL OR h.generation <> h.exported_generation
