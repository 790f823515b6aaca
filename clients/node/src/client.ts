import { readFileSync } from "node:fs";

import { createClient, type Client as ServiceClient, type Interceptor } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";

import { AdminService } from "./gen/llm_observe/v1/admin_service_pb.js";
import { AlertService } from "./gen/llm_observe/v1/alert_service_pb.js";
import { AnalyticsService } from "./gen/llm_observe/v1/analytics_service_pb.js";
import { ChatService } from "./gen/llm_observe/v1/chat_service_pb.js";
import { ConversationService } from "./gen/llm_observe/v1/conversation_service_pb.js";
import { EventService } from "./gen/llm_observe/v1/event_service_pb.js";
import { ExportService } from "./gen/llm_observe/v1/export_service_pb.js";
import { HealthService } from "./gen/llm_observe/v1/health_service_pb.js";
import { IngestService } from "./gen/llm_observe/v1/ingest_service_pb.js";
import { ReportService } from "./gen/llm_observe/v1/report_service_pb.js";
import { TraceService } from "./gen/llm_observe/v1/trace_service_pb.js";

const KEEPALIVE_MS = 60_000;

export interface ConnectOptions {
  /** Host and port of the server, `127.0.0.1:50051` unless LLM_OBSERVE_ENDPOINT says otherwise. */
  endpoint?: string;
  /** API key, by default LLM_OBSERVE_API_KEY. */
  apiKey?: string;
  /** Whether to use TLS; implied by `caFile`. */
  tls?: boolean;
  /** PEM file of the authority that signed the server's certificate, by default LLM_OBSERVE_TLS_CA_FILE. */
  caFile?: string;
}

/** The services of one server, over one HTTP/2 connection. */
export interface Client {
  readonly admin: ServiceClient<typeof AdminService>;
  readonly alerts: ServiceClient<typeof AlertService>;
  readonly analytics: ServiceClient<typeof AnalyticsService>;
  readonly chat: ServiceClient<typeof ChatService>;
  readonly conversations: ServiceClient<typeof ConversationService>;
  readonly events: ServiceClient<typeof EventService>;
  readonly exports: ServiceClient<typeof ExportService>;
  readonly health: ServiceClient<typeof HealthService>;
  readonly ingest: ServiceClient<typeof IngestService>;
  readonly reports: ServiceClient<typeof ReportService>;
  readonly traces: ServiceClient<typeof TraceService>;
  /** Closes the connection; calls that run are cancelled. */
  close(): void;
}

/**
 * Makes a client. It connects with the first call, and again after a connection is lost.
 * A call has no deadline unless it is given one: `client.health.check({}, { timeoutMs: 10_000 })`.
 */
export function connect(options: ConnectOptions = {}): Client {
  const { env } = process;
  const endpoint = options.endpoint ?? env["LLM_OBSERVE_ENDPOINT"] ?? "127.0.0.1:50051";
  const apiKey = options.apiKey ?? env["LLM_OBSERVE_API_KEY"] ?? "";
  const caFile = options.caFile ?? env["LLM_OBSERVE_TLS_CA_FILE"] ?? "";
  const tls = options.tls ?? caFile !== "";
  const baseUrl = `${tls ? "https" : "http"}://${endpoint}`;
  const sessionManager = new Http2SessionManager(
    baseUrl,
    { pingIntervalMs: KEEPALIVE_MS },
    caFile ? { ca: readFileSync(caFile) } : {},
  );
  const interceptors = apiKey ? [authorize(apiKey)] : [];
  const transport = createGrpcTransport({ baseUrl, interceptors, sessionManager });
  return {
    admin: createClient(AdminService, transport),
    alerts: createClient(AlertService, transport),
    analytics: createClient(AnalyticsService, transport),
    chat: createClient(ChatService, transport),
    conversations: createClient(ConversationService, transport),
    events: createClient(EventService, transport),
    exports: createClient(ExportService, transport),
    health: createClient(HealthService, transport),
    ingest: createClient(IngestService, transport),
    reports: createClient(ReportService, transport),
    traces: createClient(TraceService, transport),
    close: () => sessionManager.abort(),
  };
}

function authorize(apiKey: string): Interceptor {
  return (next) => (request) => {
    request.header.set("authorization", `Bearer ${apiKey}`);
    return next(request);
  };
}
