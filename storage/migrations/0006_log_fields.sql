-- What decides the price of a call, and where it came from. No default is volatile, so that no table is rewritten:
-- this takes the same instant whatever lies in them.
ALTER TABLE logs
    ADD COLUMN retry_count                integer,
    ADD COLUMN cache_write_1h_token_count bigint,
    ADD COLUMN audio_input_token_count    bigint,
    ADD COLUMN audio_output_token_count   bigint,
    ADD COLUMN reported_cost_nano_usd     bigint,
    ADD COLUMN service_tier               text NOT NULL DEFAULT '',
    ADD COLUMN server_address             text NOT NULL DEFAULT '',
    ADD COLUMN provider_response_id       text NOT NULL DEFAULT '',
    ADD COLUMN source                     text NOT NULL DEFAULT '';
ALTER TABLE hourly_rollups
    ADD COLUMN cache_write_1h_token_sum   numeric NOT NULL DEFAULT 0,
    ADD COLUMN audio_input_token_sum      numeric NOT NULL DEFAULT 0,
    ADD COLUMN audio_output_token_sum     numeric NOT NULL DEFAULT 0;
