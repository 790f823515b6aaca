// Tests of the client against the server at LLM_OBSERVE_ENDPOINT. Prints a line for each, and fails if one does.
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <random>
#include <thread>

#include "llm_observe.h"

using namespace llm_observe;
using namespace std::chrono_literals;
using grpc::StatusCode;

namespace {

struct Failed {
  std::string what;
};
struct Skipped {
  std::string why;
};

#define CHECK(condition) \
  if (!(condition)) throw Failed{std::string(#condition) + " in line " + std::to_string(__LINE__)}

const Options kOptions = Options::FromEnvironment();

Clock::time_point InAMinute() { return Clock::now() + 1min; }

// Returns the options for the server that a variable of the environment names, or skips the test.
Options At(const char* variable) {
  const char* endpoint = std::getenv(variable);
  if (endpoint == nullptr) throw Skipped{std::string(variable) + " is not set"};
  Options options = kOptions;
  options.endpoint = endpoint;
  return options;
}

std::string Uuid() {
  static std::mt19937_64 random{std::random_device{}()};
  const uint64_t a = random(), b = random();
  char text[37];
  std::snprintf(text, sizeof text, "%08x-%04x-4%03x-8%03x-%012llx", unsigned(a >> 32), unsigned(a >> 16) & 0xffff,
                unsigned(a) & 0xfff, unsigned(b >> 52), static_cast<unsigned long long>(b & 0xffffffffffff));
  return text;
}

v1::Log MakeLog(const std::string& environment = "") {
  v1::Log log;
  log.set_log_id(Uuid());
  log.set_session_id("cpp-test");
  log.set_provider("openai");
  log.set_model("gpt-4o-mini");
  log.set_environment(environment);
  log.mutable_start_time()->set_seconds(time(nullptr) - 1);
  log.mutable_latency()->set_nanos(750000000);
  log.set_outcome(v1::OUTCOME_SUCCESS);
  log.set_input_token_count(12);
  log.set_output_token_count(34);
  return log;
}

v1::StreamChatRequest Hello() {
  v1::StreamChatRequest request;
  request.mutable_turn()->set_session_id("cpp-test");
  request.mutable_turn()->set_provider("demo");
  request.mutable_turn()->set_content("Hello");
  return request;
}

void OfABatchGoodLogsAreAcceptedAndBadOnesRejected() {
  std::vector<v1::Log> logs{MakeLog(), MakeLog(), MakeLog()};
  logs[1].set_log_id("nope");
  const auto result = Client(kOptions).IngestLogs(logs, InAMinute());
  CHECK(result.status.ok() && result.accepted == 2 && result.rejected == 1);
  CHECK(result.reasons[0].index() == 1 && result.reasons[0].reason() == "INVALID_LOG");
  CHECK(result.reasons[0].message().find("log_id") != std::string::npos);
}

void ManyLogsGoInBatchesAndCountOnceThoughSentTwice() {
  const Client client(kOptions);
  const std::string environment = "cpp-" + Uuid();
  std::vector<v1::Log> logs(700);
  std::generate(logs.begin(), logs.end(), [&] { return MakeLog(environment); });
  logs.push_back(MakeLog(environment));
  logs.back().clear_model();
  auto result = client.IngestLogs(logs, InAMinute());
  CHECK(result.status.ok() && result.accepted == 700 && result.reasons[0].index() == 700);
  logs.back() = MakeLog(environment);
  CHECK(client.IngestLogs(logs, InAMinute()).accepted == 701);
  v1::GetSummaryRequest request;
  v1::GetSummaryResponse response;
  request.mutable_filter()->add_environments(environment);
  while (response.current().request_count() < 701) {
    std::this_thread::sleep_for(100ms);
    CHECK(client.analytics->GetSummary(client.Context(InAMinute()).get(), request, &response).ok());
  }
  CHECK(response.current().request_count() == 701);
}

void LargeLogsGoInBatchesOfAtMost4MB() {
  v1::Log large = MakeLog();
  for (int i = 0; i < 50; ++i) (*large.mutable_metadata())["key" + std::to_string(i)] = std::string(500, 'x');
  std::vector<v1::Log> logs(200, large);
  for (auto& log : logs) log.set_log_id(Uuid());
  CHECK(Client(kOptions).IngestLogs(logs, InAMinute()).accepted == 200);
}

void ABatchThatIsRefusedForNowIsSentAgain() {
  const Client client(At("LLM_OBSERVE_TEST_BUSY_ENDPOINT"));
  v1::IngestLogsRequest request;
  v1::IngestLogsResponse response;
  *request.add_logs() = MakeLog();
  const auto refused = Explain(client.ingest->IngestLogs(client.Context(InAMinute()).get(), request, &response));
  CHECK(refused.reason == "RATE_LIMITED" && refused.retry_delay == 200ms);
  CHECK(client.IngestLogs({MakeLog()}, InAMinute()).accepted == 1);
  CHECK(client.IngestLogs({MakeLog()}, InAMinute()).accepted == 1);  // refused at first
}

void NoDelayIsWaitedForThatExceedsTheDeadline() {
  const Client client(At("LLM_OBSERVE_TEST_REFUSING_ENDPOINT"));
  const auto deadline = InAMinute();
  CHECK(Explain(client.IngestLogs({MakeLog()}, deadline).status).reason == "RATE_LIMITED");
  CHECK(Clock::now() < deadline);
}

void AnUnreachableServerIsTriedAgainUntilTheDeadline() {
  Options options = kOptions;
  options.endpoint = "127.0.0.1:1";
  const Client client(options);
  const auto deadline = Clock::now() + 3s;
  int attempts = 0;
  const auto status = Retrying(deadline, [&] {
    ++attempts;
    v1::CheckResponse response;
    return client.health->Check(client.Context(deadline).get(), v1::CheckRequest(), &response);
  });
  CHECK(attempts > 1);
  CHECK(status.error_code() == StatusCode::UNAVAILABLE || status.error_code() == StatusCode::DEADLINE_EXCEEDED);
}

void ADeadlineEndsACallThatWouldGoOnForEver() {
  const Client client(kOptions);
  const auto context = client.Context(Clock::now() + 300ms);
  const auto reader = client.events->WatchLogs(context.get(), v1::WatchLogsRequest());
  for (v1::WatchLogsResponse response; reader->Read(&response);) {
  }
  CHECK(reader->Finish().error_code() == StatusCode::DEADLINE_EXCEEDED);
}

void AnErrorExplainsItself() {
  const Client client(kOptions);
  v1::IngestLogsResponse response;
  const auto refused =
      Explain(client.ingest->IngestLogs(client.Context(InAMinute()).get(), v1::IngestLogsRequest(), &response));
  CHECK(refused.code == StatusCode::INVALID_ARGUMENT && refused.reason == "BATCH_EMPTY");
  CHECK(refused.violations.count("logs") == 1);
}

void AChatStreamsItsAnswer() {
  const Client client(kOptions);
  const auto context = client.Context(InAMinute());
  const auto reader = client.chat->StreamChat(context.get(), Hello());
  std::string text;
  v1::ChatFinished finished;
  for (v1::StreamChatResponse response; reader->Read(&response);) {
    text += response.delta().text();
    finished = response.finished();
  }
  CHECK(reader->Finish().ok() && text.size() > 20);
  CHECK(finished.outcome() == v1::OUTCOME_SUCCESS);
}

void AChatThatIsCancelledStopsAndIsRecordedAsCancelled() {
  const Client client(kOptions);
  const auto context = client.Context(InAMinute());
  const auto reader = client.chat->StreamChat(context.get(), Hello());
  v1::GetLogRequest request;
  int deltas = 0;
  for (v1::StreamChatResponse response; reader->Read(&response);) {
    if (response.has_started()) request.set_log_id(response.started().log_id());
    if (response.has_delta() && ++deltas == 3) context->TryCancel();
    CHECK(!response.has_finished());
  }
  CHECK(reader->Finish().error_code() == StatusCode::CANCELLED);
  v1::GetLogResponse response;
  grpc::Status status;
  while (!(status = client.analytics->GetLog(client.Context(InAMinute()).get(), request, &response)).ok()) {
    CHECK(Explain(status).reason == "LOG_NOT_FOUND");
    std::this_thread::sleep_for(100ms);
  }
  CHECK(response.log().outcome() == v1::OUTCOME_CANCELLED);
}

void AWrongKeyIsRefused() {
  if (kOptions.api_key.empty()) throw Skipped{"LLM_OBSERVE_API_KEY is not set"};
  Options options = kOptions;
  options.api_key += "x";
  const auto refused = Explain(Client(options).IngestLogs({MakeLog()}, InAMinute()).status);
  CHECK(refused.code == StatusCode::UNAUTHENTICATED && refused.reason == "UNAUTHENTICATED");
}

void AServerWithTlsIsNotSpokenToWithout() {
  if (kOptions.ca_file.empty()) throw Skipped{"LLM_OBSERVE_TLS_CA_FILE is not set"};
  Options options = kOptions;
  options.ca_file.clear();
  const Client client(options);
  v1::CheckResponse response;
  const auto status = client.health->Check(client.Context(InAMinute()).get(), v1::CheckRequest(), &response);
  CHECK(status.error_code() == StatusCode::UNAVAILABLE);
}

}  // namespace

int main() {
#define TEST(name) {#name, name}
  const std::pair<const char*, void (*)()> tests[] = {
      TEST(OfABatchGoodLogsAreAcceptedAndBadOnesRejected), TEST(ManyLogsGoInBatchesAndCountOnceThoughSentTwice),
      TEST(LargeLogsGoInBatchesOfAtMost4MB),               TEST(ABatchThatIsRefusedForNowIsSentAgain),
      TEST(NoDelayIsWaitedForThatExceedsTheDeadline),      TEST(AnUnreachableServerIsTriedAgainUntilTheDeadline),
      TEST(ADeadlineEndsACallThatWouldGoOnForEver),        TEST(AnErrorExplainsItself),
      TEST(AChatStreamsItsAnswer),                         TEST(AChatThatIsCancelledStopsAndIsRecordedAsCancelled),
      TEST(AWrongKeyIsRefused),                            TEST(AServerWithTlsIsNotSpokenToWithout),
  };
  int failed = 0;
  for (const auto& [name, run] : tests) {
    try {
      run();
      std::cout << "ok " << name << std::endl;
    } catch (const Skipped& skipped) {
      std::cout << "skipped " << name << ": " << skipped.why << std::endl;
    } catch (const Failed& failure) {
      std::cout << "FAILED " << name << ": " << failure.what << std::endl;
      ++failed;
    }
  }
  return failed != 0;
}
