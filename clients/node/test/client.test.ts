import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readdirSync } from "node:fs";
import test from "node:test";

import { Code } from "@connectrpc/connect";

import { connect, explain, ingestLogs, retrying } from "../src/index.js";
import { Outcome } from "../src/gen/llm_observe/v1/log_pb.js";
import { BUSY_ENDPOINT, countedCalls, eventually, makeLog, REFUSING_ENDPOINT, TIMEOUT_MS, withClient } from "./server.js";

const options = { timeout: 5 * TIMEOUT_MS };
const deadline = { timeoutMs: TIMEOUT_MS };
const turn = { sessionId: "node-test", provider: "demo", content: "Hello" };

test("every service has a client", options, () =>
  withClient(async (client) => {
    const services = Object.keys(client).filter((name) => name !== "close");
    const generated = readdirSync(new URL("../src/gen/llm_observe/v1/", import.meta.url))
      .filter((name) => name.endsWith("_service_pb.js"))
      .map((name) => name.replace("_service_pb.js", ""));
    assert.equal(services.length, generated.length);
    for (const name of generated) assert.ok(services.some((service) => service.startsWith(name)), name);
  }),
);

test("of a batch, good logs are accepted and bad ones rejected with a reason", options, () =>
  withClient(async (client) => {
    const result = await ingestLogs(client, [makeLog(), makeLog({ logId: "nope" }), makeLog()]);
    assert.equal(result.acceptedCount, 2);
    assert.equal(result.rejectedCount, 1);
    assert.equal(result.rejected[0]!.index, 1);
    assert.equal(result.rejected[0]!.reason, "INVALID_LOG");
    assert.match(result.rejected[0]!.message, /log_id/);
  }),
);

test("many logs go in several batches, and count once though they are sent twice", options, () =>
  withClient(async (client) => {
    const environment = `node-${randomUUID()}`;
    const logs = Array.from({ length: 700 }, () => makeLog({ environment }));
    const result = await ingestLogs(client, [...logs, makeLog({ model: "", environment })], deadline);
    assert.equal(result.acceptedCount, 700);
    assert.equal(result.rejected[0]!.index, 700);
    await ingestLogs(client, logs, deadline);
    const marker = makeLog({ environment });
    await ingestLogs(client, [marker], deadline);
    assert.equal(await countedCalls(client, environment, 701), 701);
  }),
);

test("large logs go in batches of at most 4 MB", options, () =>
  withClient(async (client) => {
    const metadata = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`key${i}`, "x".repeat(500)]));
    const result = await ingestLogs(client, Array.from({ length: 200 }, () => makeLog({ metadata })), deadline);
    assert.equal(result.acceptedCount, 200);
  }),
);

test("a batch that is refused for now is sent again after the server's delay", { ...options, skip: !BUSY_ENDPOINT }, () =>
  withClient(async (client) => {
    await assert.rejects(client.ingest.ingestLogs({ logs: [makeLog()] }, deadline), (error) => {
      const { code, reason, retryDelayMs } = explain(error);
      assert.deepEqual({ code, reason, retryDelayMs }, { code: Code.ResourceExhausted, reason: "RATE_LIMITED", retryDelayMs: 200 });
      return true;
    });
    await ingestLogs(client, [makeLog()], deadline); // lets this one through
    const result = await ingestLogs(client, [makeLog()], deadline); // refuses this one first
    assert.equal(result.acceptedCount, 1);
  }, BUSY_ENDPOINT),
);

test("no delay is waited for that exceeds the deadline", { ...options, skip: !REFUSING_ENDPOINT }, () =>
  withClient(async (client) => {
    await assert.rejects(ingestLogs(client, [makeLog()], deadline), (error) => {
      assert.equal(explain(error).reason, "RATE_LIMITED");
      assert.ok(explain(error).retryDelayMs! > TIMEOUT_MS);
      return true;
    });
  }, REFUSING_ENDPOINT),
);

test("an unreachable server is tried again until the deadline", options, () =>
  withClient(async (client) => {
    let attempts = 0;
    const call = retrying(3_000, (callOptions) => {
      attempts++;
      return client.health.check({}, callOptions);
    });
    await assert.rejects(call, (error) => [Code.Unavailable, Code.DeadlineExceeded].includes(explain(error).code));
    assert.ok(attempts > 1);
  }, "127.0.0.1:1"),
);

test("a deadline ends a call that would go on for ever", options, () =>
  withClient(async (client) => {
    await assert.rejects(
      async () => {
        for await (const response of client.events.watchLogs({}, { timeoutMs: 300 })) void response;
      },
      (error) => explain(error).code === Code.DeadlineExceeded,
    );
  }),
);

test("an error explains itself", options, () =>
  withClient(async (client) => {
    await assert.rejects(client.ingest.ingestLogs({}, deadline), (error) => {
      const { code, reason, fieldViolations } = explain(error);
      assert.equal(code, Code.InvalidArgument);
      assert.equal(reason, "BATCH_EMPTY");
      assert.equal(fieldViolations[0]!.field, "logs");
      return true;
    });
  }),
);

test("a chat streams its answer", options, () =>
  withClient(async (client) => {
    const events: string[] = [];
    let text = "";
    for await (const { event } of client.chat.streamChat({ turn }, deadline)) {
      events.push(event.case!);
      if (event.case === "delta") text += event.value.text;
      if (event.case === "finished") assert.equal(event.value.outcome, Outcome.SUCCESS);
    }
    assert.equal(events[0], "started");
    assert.equal(events.at(-1), "finished");
    assert.ok(text.length > 20);
  }),
);

test("a chat that is cancelled stops, and is recorded as cancelled", options, () =>
  withClient(async (client) => {
    const stop = new AbortController();
    let logId = "";
    let deltas = 0;
    await assert.rejects(
      async () => {
        for await (const { event } of client.chat.streamChat({ turn }, { ...deadline, signal: stop.signal })) {
          if (event.case === "started") logId = event.value.logId;
          if (event.case === "delta" && ++deltas === 3) stop.abort();
          assert.notEqual(event.case, "finished");
        }
      },
      (error) => explain(error).code === Code.Canceled,
    );
    const outcome = await eventually(async () => {
      try {
        return (await client.analytics.getLog({ logId }, deadline)).log!.outcome;
      } catch (error) {
        if (explain(error).reason !== "LOG_NOT_FOUND") throw error;
        return undefined;
      }
    });
    assert.equal(outcome, Outcome.CANCELLED);
  }),
);

const key = process.env["LLM_OBSERVE_API_KEY"] ?? "";

test("a wrong key is refused", { ...options, skip: !key }, async () => {
  const client = connect({ apiKey: `${key}x` });
  await assert.rejects(ingestLogs(client, [makeLog()], deadline), (error) => {
    assert.equal(explain(error).code, Code.Unauthenticated);
    assert.equal(explain(error).reason, "UNAUTHENTICATED");
    return true;
  });
  client.close();
});

test("a server whose certificate is not trusted gets nothing", { ...options, skip: !process.env["LLM_OBSERVE_TLS_CA_FILE"] }, async () => {
  const client = connect({ caFile: "", tls: true });
  await assert.rejects(client.health.check({}, deadline), (error) => explain(error).code !== Code.Unauthenticated);
  client.close();
});
