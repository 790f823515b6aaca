package llmobserve;

import com.google.protobuf.Timestamp;
import io.grpc.Context;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import llm_observe.v1.AnalyticsServiceOuterClass.GetLogRequest;
import llm_observe.v1.AnalyticsServiceOuterClass.GetSummaryRequest;
import llm_observe.v1.ChatServiceOuterClass.ChatTurn;
import llm_observe.v1.ChatServiceOuterClass.StreamChatRequest;
import llm_observe.v1.ChatServiceOuterClass.StreamChatResponse;
import llm_observe.v1.EventServiceOuterClass.WatchLogsRequest;
import llm_observe.v1.Filter.MetricFilter;
import llm_observe.v1.HealthServiceOuterClass.CheckRequest;
import llm_observe.v1.IngestServiceOuterClass.IngestLogsRequest;
import llm_observe.v1.LogOuterClass.Log;
import llm_observe.v1.LogOuterClass.Outcome;

/** Tests against the server at LLM_OBSERVE_ENDPOINT. Prints a line for each; the status is 1 if one failed. */
final class ClientTest {
    private static final Duration TIMEOUT = Duration.ofMinutes(1);
    private static final Client.Options OPTIONS = Client.Options.fromEnvironment();
    private static final StreamChatRequest HELLO = StreamChatRequest.newBuilder()
        .setTurn(ChatTurn.newBuilder().setSessionId("java-test").setProvider("demo").setContent("Hello")).build();

    private static final class Skipped extends Exception {
        Skipped(String why) {
            super(why);
        }
    }

    private interface Body {
        void run(Client client) throws Exception;
    }

    private interface Call {
        void run() throws Exception;
    }

    private final Map<String, Call> tests = new LinkedHashMap<>();

    private static void check(boolean condition, Object seen) {
        if (!condition) {
            throw new AssertionError(seen);
        }
    }

    private static Explanation failure(Call call) throws Exception {
        try {
            call.run();
        } catch (StatusRuntimeException error) {
            return Explanation.of(error);
        }
        throw new AssertionError("the call did not fail");
    }

    private static Client.Options at(String endpoint) {
        return new Client.Options(endpoint, OPTIONS.apiKey(), OPTIONS.caFile());
    }

    /** Returns the options for the server that a variable of the environment names. */
    private static Client.Options atVariable(String variable) throws Skipped {
        String endpoint = System.getenv(variable);
        if (endpoint == null) {
            throw new Skipped(variable + " is not set");
        }
        return at(endpoint);
    }

    private static void with(Client.Options options, Body body) throws Exception {
        try (var client = new Client(options)) {
            body.run(client);
        }
    }

    private static Log.Builder makeLog() {
        return Log.newBuilder().setLogId(UUID.randomUUID().toString()).setSessionId("java-test").setProvider("openai")
            .setModel("gpt-4o-mini").setOutcome(Outcome.OUTCOME_SUCCESS).setInputTokenCount(12).setOutputTokenCount(34)
            .setStartTime(Timestamp.newBuilder().setSeconds(System.currentTimeMillis() / 1000 - 1))
            .setLatency(com.google.protobuf.Duration.newBuilder().setNanos(750_000_000));
    }

    private static long timeoutMs() {
        return TIMEOUT.toMillis();
    }

    private void define() {
        tests.put("of a batch, good logs are accepted and bad ones rejected", () -> with(OPTIONS, client -> {
            var logs = List.of(makeLog().build(), makeLog().setLogId("nope").build(), makeLog().build());
            var result = client.ingestLogs(logs, TIMEOUT);
            check(result.accepted() == 2 && result.rejected() == 1, result);
            check(result.reasons().get(0).getIndex() == 1, result);
            check(result.reasons().get(0).getReason().equals("INVALID_LOG"), result);
            check(result.reasons().get(0).getMessage().contains("log_id"), result);
        }));
        tests.put("many logs go in batches, and count once though they are sent twice", () -> with(OPTIONS, client -> {
            String environment = "java-" + UUID.randomUUID();
            var logs = Stream.generate(() -> makeLog().setEnvironment(environment).build()).limit(701)
                .collect(Collectors.toCollection(ArrayList::new));
            Log last = logs.set(700, makeLog().setEnvironment(environment).clearModel().build());
            var result = client.ingestLogs(logs, TIMEOUT);
            check(result.accepted() == 700 && result.reasons().get(0).getIndex() == 700, result);
            logs.set(700, last);
            check(client.ingestLogs(logs, TIMEOUT).accepted() == 701, "sent again");
            var filter = MetricFilter.newBuilder().addEnvironments(environment);
            long count = 0;
            while (count < 701) {
                Thread.sleep(100);
                count = client.analytics.withDeadlineAfter(timeoutMs(), TimeUnit.MILLISECONDS)
                    .getSummary(GetSummaryRequest.newBuilder().setFilter(filter).build()).getCurrent().getRequestCount();
            }
            check(count == 701, count);
        }));
        tests.put("large logs go in batches of at most 4 MB", () -> with(OPTIONS, client -> {
            var metadata = IntStream.range(0, 50).boxed().collect(Collectors.toMap(i -> "key" + i, i -> "x".repeat(500)));
            var logs = Stream.generate(() -> makeLog().putAllMetadata(metadata).build()).limit(200).toList();
            check(client.ingestLogs(logs, TIMEOUT).accepted() == 200, "large logs");
        }));
        tests.put("a batch that is refused for now is sent again", () ->
            with(atVariable("LLM_OBSERVE_TEST_BUSY_ENDPOINT"), client -> {
                var request = IngestLogsRequest.newBuilder().addLogs(makeLog()).build();
                var refused = failure(() -> client.ingest.withDeadlineAfter(1, TimeUnit.MINUTES).ingestLogs(request));
                check(refused.reason().equals("RATE_LIMITED"), refused);
                check(refused.retryDelay().equals(Duration.ofMillis(200)), refused);
                for (int i = 0; i < 2; i++) { // the second is refused at first
                    check(client.ingestLogs(List.of(makeLog().build()), TIMEOUT).accepted() == 1, i);
                }
            }));
        tests.put("no delay is waited for that exceeds the deadline", () ->
            with(atVariable("LLM_OBSERVE_TEST_REFUSING_ENDPOINT"), client -> {
                var refused = failure(() -> client.ingestLogs(List.of(makeLog().build()), TIMEOUT));
                check(refused.reason().equals("RATE_LIMITED") && refused.retryDelay().compareTo(TIMEOUT) > 0, refused);
            }));
        tests.put("an unreachable server is tried again until the deadline", () -> with(at("127.0.0.1:1"), client -> {
            int[] attempts = {0};
            var refused = failure(() -> Retry.until(System.nanoTime() + 3_000_000_000L, left -> {
                attempts[0]++;
                return client.health.withDeadlineAfter(left, TimeUnit.NANOSECONDS).check(CheckRequest.getDefaultInstance());
            }));
            check(attempts[0] > 1, attempts[0]);
            check(refused.code() == Code.UNAVAILABLE || refused.code() == Code.DEADLINE_EXCEEDED, refused);
        }));
        tests.put("a deadline ends a call that would go on for ever", () -> with(OPTIONS, client -> {
            var refused = failure(() -> client.events.withDeadlineAfter(300, TimeUnit.MILLISECONDS)
                .watchLogs(WatchLogsRequest.getDefaultInstance()).forEachRemaining(response -> { }));
            check(refused.code() == Code.DEADLINE_EXCEEDED, refused);
        }));
        tests.put("an error explains itself", () -> with(OPTIONS, client -> {
            var refused = failure(() -> client.ingest.withDeadlineAfter(1, TimeUnit.MINUTES)
                .ingestLogs(IngestLogsRequest.getDefaultInstance()));
            check(refused.code() == Code.INVALID_ARGUMENT && refused.reason().equals("BATCH_EMPTY"), refused);
            check(refused.violations().containsKey("logs"), refused);
        }));
        tests.put("a chat streams its answer", () -> with(OPTIONS, client -> {
            var events = new ArrayList<StreamChatResponse>();
            client.chat.withDeadlineAfter(1, TimeUnit.MINUTES).streamChat(HELLO).forEachRemaining(events::add);
            var text = events.stream().map(event -> event.getDelta().getText()).collect(Collectors.joining());
            check(events.get(0).hasStarted() && text.length() > 20, text);
            var finished = events.get(events.size() - 1).getFinished();
            check(finished.getOutcome() == Outcome.OUTCOME_SUCCESS, finished);
        }));
        tests.put("a chat that is cancelled stops, and is recorded as cancelled", () -> with(OPTIONS, client -> {
            var events = Collections.synchronizedList(new ArrayList<StreamChatResponse>());
            var context = Context.current().withCancellation();
            var refused = failure(() -> context.call(() -> {
                var answer = client.chat.withDeadlineAfter(1, TimeUnit.MINUTES).streamChat(HELLO);
                while (answer.hasNext()) {
                    events.add(answer.next());
                    if (events.stream().filter(StreamChatResponse::hasDelta).count() == 3) {
                        context.cancel(null);
                    }
                }
                return null;
            }));
            check(refused.code() == Code.CANCELLED, refused);
            check(events.stream().noneMatch(StreamChatResponse::hasFinished), events.size());
            check(outcome(client, events.get(0).getStarted().getLogId()) == Outcome.OUTCOME_CANCELLED, "outcome");
        }));
        tests.put("a wrong key is refused", () -> {
            if (OPTIONS.apiKey().isEmpty()) {
                throw new Skipped("LLM_OBSERVE_API_KEY is not set");
            }
            with(new Client.Options(OPTIONS.endpoint(), OPTIONS.apiKey() + "x", OPTIONS.caFile()), client -> {
                var refused = failure(() -> client.ingestLogs(List.of(makeLog().build()), TIMEOUT));
                check(refused.code() == Code.UNAUTHENTICATED && refused.reason().equals("UNAUTHENTICATED"), refused);
            });
        });
    }

    private static Outcome outcome(Client client, String logId) throws InterruptedException {
        while (true) {
            try {
                return client.analytics.withDeadlineAfter(1, TimeUnit.MINUTES)
                    .getLog(GetLogRequest.newBuilder().setLogId(logId).build()).getLog().getOutcome();
            } catch (StatusRuntimeException error) {
                check(Explanation.of(error).reason().equals("LOG_NOT_FOUND"), error);
                Thread.sleep(100);
            }
        }
    }

    public static void main(String[] arguments) {
        var all = new ClientTest();
        all.define();
        int failed = 0;
        for (var test : all.tests.entrySet()) {
            try {
                test.getValue().run();
                System.out.println("ok " + test.getKey());
            } catch (Skipped skipped) {
                System.out.println("skipped " + test.getKey() + ": " + skipped.getMessage());
            } catch (Exception | AssertionError failure) {
                System.out.println("FAILED " + test.getKey() + ": " + failure);
                failed++;
            }
        }
        System.exit(failed == 0 ? 0 : 1);
    }
}
