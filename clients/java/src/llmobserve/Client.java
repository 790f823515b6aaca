package llmobserve;

import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.ForwardingClientCall.SimpleForwardingClientCall;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.NettyChannelBuilder;
import java.io.File;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLException;
import llm_observe.v1.AnalyticsServiceGrpc;
import llm_observe.v1.AnalyticsServiceGrpc.AnalyticsServiceBlockingStub;
import llm_observe.v1.ChatServiceGrpc;
import llm_observe.v1.ChatServiceGrpc.ChatServiceBlockingStub;
import llm_observe.v1.EventServiceGrpc;
import llm_observe.v1.EventServiceGrpc.EventServiceBlockingStub;
import llm_observe.v1.HealthServiceGrpc;
import llm_observe.v1.HealthServiceGrpc.HealthServiceBlockingStub;
import llm_observe.v1.IngestServiceGrpc;
import llm_observe.v1.IngestServiceGrpc.IngestServiceBlockingStub;
import llm_observe.v1.IngestServiceOuterClass.IngestLogsRequest;
import llm_observe.v1.IngestServiceOuterClass.IngestLogsResponse;
import llm_observe.v1.IngestServiceOuterClass.RejectedLog;
import llm_observe.v1.LogOuterClass.Log;

/** A client of LLM Observe: ingest in batches with retries, and a stub of every service. Safe for several threads. */
public final class Client implements AutoCloseable {
    private static final Metadata.Key<String> AUTHORIZATION =
        Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);
    private static final int MAX_BATCH_LOGS = 500;
    private static final int MAX_BATCH_BYTES = 4 * 1024 * 1024;
    /** Tag and length of a log within its request. */
    private static final int MAX_PREFIX_BYTES = 6;

    /**
     * Which server to call.
     *
     * @param endpoint host and port
     * @param apiKey sent with every call, unless empty
     * @param caFile PEM file of the authority that signed the server's certificate; TLS is used unless it is empty
     */
    public record Options(String endpoint, String apiKey, String caFile) {
        @Override
        public String toString() {
            return "Options[endpoint=" + endpoint + "]"; // a record would show the key
        }

        /** Reads LLM_OBSERVE_ENDPOINT, LLM_OBSERVE_API_KEY and LLM_OBSERVE_TLS_CA_FILE. */
        public static Options fromEnvironment() {
            var environment = System.getenv();
            return new Options(
                environment.getOrDefault("LLM_OBSERVE_ENDPOINT", "127.0.0.1:50051"),
                environment.getOrDefault("LLM_OBSERVE_API_KEY", ""),
                environment.getOrDefault("LLM_OBSERVE_TLS_CA_FILE", ""));
        }
    }

    /**
     * What became of logs.
     *
     * @param accepted logs that are durable on the server
     * @param rejected logs that break a rule; sending them again changes nothing
     * @param reasons the first ten rejected logs of each batch; their index is the position among all logs
     */
    public record IngestResult(long accepted, long rejected, List<RejectedLog> reasons) {}

    public final AnalyticsServiceBlockingStub analytics;
    public final ChatServiceBlockingStub chat;
    public final EventServiceBlockingStub events;
    public final HealthServiceBlockingStub health;
    public final IngestServiceBlockingStub ingest;
    private final ManagedChannel channel;

    /** Makes a client, which connects with its first call. Give each call a deadline: {@code withDeadlineAfter}. */
    public Client(Options options) throws SSLException {
        var builder = NettyChannelBuilder.forTarget(options.endpoint());
        if (options.caFile().isEmpty()) {
            builder.usePlaintext();
        } else {
            builder.sslContext(GrpcSslContexts.forClient().trustManager(new File(options.caFile())).build());
        }
        if (!options.apiKey().isEmpty()) {
            builder.intercept(new KeySender(options.apiKey()));
        }
        channel = builder.build();
        analytics = AnalyticsServiceGrpc.newBlockingStub(channel);
        chat = ChatServiceGrpc.newBlockingStub(channel);
        events = EventServiceGrpc.newBlockingStub(channel);
        health = HealthServiceGrpc.newBlockingStub(channel);
        ingest = IngestServiceGrpc.newBlockingStub(channel);
    }

    /**
     * Sends logs in batches, and each batch again while the server asks for it and the time allows it. After an error,
     * calling again with the same logs is safe: a log is known by its log_id and counts once.
     *
     * @throws StatusRuntimeException the error of the first batch that could not be sent in time
     */
    public IngestResult ingestLogs(List<Log> logs, Duration timeout) throws InterruptedException {
        long deadline = System.nanoTime() + timeout.toNanos();
        long accepted = 0;
        long rejected = 0;
        var reasons = new ArrayList<RejectedLog>();
        for (int first = 0; first < logs.size(); ) {
            var batch = logs.subList(first, first + batchLength(logs.subList(first, logs.size())));
            var request = IngestLogsRequest.newBuilder().addAllLogs(batch).build();
            IngestLogsResponse response = Retry.until(deadline, left ->
                ingest.withDeadlineAfter(left, TimeUnit.NANOSECONDS).ingestLogs(request));
            accepted += response.getAcceptedLogCount();
            rejected += response.getRejectedLogCount();
            for (RejectedLog reason : response.getRejectedLogsList()) {
                reasons.add(reason.toBuilder().setIndex(first + reason.getIndex()).build());
            }
            first += batch.size();
        }
        return new IngestResult(accepted, rejected, reasons);
    }

    private static int batchLength(List<Log> logs) {
        long bytes = 0;
        for (int i = 0; i < logs.size(); i++) {
            bytes += logs.get(i).getSerializedSize() + MAX_PREFIX_BYTES;
            if (i == MAX_BATCH_LOGS || i > 0 && bytes > MAX_BATCH_BYTES) {
                return i;
            }
        }
        return logs.size();
    }

    /** Closes the connection; calls that run are cancelled. */
    @Override
    public void close() {
        channel.shutdownNow();
    }

    private record KeySender(String key) implements ClientInterceptor {
        @Override
        public <Q, A> ClientCall<Q, A> interceptCall(MethodDescriptor<Q, A> method, CallOptions options, Channel next) {
            return new SimpleForwardingClientCall<>(next.newCall(method, options)) {
                @Override
                public void start(Listener<A> listener, Metadata headers) {
                    headers.put(AUTHORIZATION, "Bearer " + key);
                    super.start(listener, headers);
                }
            };
        }

        @Override
        public String toString() {
            return "KeySender"; // a record would show the key
        }
    }
}
