-- name: try_lock
-- One maker at a time. The lock is the connection's.
SELECT pg_try_advisory_lock(hashtext('llm_observe.log_digests')) AS locked

-- part: open_days
-- UTC days whose logs are kept and counted and that have no digest, because they are not over or have changed.
open_days AS (
    SELECT DISTINCT project_id, start_time AS day
    FROM rollups AS r
    WHERE tier_minutes = 1440 AND start_time >= (SELECT kept_from FROM retention) AND start_time < :end::timestamptz
      AND NOT EXISTS (
          SELECT FROM log_digests AS d
          WHERE d.project_id = r.project_id AND d.start_time = r.start_time AND d.tier_minutes = 1440 AND making IS NULL
      )
)

-- name: list_missing_short
-- Quarters of an hour, or hours, that are over by `end` and have no digest, the newest first.
WITH
-- use: open_days
SELECT project_id, span_start AS start_time
FROM open_days
CROSS JOIN LATERAL generate_series(
    greatest(day, :start::timestamptz), least(day + interval '24 hours', :end::timestamptz) - make_interval(mins => :tier_minutes::integer),
    make_interval(mins => :tier_minutes::integer)
) AS span_start
WHERE NOT EXISTS (
    SELECT FROM log_digests AS d
    WHERE d.project_id = open_days.project_id AND d.start_time = span_start AND d.tier_minutes = :tier_minutes::integer
      AND making IS NULL
)
ORDER BY span_start DESC, project_id
LIMIT :row_limit::bigint

-- name: list_missing_long
-- Days, or weeks, that have no digest while each of their hours, or days, has one, the newest first.
SELECT project_id, span_start AS start_time
FROM (
    SELECT project_id, date_bin(make_interval(mins => :tier_minutes::integer), start_time, '1970-01-01 00:00+00') AS span_start
    FROM log_digests
    WHERE tier_minutes = :part_minutes::integer AND making IS NULL
) AS part
GROUP BY 1, 2
HAVING count(*) = :tier_minutes::integer / :part_minutes::integer AND NOT EXISTS (
    SELECT FROM log_digests AS d
    WHERE d.project_id = part.project_id AND d.start_time = span_start AND d.tier_minutes = :tier_minutes::integer
      AND making IS NULL
)
ORDER BY 2 DESC, 1
LIMIT :row_limit::bigint

-- name: begin_making
-- A row that whoever takes deltas of these minutes out will find. That of a maker that was killed is taken over.
INSERT INTO log_digests AS d (project_id, start_time, tier_minutes, making)
VALUES (:project_id::text, :start::timestamptz, :tier_minutes::integer, :making::uuid)
ON CONFLICT (project_id, start_time, tier_minutes) DO UPDATE SET making = excluded.making WHERE d.making IS NOT NULL
RETURNING 1 AS begun

-- name: can_be_made
-- Whether the logs of a span are kept, and all their changes merged.
SELECT :start::timestamptz >= (SELECT kept_from FROM retention) AND NOT EXISTS (
    SELECT FROM rollup_deltas
    WHERE project_id = :project_id::text AND minute >= :start::timestamptz AND minute < :end::timestamptz
) AS can_be_made

-- name: page_logs
-- The next logs of a span: their groups, and what each adds to the sums.
SELECT user_id, session_id, release, tags::text AS tags, latency_bucket, ttft_bucket,
    -- each rollup_sum: CASE WHEN {condition} THEN coalesce({value}, 0) ELSE 0 END::bigint
    , start_time, log_id
FROM logs
WHERE project_id = :project_id::text AND start_time >= :start::timestamptz AND start_time < :end::timestamptz
  AND (start_time, log_id) > (:after_time::timestamptz, :after_id::uuid)
ORDER BY start_time, log_id
LIMIT :row_limit::bigint

-- name: list_parts
SELECT user_groups, user_details, session_groups, session_details, release_groups, release_details, tag_groups, tag_details
FROM log_digests
WHERE project_id = :project_id::text AND tier_minutes = :part_minutes::integer AND making IS NULL
  AND start_time >= :start::timestamptz AND start_time < :end::timestamptz
ORDER BY start_time

-- name: finish_making
-- Does nothing where the row is gone, because a delta of these minutes was taken out meanwhile.
UPDATE log_digests
SET making = NULL, user_count = :user_count::bigint, user_groups = :user_groups::bytea, user_details = :user_details::bytea,
    session_count = :session_count::bigint, session_groups = :session_groups::bytea, session_details = :session_details::bytea,
    release_count = :release_count::bigint, release_groups = :release_groups::bytea, release_details = :release_details::bytea,
    tag_count = :tag_count::bigint, tag_groups = :tag_groups::bytea, tag_details = :tag_details::bytea
WHERE project_id = :project_id::text AND start_time = :start::timestamptz AND tier_minutes = :tier_minutes::integer
  AND making = :making::uuid
RETURNING 1 AS finished

-- name: list_digests
-- What digests there are within a window.
SELECT start_time, tier_minutes,
    CASE :dimension::text WHEN 'user' THEN user_count WHEN 'session' THEN session_count WHEN 'release' THEN release_count
        ELSE tag_count END AS group_count
FROM log_digests
WHERE project_id = :project_id::text AND start_time >= :start::timestamptz AND start_time < :end::timestamptz
  AND making IS NULL
  AND CASE :dimension::text WHEN 'user' THEN user_count WHEN 'session' THEN session_count WHEN 'release' THEN release_count
        ELSE tag_count END IS NOT NULL
ORDER BY start_time, tier_minutes

-- name: list_changed_minutes
-- Minutes whose logs have changed since digests were made.
SELECT DISTINCT minute
FROM rollup_deltas
WHERE project_id = :project_id::text AND minute >= :start::timestamptz AND minute < :end::timestamptz
ORDER BY 1

-- name: read_groups
SELECT CASE :dimension::text WHEN 'user' THEN user_groups WHEN 'session' THEN session_groups WHEN 'release' THEN release_groups
    ELSE tag_groups END AS groups
FROM unnest(:starts::timestamptz[], :tiers::smallint[]) WITH ORDINALITY AS wanted (start_time, tier_minutes, place)
JOIN log_digests AS d USING (start_time, tier_minutes)
WHERE d.project_id = :project_id::text
ORDER BY place

-- name: read_details
SELECT substring(CASE :dimension::text WHEN 'user' THEN user_details WHEN 'session' THEN session_details
    WHEN 'release' THEN release_details ELSE tag_details END FROM first FOR size) AS part
FROM unnest(:starts::timestamptz[], :tiers::smallint[], :firsts::integer[], :sizes::integer[])
    WITH ORDINALITY AS wanted (start_time, tier_minutes, first, size, place)
JOIN log_digests AS d USING (start_time, tier_minutes)
WHERE d.project_id = :project_id::text
ORDER BY place

-- name: forget_before
-- Digests of a tier, or of all, that begin before a horizon.
DELETE FROM log_digests
WHERE start_time < :horizon::timestamptz AND (:tier_minutes::integer IS NULL OR tier_minutes = :tier_minutes::integer)

-- name: forget_hour
-- All digests that hold logs of an hour.
DELETE FROM log_digests
WHERE project_id = :project_id::text AND start_time > :hour::timestamptz - interval '7 days'
  AND start_time < :hour::timestamptz + interval '1 hour'
  AND start_time + make_interval(mins => tier_minutes) > :hour::timestamptz
