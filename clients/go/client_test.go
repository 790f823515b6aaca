package llmobserve

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	v1 "llmobserve/gen/llm_observe/v1"
)

const timeout = time.Minute

func uuid() string {
	b := make([]byte, 16)
	rand.Read(b)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func makeLog(environment string) *v1.Log {
	return &v1.Log{
		LogId: uuid(), SessionId: "go-test", Provider: "openai", Model: "gpt-4o-mini", Environment: environment,
		StartTime: timestamppb.New(time.Now().Add(-time.Second)), Latency: durationpb.New(750 * time.Millisecond),
		Outcome: v1.Outcome_OUTCOME_SUCCESS, InputTokenCount: proto.Int64(12), OutputTokenCount: proto.Int64(34),
	}
}

func open(t *testing.T, change func(*Options)) (*Client, context.Context) {
	t.Helper()
	options := DefaultOptions()
	if change != nil {
		change(&options)
	}
	client, err := Connect(options)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	t.Cleanup(func() { cancel(); client.Close() })
	return client, ctx
}

// at returns an open client of the server that a variable of the environment names, or skips the test.
func at(t *testing.T, variable string) (*Client, context.Context) {
	t.Helper()
	endpoint := os.Getenv(variable)
	if endpoint == "" {
		t.Skip(variable + " is not set")
	}
	return open(t, func(options *Options) { options.Endpoint = endpoint })
}

func check(t *testing.T, ok bool, format string, args ...any) {
	t.Helper()
	if !ok {
		t.Fatalf(format, args...)
	}
}

func TestOfABatchGoodLogsAreAcceptedAndBadOnesRejected(t *testing.T) {
	client, ctx := open(t, nil)
	bad := makeLog("")
	bad.LogId = "nope"
	result, err := client.IngestLogs(ctx, []*v1.Log{makeLog(""), bad, makeLog("")})
	check(t, err == nil && result.Accepted == 2 && result.Rejected == 1, "%v %v", result, err)
	check(t, result.Reasons[0].Index == 1 && result.Reasons[0].Reason == "INVALID_LOG", "%v", result)
	check(t, strings.Contains(result.Reasons[0].Message, "log_id"), "%v", result)
}

func TestManyLogsGoInBatchesAndCountOnceThoughSentTwice(t *testing.T) {
	client, ctx := open(t, nil)
	environment := "go-" + uuid()
	var logs []*v1.Log
	for range 700 {
		logs = append(logs, makeLog(environment))
	}
	bad := makeLog(environment)
	bad.Model = ""
	result, err := client.IngestLogs(ctx, append(logs, bad))
	check(t, err == nil && result.Accepted == 700 && result.Reasons[0].Index == 700, "%v %v", result, err)
	result, err = client.IngestLogs(ctx, append(logs, makeLog(environment)))
	check(t, err == nil && result.Accepted == 701, "%v %v", result, err)
	request := &v1.GetSummaryRequest{Filter: &v1.MetricFilter{Environments: []string{environment}}}
	for count := int64(0); count < 701; time.Sleep(100 * time.Millisecond) {
		response, err := client.Analytics.GetSummary(ctx, request)
		check(t, err == nil, "%v", err)
		count = response.Current.RequestCount
		check(t, count <= 701, "counted twice: %d", count)
	}
}

func TestLargeLogsGoInBatchesOfAtMost4MB(t *testing.T) {
	client, ctx := open(t, nil)
	var logs []*v1.Log
	for range 200 {
		log := makeLog("")
		log.Metadata = map[string]string{}
		for i := range 50 {
			log.Metadata[fmt.Sprint("key", i)] = strings.Repeat("x", 500)
		}
		logs = append(logs, log)
	}
	result, err := client.IngestLogs(ctx, logs)
	check(t, err == nil && result.Accepted == 200, "%v %v", result, err)
}

func TestABatchThatIsRefusedForNowIsSentAgain(t *testing.T) {
	client, ctx := at(t, "LLM_OBSERVE_TEST_BUSY_ENDPOINT")
	_, err := client.Ingest.IngestLogs(ctx, &v1.IngestLogsRequest{Logs: []*v1.Log{makeLog("")}})
	explanation := Explain(err)
	check(t, explanation.Reason == "RATE_LIMITED" && *explanation.RetryDelay == 200*time.Millisecond, "%v", err)
	for range 2 { // the first is let through, the second refused at first
		result, err := client.IngestLogs(ctx, []*v1.Log{makeLog("")})
		check(t, err == nil && result.Accepted == 1, "%v %v", result, err)
	}
}

func TestNoDelayIsWaitedForThatExceedsTheDeadline(t *testing.T) {
	client, ctx := at(t, "LLM_OBSERVE_TEST_REFUSING_ENDPOINT")
	_, err := client.IngestLogs(ctx, []*v1.Log{makeLog("")})
	check(t, Explain(err).Reason == "RATE_LIMITED" && ctx.Err() == nil, "%v", err)
}

func TestAnUnreachableServerIsTriedAgainUntilTheDeadline(t *testing.T) {
	client, _ := open(t, func(options *Options) { options.Endpoint = "127.0.0.1:1" })
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	attempts := 0
	err := Retrying(ctx, func() error {
		attempts++
		_, err := client.Health.Check(ctx, &v1.CheckRequest{})
		return err
	})
	code := Explain(err).Code
	check(t, attempts > 1 && (code == codes.Unavailable || code == codes.DeadlineExceeded), "%d %v", attempts, err)
}

func TestADeadlineEndsACallThatWouldGoOnForEver(t *testing.T) {
	client, _ := open(t, nil)
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	stream, err := client.Events.WatchLogs(ctx, &v1.WatchLogsRequest{})
	for err == nil {
		_, err = stream.Recv()
	}
	check(t, Explain(err).Code == codes.DeadlineExceeded, "%v", err)
}

func TestAnErrorExplainsItself(t *testing.T) {
	client, ctx := open(t, nil)
	_, err := client.Ingest.IngestLogs(ctx, &v1.IngestLogsRequest{})
	explanation := Explain(err)
	check(t, explanation.Code == codes.InvalidArgument && explanation.Reason == "BATCH_EMPTY", "%v", explanation)
	check(t, explanation.Violations["logs"] != "", "%v", explanation)
}

var hello = &v1.StreamChatRequest{Turn: &v1.ChatTurn{SessionId: "go-test", Provider: "demo", Content: "Hello"}}

func TestAChatStreamsItsAnswer(t *testing.T) {
	client, ctx := open(t, nil)
	stream, err := client.Chat.StreamChat(ctx, hello)
	text := ""
	var finished *v1.ChatFinished
	for err == nil {
		var response *v1.StreamChatResponse
		if response, err = stream.Recv(); err == nil {
			text += response.GetDelta().GetText()
			finished = response.GetFinished()
		}
	}
	check(t, errors.Is(err, io.EOF) && len(text) > 20, "%v %q", err, text)
	check(t, finished.GetOutcome() == v1.Outcome_OUTCOME_SUCCESS, "%v", finished)
}

func TestAChatThatIsCancelledStopsAndIsRecordedAsCancelled(t *testing.T) {
	client, ctx := open(t, nil)
	chat, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := client.Chat.StreamChat(chat, hello)
	logID := ""
	for deltas := 0; err == nil; {
		var response *v1.StreamChatResponse
		if response, err = stream.Recv(); err == nil {
			logID += response.GetStarted().GetLogId()
			if response.GetDelta() != nil {
				if deltas++; deltas == 3 {
					cancel()
				}
			}
			check(t, response.GetFinished() == nil, "finished though cancelled")
		}
	}
	check(t, Explain(err).Code == codes.Canceled, "%v", err)
	for {
		response, err := client.Analytics.GetLog(ctx, &v1.GetLogRequest{LogId: logID})
		if err == nil {
			check(t, response.Log.Outcome == v1.Outcome_OUTCOME_CANCELLED, "%v", response.Log.Outcome)
			return
		}
		check(t, Explain(err).Reason == "LOG_NOT_FOUND", "%v", err)
		time.Sleep(100 * time.Millisecond)
	}
}

func TestAWrongKeyIsRefused(t *testing.T) {
	if DefaultOptions().APIKey == "" {
		t.Skip("LLM_OBSERVE_API_KEY is not set")
	}
	client, ctx := open(t, func(options *Options) { options.APIKey += "x" })
	_, err := client.IngestLogs(ctx, []*v1.Log{makeLog("")})
	explanation := Explain(err)
	check(t, explanation.Code == codes.Unauthenticated && explanation.Reason == "UNAUTHENTICATED", "%v", err)
}

func TestAServerWithTLSIsNotSpokenToWithout(t *testing.T) {
	if DefaultOptions().CAFile == "" {
		t.Skip("LLM_OBSERVE_TLS_CA_FILE is not set")
	}
	client, ctx := open(t, func(options *Options) { options.CAFile = "" })
	_, err := client.Health.Check(ctx, &v1.CheckRequest{})
	check(t, Explain(err).Code == codes.Unavailable, "%v", err)
}
