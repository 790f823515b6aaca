import { Code, ConnectError } from "@connectrpc/connect";

import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "./gen/google/rpc/error_details_pb.js";

/** What a failed call says about itself. */
export interface Explanation {
  /** The gRPC status. */
  code: Code;
  /** The reason, as in docs/errors.md; empty where the server gave none. */
  reason: string;
  message: string;
  metadata: Record<string, string>;
  /** What is wrong with which field of the request. */
  fieldViolations: { field: string; description: string }[];
  /** Milliseconds to wait before trying again; undefined where the server named none. */
  retryDelayMs: number | undefined;
}

/** Reads the status and the details of an error that a call has thrown. */
export function explain(thrown: unknown): Explanation {
  const error = ConnectError.from(thrown);
  const info = error.findDetails(ErrorInfoSchema)[0];
  const violations = error.findDetails(BadRequestSchema).flatMap((detail) => detail.fieldViolations);
  return {
    code: error.code,
    reason: info?.reason ?? "",
    message: error.rawMessage,
    metadata: info?.metadata ?? {},
    fieldViolations: violations.map(({ field, description }) => ({ field, description })),
    retryDelayMs: retryDelayMs(error),
  };
}

/** Returns the delay of an error's RetryInfo in milliseconds; undefined where it has none. */
export function retryDelayMs(thrown: unknown): number | undefined {
  const delay = ConnectError.from(thrown).findDetails(RetryInfoSchema)[0]?.retryDelay;
  return delay && Number(delay.seconds) * 1000 + delay.nanos / 1e6;
}
