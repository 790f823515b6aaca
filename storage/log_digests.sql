-- name: try_lock
-- One maker at a time. The lock is the connection's.
SELECT pg_try_advisory_lock(hashtext('llm_observe.log_digests')) AS locked

-- name: list_missing_hours
-- Sealed hours whose logs are kept and that have no digests, the newest first.
SELECT h.project_id, h.hour AS start_time
FROM lake_hours AS h
WHERE h.hour >= (SELECT kept_from FROM retention) AND NOT EXISTS (
    SELECT FROM log_digests AS d
    WHERE d.project_id = h.project_id AND d.dimension = 'user' AND d.start_time = h.hour AND d.tier_minutes = 60
)
ORDER BY h.hour DESC, h.project_id
LIMIT :row_limit::bigint

-- name: list_missing_spans
-- Days or weeks that have no digests, while each of their hours, or days, has some.
SELECT project_id, span_start AS start_time
FROM (
    SELECT project_id, date_bin(make_interval(mins => :tier_minutes::integer), start_time, '1970-01-01 00:00+00') AS span_start
    FROM log_digests
    WHERE dimension = 'user' AND tier_minutes = :part_minutes::integer
) AS part
WHERE NOT EXISTS (
    SELECT FROM log_digests AS d
    WHERE d.project_id = part.project_id AND d.dimension = 'user' AND d.start_time = span_start
      AND d.tier_minutes = :tier_minutes::integer
)
GROUP BY 1, 2
HAVING count(*) = :tier_minutes::integer / :part_minutes::integer
ORDER BY 2 DESC, 1
LIMIT :row_limit::bigint

-- name: list_generations
SELECT hour, generation
FROM lake_hours
WHERE project_id = :project_id::text AND hour >= :start::timestamptz AND hour < :end::timestamptz
  AND hour >= (SELECT kept_from FROM retention)
ORDER BY hour

-- part: digested
-- Numbers of each group of `members`; one group too many tells that there are.
SELECT group_value,
    -- each rollup_sum: least(coalesce(sum({value}) FILTER (WHERE {condition}), 0), 9223372036854775807)::bigint AS {name}
    ,
    -- each sketch: coalesce(string_agg({packed}, '') FILTER (WHERE {known}), '') AS {name}
FROM members
GROUP BY 1
LIMIT :max_groups::bigint + 1

-- part: in_span
project_id = :project_id::text AND start_time >= :start::timestamptz AND start_time < :end::timestamptz

-- name: digest_by_column
WITH members AS NOT MATERIALIZED (
    SELECT *, 1 AS sign,
        CASE :dimension::text WHEN 'user' THEN user_id WHEN 'session' THEN session_id ELSE release END AS group_value
    FROM logs
    WHERE
    -- use: in_span
)
-- use: digested

-- name: digest_by_tag
WITH members AS NOT MATERIALIZED (
    SELECT logs.*, 1 AS sign, tag.group_value
    FROM logs
    CROSS JOIN LATERAL (
        SELECT DISTINCT jsonb_array_elements_text(coalesce(tags, '[""]')) AS group_value
    ) AS tag
    WHERE
    -- use: in_span
)
-- use: digested

-- name: list_parts
SELECT dimension, groups, details
FROM log_digests
WHERE project_id = :project_id::text AND dimension = :dimension::text AND tier_minutes = :part_minutes::integer
  AND start_time >= :start::timestamptz AND start_time < :end::timestamptz
ORDER BY start_time

-- name: set_lock_timeout
SELECT set_config('lock_timeout', '2s', true)

-- name: lock_writes
-- Waits for retention, and keeps it waiting.
-- use: lock_writes

-- name: lock_generations
-- Waits for writers that mark these hours, and keeps others from it until the digests are there for them to delete.
SELECT hour, generation
FROM lake_hours
WHERE project_id = :project_id::text AND hour >= :start::timestamptz AND hour < :end::timestamptz
  AND hour >= (SELECT kept_from FROM retention)
ORDER BY hour
FOR SHARE

-- name: add_digests
INSERT INTO log_digests (project_id, dimension, start_time, tier_minutes, group_count, groups, details)
SELECT :project_id::text, dimension, :start::timestamptz, :tier_minutes::integer, group_count, groups, details
FROM unnest(:dimensions::text[], :group_counts::bigint[], :groups::bytea[], :details::bytea[])
    AS made (dimension, group_count, groups, details)
ON CONFLICT DO NOTHING

-- name: list_digests
-- What digests there are within a window.
SELECT start_time, tier_minutes, group_count
FROM log_digests
WHERE project_id = :project_id::text AND dimension = :dimension::text
  AND start_time >= :start::timestamptz AND start_time < :end::timestamptz AND groups IS NOT NULL
ORDER BY start_time, tier_minutes

-- name: read_groups
SELECT groups
FROM unnest(:starts::timestamptz[], :tiers::smallint[]) WITH ORDINALITY AS wanted (start_time, tier_minutes, place)
JOIN log_digests AS d USING (start_time, tier_minutes)
WHERE d.project_id = :project_id::text AND d.dimension = :dimension::text
ORDER BY place

-- name: read_details
SELECT substring(details FROM first FOR size) AS part
FROM unnest(:starts::timestamptz[], :tiers::smallint[], :firsts::integer[], :sizes::integer[])
    WITH ORDINALITY AS wanted (start_time, tier_minutes, first, size, place)
JOIN log_digests AS d USING (start_time, tier_minutes)
WHERE d.project_id = :project_id::text AND d.dimension = :dimension::text
ORDER BY place

-- name: forget_digests
-- Those that hold logs of dropped days.
DELETE FROM log_digests WHERE start_time < :horizon::timestamptz
