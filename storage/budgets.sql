-- name: create
INSERT INTO budgets (project_id, display_name, period, time_zone, amount_nano_usd, threshold_percents,
    forecast_disabled, providers, models, operations, environments, channel_ids, disabled)
SELECT :project_id::text, :display_name::text, :period::text, :time_zone::text, :amount_nano_usd::bigint,
    :threshold_percents::integer[], :forecast_disabled::boolean, :providers::text[], :models::text[],
    :operations::text[], :environments::text[], :channel_ids::uuid[], :disabled::boolean
WHERE (SELECT count(*) FROM budgets WHERE project_id = :project_id::text) < :maximum::bigint
RETURNING *, budget_id AS source_id

-- name: get
SELECT *, budget_id AS source_id FROM budgets WHERE project_id = :project_id::text AND budget_id = :source_id::uuid

-- name: lock
SELECT *, budget_id AS source_id FROM budgets WHERE project_id = :project_id::text AND budget_id = :source_id::uuid FOR UPDATE

-- name: list
SELECT *, budget_id AS source_id FROM budgets WHERE project_id = :project_id::text ORDER BY budget_id

-- name: update
UPDATE budgets
SET display_name = :display_name::text, period = :period::text, time_zone = :time_zone::text,
    amount_nano_usd = :amount_nano_usd::bigint, threshold_percents = :threshold_percents::integer[],
    forecast_disabled = :forecast_disabled::boolean, providers = :providers::text[], models = :models::text[],
    operations = :operations::text[], environments = :environments::text[], channel_ids = :channel_ids::uuid[],
    disabled = :disabled::boolean, update_time = now()
WHERE project_id = :project_id::text AND budget_id = :source_id::uuid
RETURNING *, budget_id AS source_id

-- name: delete
DELETE FROM budgets WHERE project_id = :project_id::text AND budget_id = :source_id::uuid

-- name: claim
-- As alert_rules.sql does.
UPDATE budgets SET evaluate_time = :now::timestamptz
WHERE budget_id = (
    SELECT budget_id FROM budgets AS b
    WHERE (evaluate_time IS NULL OR evaluate_time < :due::timestamptz
           OR evaluate_time > :now::timestamptz + interval '10 minutes')
      AND (NOT disabled OR EXISTS (SELECT FROM alerts WHERE source_id = b.budget_id AND state <> 'resolved'))
    ORDER BY evaluate_time NULLS FIRST
    LIMIT 1
    FOR NO KEY UPDATE SKIP LOCKED
)
RETURNING *, budget_id AS source_id

-- name: lock_claimed
SELECT FROM budgets
WHERE budget_id = :source_id::uuid AND evaluate_time = :evaluate_time::timestamptz
FOR NO KEY UPDATE

-- name: set_error
UPDATE budgets SET evaluation_error = :error::text
WHERE budget_id = :source_id::uuid AND evaluation_error <> :error::text
