import { setTimeout as sleep } from "node:timers/promises";

import { Code, ConnectError, type CallOptions } from "@connectrpc/connect";

import { retryDelayMs } from "./errors.js";

const FIRST_DELAY_MS = 200;
const LONGEST_DELAY_MS = 5_000;

/**
 * Repeats a call that is safe to repeat while the server is unavailable or says when to try again.
 * All attempts and the delays between them share one deadline; where a delay would exceed it, the
 * last error is thrown at once.
 */
export async function retrying<T>(
  timeoutMs: number,
  call: (options: CallOptions) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  const cancellable = signal ? { signal } : {};
  for (let attempt = 0; ; attempt++) {
    const timeLeft = Math.max(1, Math.ceil(deadline - performance.now())); // whole, as gRPC demands
    try {
      return await call({ timeoutMs: timeLeft, ...cancellable });
    } catch (error) {
      const delayMs = delayBefore(error, attempt);
      if (delayMs === undefined || performance.now() + delayMs >= deadline) throw error;
      await sleep(delayMs, undefined, cancellable);
    }
  }
}

function delayBefore(error: unknown, attempt: number): number | undefined {
  const asked = retryDelayMs(error);
  if (asked !== undefined) return asked;
  if (ConnectError.from(error).code !== Code.Unavailable) return undefined;
  return Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** attempt) * (0.5 + Math.random() / 2);
}
