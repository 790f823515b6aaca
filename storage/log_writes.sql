-- name: claim_logs
-- Claims the right to write these logs, in order of their ids, and returns which rows must move. A log that
-- another project owns, or whose stored content is as new, or whose row retention has dropped, is not claimed.
WITH claimed AS (
    INSERT INTO log_keys AS k (log_id, project_id, start_time, receive_time)
    SELECT log_id, project_id, start_time, receive_time
    FROM unnest(:log_ids::uuid[], :project_ids::text[], :start_times::timestamptz[], :receive_times::timestamptz[])
        AS t (log_id, project_id, start_time, receive_time)
    ORDER BY log_id
    ON CONFLICT (log_id) DO UPDATE
        SET start_time = excluded.start_time, receive_time = excluded.receive_time
        WHERE k.project_id = excluded.project_id AND k.receive_time < excluded.receive_time
          AND k.start_time >= (SELECT kept_from FROM retention)
    RETURNING log_id, k.project_id, old.start_time AS old_start_time, new.start_time AS new_start_time
)
SELECT count(*) AS claimed_count,
       CASE WHEN count(*) < cardinality(:log_ids::uuid[]) THEN array_agg(log_id) END AS claimed_ids,
       count(*) FILTER (WHERE old_start_time <> new_start_time) AS moved_count,
       array_agg(log_id) FILTER (WHERE old_start_time <> new_start_time) AS moved_ids,
       array_agg(project_id) FILTER (WHERE old_start_time <> new_start_time) AS project_ids,
       array_agg(old_start_time) FILTER (WHERE old_start_time <> new_start_time) AS old_start_times,
       array_agg(new_start_time) FILTER (WHERE old_start_time <> new_start_time) AS new_start_times
FROM claimed

-- name: find_owners
SELECT log_id, project_id FROM log_keys WHERE log_id = ANY (:log_ids::uuid[])

-- name: move_logs
-- Takes rows whose start_time is corrected to their new partition. minute stays: write_logs, which follows
-- in the same transaction, takes the old contribution out of that minute.
UPDATE logs
SET start_time = moved.new_start_time
FROM unnest(:log_ids::uuid[], :project_ids::text[], :old_start_times::timestamptz[],
            :new_start_times::timestamptz[])
    AS moved (log_id, project_id, old_start_time, new_start_time)
WHERE logs.project_id = moved.project_id AND logs.start_time = moved.old_start_time
  AND logs.log_id = moved.log_id

-- name: write_logs
-- Upserts claimed logs and adds what changed to the rollups: new contribution in, old one out. No order is needed: the
-- rows' keys are locked, and deltas meet nobody's.
WITH written AS (
    INSERT INTO logs (
        -- each log_column: {name}
    )
    SELECT * FROM unnest(
        -- each log_column: :{name}::{type}[]
    )
    ON CONFLICT (project_id, start_time, log_id) DO UPDATE SET
        -- each log_value: {name} = excluded.{name}
    RETURNING new.log_id, old.log_id IS NOT NULL AS replaced,
        -- each summed_column: old.{name} AS old_{name}
        ,
        -- each summed_column: new.{name}
),
-- use: contributions
-- use: mark_hours
added AS (
    -- use: add_deltas
    SELECT
        -- each rollup_key: {name}
        ,
        -- each rollup_sum: coalesce(sum(sign * {value}) FILTER (WHERE {condition}), 0)
        ,
        -- each packed_count: coalesce(string_agg({packed}, '') FILTER (WHERE {known}), '')
    FROM contributions
    GROUP BY
        -- each rollup_key: {name}
)
SELECT array_agg(log_id) FILTER (WHERE NOT replaced) AS stored_ids,
       count(*) FILTER (WHERE replaced) AS replaced_count
FROM written

-- name: mark_new_hours
-- Marks the hours of rows that were copied.
WITH contributions (project_id, minute) AS (
    SELECT * FROM unnest(:project_ids::text[], :hours::timestamptz[])
),
-- use: mark_hours
nothing AS (SELECT)
SELECT
