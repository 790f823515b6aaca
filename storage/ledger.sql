-- name: add_batches
-- In order of their keys, so that concurrent writers do not deadlock.
INSERT INTO producer_batches AS b (project_id, producer_id, batch_number, receive_time, log_count,
                                   rejected_count, stored_count, sent_total, dropped_totals, sdk)
SELECT project_id, producer_id, batch_number, min(receive_time), max(log_count), max(rejected_count),
       sum(stored_count), max(sent_total), (array_agg(dropped_totals))[1]::jsonb, min(sdk)
FROM unnest(:project_id::text[], :producer_id::text[], :batch_number::bigint[], :receive_time::timestamptz[],
            :log_count::bigint[], :rejected_count::bigint[], :stored_count::bigint[], :sent_total::bigint[],
            :dropped_totals::text[], :sdk::text[])
    AS t (project_id, producer_id, batch_number, receive_time, log_count, rejected_count, stored_count,
          sent_total, dropped_totals, sdk)
GROUP BY project_id, producer_id, batch_number
ORDER BY project_id, producer_id, batch_number
ON CONFLICT (project_id, producer_id, batch_number) DO UPDATE
    SET stored_count = b.stored_count + excluded.stored_count

-- name: query_ledger
-- One row a producer and hour, newest hour first. Totals that the producer declares become differences to its
-- hour before, so that an hour whose batches never came is missing from sent_count of none.
WITH hours AS (
    SELECT producer_id, date_trunc('hour', receive_time, 'UTC') AS hour,
           count(*) FILTER (WHERE batch_number > 0) AS batch_count, max(batch_number) AS last_batch,
           sum(log_count) AS received_count, sum(rejected_count) AS rejected_count,
           sum(stored_count) AS stored_count, max(sent_total) AS sent_total,
           (array_agg(dropped_totals ORDER BY batch_number DESC))[1] AS dropped_totals, max(sdk) AS sdk
    FROM producer_batches
    WHERE project_id = :project_id::text AND receive_time < :end_time::timestamptz
      AND (:producer_id::text IS NULL OR producer_id = :producer_id::text)
    GROUP BY producer_id, hour
),
dead AS (
    SELECT producer_id, date_trunc('hour', first_attempt_time, 'UTC') AS hour,
           sum(log_count) AS dead_lettered_count
    FROM dead_letters
    WHERE project_id = :project_id::text AND state <> 'replayed' AND producer_id <> ''
    GROUP BY producer_id, hour
),
entries AS (
    SELECT producer_id, hour, received_count, rejected_count, stored_count, sdk, dropped_totals,
           sent_total - coalesce(lag(sent_total) OVER earlier, 0) AS sent_count,
           last_batch - coalesce(lag(last_batch) OVER earlier, 0) - batch_count AS missing_batch_count,
           coalesce(lag(dropped_totals) OVER earlier, '{}'::jsonb) AS dropped_before,
           coalesce(dead_lettered_count, 0) AS dead_lettered_count
    FROM hours LEFT JOIN dead USING (producer_id, hour)
    WINDOW earlier AS (PARTITION BY producer_id ORDER BY hour)
)
SELECT producer_id, hour, sent_count, received_count::bigint, rejected_count::bigint, stored_count::bigint,
       dead_lettered_count::bigint, missing_batch_count, dropped_before, dropped_totals, sdk,
       greatest(received_count - rejected_count - stored_count - dead_lettered_count, 0)::bigint AS duplicate_count
FROM entries
WHERE hour >= date_trunc('hour', :start_time::timestamptz, 'UTC')
  AND (:before_hour::timestamptz IS NULL
       OR (hour, producer_id) < (:before_hour::timestamptz, :before_producer::text))
ORDER BY hour DESC, producer_id DESC
LIMIT :row_limit::bigint

-- name: count_sdk_drops
-- By reason, what producers that were heard of since a time have dropped since then, by their own account.
WITH heard AS (
    SELECT project_id, producer_id, min(batch_number) AS first_batch, max(batch_number) AS last_batch
    FROM producer_batches
    WHERE project_id IN (SELECT project_id FROM projects) AND receive_time >= :since::timestamptz
      AND batch_number > 0
    GROUP BY project_id, producer_id
)
SELECT reason, sum(total::numeric - coalesce((before.dropped_totals ->> reason)::numeric, 0))::bigint AS log_count
FROM heard
JOIN producer_batches AS last
    ON (last.project_id, last.producer_id, last.batch_number) = (heard.project_id, heard.producer_id, last_batch)
CROSS JOIN LATERAL jsonb_each_text(last.dropped_totals) AS dropped (reason, total)
LEFT JOIN LATERAL (
    SELECT dropped_totals FROM producer_batches AS b
    WHERE b.project_id = heard.project_id AND b.producer_id = heard.producer_id AND b.batch_number < first_batch
    ORDER BY b.batch_number DESC LIMIT 1
) AS before ON true
GROUP BY reason
