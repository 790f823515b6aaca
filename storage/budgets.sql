-- name: create_budget
INSERT INTO budgets (project_id, display_name, period, time_zone, amount_nano_usd, threshold_percents,
    forecast_disabled, providers, models, operations, environments, channel_ids, disabled)
SELECT :project_id::text, :display_name::text, :period::text, :time_zone::text, :amount_nano_usd::bigint,
    :threshold_percents::integer[], :forecast_disabled::boolean, :providers::text[], :models::text[],
    :operations::text[], :environments::text[], :channel_ids::uuid[], :disabled::boolean
WHERE (SELECT count(*) FROM budgets WHERE project_id = :project_id::text) < :maximum::bigint
RETURNING *

-- name: get_budget
SELECT * FROM budgets WHERE project_id = :project_id::text AND budget_id = :budget_id::uuid

-- name: lock_budget
SELECT * FROM budgets WHERE project_id = :project_id::text AND budget_id = :budget_id::uuid FOR UPDATE

-- name: list_budgets
SELECT * FROM budgets WHERE project_id = :project_id::text ORDER BY budget_id

-- name: update_budget
UPDATE budgets
SET display_name = :display_name::text, period = :period::text, time_zone = :time_zone::text,
    amount_nano_usd = :amount_nano_usd::bigint, threshold_percents = :threshold_percents::integer[],
    forecast_disabled = :forecast_disabled::boolean, providers = :providers::text[], models = :models::text[],
    operations = :operations::text[], environments = :environments::text[], channel_ids = :channel_ids::uuid[],
    disabled = :disabled::boolean, update_time = now()
WHERE project_id = :project_id::text AND budget_id = :budget_id::uuid
RETURNING *

-- name: delete_budget
DELETE FROM budgets WHERE project_id = :project_id::text AND budget_id = :budget_id::uuid

-- name: claim_budget
-- As claim_rule does.
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
RETURNING *

-- name: lock_claimed_budget
SELECT FROM budgets
WHERE budget_id = :source_id::uuid AND evaluate_time = :evaluate_time::timestamptz
FOR NO KEY UPDATE

-- name: set_budget_error
UPDATE budgets SET evaluation_error = :error::text
WHERE budget_id = :source_id::uuid AND evaluation_error <> :error::text
