export { connect, type Client, type ConnectOptions } from "./client.js";
export { explain, retryDelayMs, type Explanation } from "./errors.js";
export { ingestLogs, type IngestOptions, type IngestResult, type LogInit } from "./ingest.js";
export { retrying } from "./retry.js";
