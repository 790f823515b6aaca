import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

import { durationFromMs, timestampNow } from "@bufbuild/protobuf/wkt";

import { connect, type Client, type LogInit } from "../src/index.js";
import { Outcome } from "../src/gen/llm_observe/v1/log_pb.js";

/** Where a test needs a server that refuses calls; absent where tests run against a server of yours. */
export const BUSY_ENDPOINT = process.env["LLM_OBSERVE_TEST_BUSY_ENDPOINT"];
export const REFUSING_ENDPOINT = process.env["LLM_OBSERVE_TEST_REFUSING_ENDPOINT"];

export const TIMEOUT_MS = 60_000;
const POLL_MS = 100;

export function makeLog(fields: LogInit = {}): LogInit {
  return {
    logId: randomUUID(),
    sessionId: "node-test",
    provider: "openai",
    model: "gpt-4o-mini",
    startTime: timestampNow(),
    latency: durationFromMs(750),
    outcome: Outcome.SUCCESS,
    inputTokenCount: 12n,
    outputTokenCount: 34n,
    ...fields,
  } as LogInit;
}

/** Runs a test with a client, and closes it. */
export async function withClient(test: (client: Client) => Promise<void>, endpoint?: string): Promise<void> {
  const client = connect(endpoint ? { endpoint } : {});
  try {
    await test(client);
  } finally {
    client.close();
  }
}

/** Asks until the answer is as expected; the test's own time-out ends it. */
export async function eventually<T>(ask: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    await sleep(POLL_MS);
  }
}

/** Returns how many calls of an environment are counted, once they are `expected`. */
export function countedCalls(client: Client, environment: string, expected: number): Promise<number> {
  return eventually(async () => {
    const { current } = await client.analytics.getSummary(
      { filter: { environments: [environment] } },
      { timeoutMs: TIMEOUT_MS },
    );
    const count = Number(current?.requestCount ?? 0n);
    return count >= expected ? count : undefined;
  });
}
