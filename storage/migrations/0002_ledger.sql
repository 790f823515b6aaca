-- What each producer sent: one row a batch, whichever way its logs went. stored_count grows with each new row
-- of the batch, in the row's own transaction, so that it is exact however often the batch is redelivered.
-- Batch 0 holds what came back from dead letters one by one.
CREATE TABLE producer_batches (
    project_id     text NOT NULL,
    producer_id    text NOT NULL,
    batch_number   bigint NOT NULL,
    receive_time   timestamptz NOT NULL,
    -- Logs in the batch as it came, rejected ones included.
    log_count      bigint NOT NULL,
    rejected_count bigint NOT NULL,
    stored_count   bigint NOT NULL,
    -- The producer's own totals as of this batch.
    sent_total     bigint NOT NULL,
    dropped_totals jsonb NOT NULL,
    sdk            text NOT NULL,
    PRIMARY KEY (project_id, producer_id, batch_number)
);
CREATE INDEX producer_batches_by_time ON producer_batches (project_id, receive_time);
CREATE INDEX dead_letters_by_producer ON dead_letters (project_id, producer_id) WHERE state <> 'replayed';
