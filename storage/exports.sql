-- part: export_columns
export_id, project_id, start_time, end_time, checks_files, state, row_count, size_bytes, files, error_reason,
error_message, create_time, finish_time, verifies_files, intact_count, lost_count, damaged_count

-- name: add_export
-- No row where the project has an export that has not ended.
INSERT INTO exports (export_id, project_id, start_time, end_time, checks_files, verifies_files)
VALUES (:export_id::uuid, :project_id::text, :start_time::timestamptz, :end_time::timestamptz, :checks_files::boolean,
        :verifies_files::boolean)
ON CONFLICT DO NOTHING
RETURNING
    -- use: export_columns

-- name: find_unfinished_export
SELECT export_id FROM exports WHERE project_id = :project_id::text AND state IN ('queued', 'running')

-- name: get_export
SELECT
    -- use: export_columns
FROM exports WHERE project_id = :project_id::text AND export_id = :export_id::uuid

-- name: list_exports
SELECT
    -- use: export_columns
FROM exports
WHERE project_id = :project_id::text AND (:states::text[] IS NULL OR state = ANY (:states::text[]))
  AND (:before_id::uuid IS NULL OR export_id < :before_id::uuid)
ORDER BY export_id DESC
LIMIT :row_limit::bigint

-- name: cancel_export
UPDATE exports SET state = 'cancelled', finish_time = now()
WHERE project_id = :project_id::text AND export_id = :export_id::uuid AND state IN ('queued', 'running')

-- name: claim_export
-- The oldest export that waits, or whose worker has not renewed its lease.
UPDATE exports SET state = 'running', lease_time = now() + :lease::interval
WHERE export_id = (
    SELECT export_id FROM exports
    WHERE state IN ('queued', 'running') AND lease_time < now()
    ORDER BY create_time
    LIMIT 1
    FOR UPDATE SKIP LOCKED
)
RETURNING
    -- use: export_columns

-- name: renew_lease
-- No row where the export was cancelled.
UPDATE exports SET lease_time = now() + :lease::interval
WHERE export_id = :export_id::uuid AND state = 'running'
RETURNING export_id

-- name: release_export
-- Another worker may go on with it at once.
UPDATE exports SET lease_time = '-infinity' WHERE export_id = :export_id::uuid AND state = 'running'

-- name: set_file_check
UPDATE exports
SET intact_count = :intact_count::bigint, lost_count = :lost_count::bigint, damaged_count = :damaged_count::bigint
WHERE export_id = :export_id::uuid AND state = 'running'

-- name: finish_export
UPDATE exports SET state = :state::text, error_reason = :error_reason::text, error_message = :error_message::text,
    finish_time = now()
WHERE export_id = :export_id::uuid AND state = 'running'

-- name: forget_exports
DELETE FROM exports WHERE finish_time < now() - :kept::interval
