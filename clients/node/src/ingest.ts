import { create, toBinary, type MessageInitShape } from "@bufbuild/protobuf";

import type { Client } from "./client.js";
import { LogSchema, type Log } from "./gen/llm_observe/v1/log_pb.js";
import { retrying } from "./retry.js";

const MAX_BATCH_LOGS = 500;
const MAX_BATCH_BYTES = 4 * 1024 * 1024;
/** Tag and length of a log within its request. */
const MAX_PREFIX_BYTES = 6;

/** The fields of a log; `logId` is a UUID of yours, by which the server knows a log that is sent again. */
export type LogInit = MessageInitShape<typeof LogSchema>;

export interface IngestOptions {
  /** Time for everything, retries included, in milliseconds; 30 seconds by default. */
  timeoutMs?: number;
  signal?: AbortSignal;
}

export interface IngestResult {
  /** Logs that the server has made durable. */
  acceptedCount: number;
  /** Logs that break a rule; sending them again changes nothing. */
  rejectedCount: number;
  /** The first ten rejected logs of each batch, by their position among the logs given. */
  rejected: { index: number; logId: string; reason: string; message: string }[];
}

/**
 * Sends logs in batches, and each batch again while the server asks for it.
 * Throws the error of the first batch that could not be sent in time; to call again with the same
 * logs is safe, since a log counts once however often it arrives.
 */
export async function ingestLogs(client: Client, logs: LogInit[], options: IngestOptions = {}): Promise<IngestResult> {
  const deadline = performance.now() + (options.timeoutMs ?? 30_000);
  const result: IngestResult = { acceptedCount: 0, rejectedCount: 0, rejected: [] };
  let first = 0;
  for (const batch of batches(logs.map((log) => create(LogSchema, log)))) {
    const answer = await retrying(
      deadline - performance.now(),
      (call) => client.ingest.ingestLogs({ logs: batch }, call),
      options.signal,
    );
    result.acceptedCount += Number(answer.acceptedLogCount);
    result.rejectedCount += Number(answer.rejectedLogCount);
    for (const { index, logId, reason, message } of answer.rejectedLogs) {
      result.rejected.push({ index: first + index, logId, reason, message });
    }
    first += batch.length;
  }
  return result;
}

function* batches(logs: Log[]): Generator<Log[]> {
  let batch: Log[] = [];
  let bytes = 0;
  for (const log of logs) {
    const size = toBinary(LogSchema, log).byteLength + MAX_PREFIX_BYTES;
    if (batch.length === MAX_BATCH_LOGS || (batch.length && bytes + size > MAX_BATCH_BYTES)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(log);
    bytes += size;
  }
  if (batch.length) yield batch;
}
