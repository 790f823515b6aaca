-- Rules and budgets, the channels that notices go to, the alerts that came of them, and the outbox of notices
-- (docs/decisions/0022-alerts.md).

CREATE TABLE alert_channels (
    channel_id      uuid PRIMARY KEY DEFAULT uuidv7(),
    project_id      text NOT NULL REFERENCES projects,
    display_name    text NOT NULL,
    type            text NOT NULL CHECK (type IN ('webhook', 'slack', 'email')),
    -- Hold secrets: read only where a message is sent.
    url             text NOT NULL DEFAULT '',
    signing_secret  text NOT NULL DEFAULT '',
    host            text NOT NULL DEFAULT '',
    email_addresses text[] NOT NULL DEFAULT '{}',
    -- When a message was last made for it: at most one a minute.
    message_time    timestamptz,
    create_time     timestamptz NOT NULL DEFAULT now(),
    update_time     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX alert_channels_by_project ON alert_channels (project_id, channel_id);

CREATE TABLE alert_rules (
    alert_rule_id        uuid PRIMARY KEY DEFAULT uuidv7(),
    project_id           text NOT NULL REFERENCES projects,
    display_name         text NOT NULL,
    metric               text NOT NULL,
    comparison           text NOT NULL CHECK (comparison IN ('above', 'below')),
    threshold            double precision NOT NULL,
    relative_to_previous boolean NOT NULL,
    window_length        interval NOT NULL,
    group_by             text NOT NULL,
    min_request_count    bigint NOT NULL,
    for_duration         interval NOT NULL,
    keep_duration        interval NOT NULL,
    repeat_interval      interval NOT NULL,
    severity             text NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    providers            text[],
    models               text[],
    operations           text[],
    environments         text[],
    channel_ids          uuid[] NOT NULL,
    disabled             boolean NOT NULL,
    create_time          timestamptz NOT NULL DEFAULT now(),
    update_time          timestamptz NOT NULL DEFAULT now(),
    evaluate_time        timestamptz,
    evaluation_error     text NOT NULL DEFAULT ''
);
CREATE INDEX alert_rules_by_project ON alert_rules (project_id, alert_rule_id);
CREATE INDEX alert_rules_due ON alert_rules (evaluate_time NULLS FIRST);

CREATE TABLE budgets (
    budget_id            uuid PRIMARY KEY DEFAULT uuidv7(),
    project_id           text NOT NULL REFERENCES projects,
    display_name         text NOT NULL,
    period               text NOT NULL CHECK (period IN ('day', 'week', 'month')),
    time_zone            text NOT NULL,
    amount_nano_usd      bigint NOT NULL CHECK (amount_nano_usd > 0),
    threshold_percents   integer[] NOT NULL,
    forecast_disabled    boolean NOT NULL,
    providers            text[],
    models               text[],
    operations           text[],
    environments         text[],
    channel_ids          uuid[] NOT NULL,
    disabled             boolean NOT NULL,
    create_time          timestamptz NOT NULL DEFAULT now(),
    update_time          timestamptz NOT NULL DEFAULT now(),
    evaluate_time        timestamptz,
    evaluation_error     text NOT NULL DEFAULT ''
);
CREATE INDEX budgets_by_project ON budgets (project_id, budget_id);
CREATE INDEX budgets_due ON budgets (evaluate_time NULLS FIRST);

-- An alert outlives its rule or budget, so that neither is a foreign key.
CREATE TABLE alerts (
    alert_id      uuid PRIMARY KEY DEFAULT uuidv7(),
    project_id    text NOT NULL REFERENCES projects,
    source_id     uuid NOT NULL,
    source        text NOT NULL CHECK (source IN ('rule', 'budget')),
    fingerprint   text NOT NULL,
    group_value   text NOT NULL,
    state         text NOT NULL CHECK (state IN ('pending', 'firing', 'resolved')),
    labels        jsonb NOT NULL,
    summary       text NOT NULL,
    value         double precision NOT NULL,
    start_time    timestamptz NOT NULL,
    -- When it was last evaluated, when it last began to be clear, and when the last notice was made.
    seen_time     timestamptz NOT NULL,
    clear_time    timestamptz,
    notice_time   timestamptz,
    fire_time     timestamptz,
    resolve_time  timestamptz
);
CREATE UNIQUE INDEX alerts_open ON alerts (fingerprint) WHERE state <> 'resolved';
CREATE INDEX alerts_by_fingerprint ON alerts (fingerprint);
CREATE INDEX alerts_by_source ON alerts (source_id) WHERE state <> 'resolved';
CREATE INDEX alerts_by_project ON alerts (project_id, alert_id DESC);

-- What is sent at once to a channel. Its id is the idempotency key.
CREATE TABLE alert_messages (
    message_id        uuid PRIMARY KEY DEFAULT uuidv7(),
    channel_id        uuid NOT NULL REFERENCES alert_channels ON DELETE CASCADE,
    state             text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'undelivered')),
    attempt_count     integer NOT NULL DEFAULT 0,
    next_attempt_time timestamptz NOT NULL,
    last_error        text NOT NULL DEFAULT '',
    create_time       timestamptz NOT NULL,
    finish_time       timestamptz
);
-- Messages of a channel go out one after the other.
CREATE UNIQUE INDEX alert_messages_waiting ON alert_messages (channel_id) WHERE state = 'waiting';
CREATE INDEX alert_messages_by_channel ON alert_messages (channel_id, message_id DESC);
CREATE INDEX alert_messages_undelivered ON alert_messages (finish_time) WHERE state = 'undelivered';

-- The outbox: written by the transaction that changes the alert, and put into a message later.
CREATE TABLE alert_notices (
    notice_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alert_id     uuid NOT NULL REFERENCES alerts ON DELETE CASCADE,
    channel_id   uuid NOT NULL REFERENCES alert_channels ON DELETE CASCADE,
    message_id   uuid REFERENCES alert_messages ON DELETE CASCADE,
    status       text NOT NULL CHECK (status IN ('firing', 'resolved')),
    -- What the alert was then: it changes, and a message stays the same however often it is sent.
    labels       jsonb NOT NULL,
    summary      text NOT NULL,
    value        double precision NOT NULL,
    resolve_time timestamptz,
    create_time  timestamptz NOT NULL
);
CREATE INDEX alert_notices_waiting ON alert_notices (channel_id, notice_id) WHERE message_id IS NULL;
CREATE INDEX alert_notices_by_message ON alert_notices (message_id);
CREATE INDEX alert_notices_by_alert ON alert_notices (alert_id, notice_id DESC);
