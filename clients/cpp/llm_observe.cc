#include "llm_observe.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <random>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace llm_observe {
namespace {

using std::chrono::milliseconds;

constexpr int kMaxBatchLogs = 500;
constexpr size_t kMaxBatchBytes = 4 * 1024 * 1024;
constexpr size_t kMaxPrefixBytes = 6;  // tag and length of a log within its request
constexpr milliseconds kFirstDelay{200};
constexpr milliseconds kLongestDelay{5000};

std::string Variable(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : otherwise;
}

std::shared_ptr<grpc::ChannelCredentials> Credentials(const std::string& ca_file) {
  if (ca_file.empty()) return grpc::InsecureChannelCredentials();
  std::ifstream file(ca_file);
  if (!file) throw std::runtime_error("cannot read the CA file");
  std::stringstream text;
  text << file.rdbuf();
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = text.str();
  return grpc::SslCredentials(options);
}

std::optional<milliseconds> DelayBefore(const grpc::Status& status, int attempt) {
  const Explanation explanation = Explain(status);
  if (explanation.retry_delay) return explanation.retry_delay;
  if (status.error_code() != grpc::StatusCode::UNAVAILABLE) return std::nullopt;
  static thread_local std::mt19937 random{std::random_device{}()};
  const auto longest = std::min(kLongestDelay, kFirstDelay * (1 << std::min(attempt, 10)));
  return milliseconds(std::uniform_int_distribution<int64_t>(longest.count() / 2, longest.count())(random));
}

}  // namespace

Options Options::FromEnvironment() {
  return {Variable("LLM_OBSERVE_ENDPOINT", "127.0.0.1:50051"), Variable("LLM_OBSERVE_API_KEY", ""),
          Variable("LLM_OBSERVE_TLS_CA_FILE", "")};
}

Explanation Explain(const grpc::Status& status) {
  Explanation explanation{status.error_code(), "", status.error_message(), {}, std::nullopt};
  google::rpc::Status rich;
  rich.ParseFromString(status.error_details());
  for (const auto& detail : rich.details()) {
    google::rpc::ErrorInfo info;
    google::rpc::BadRequest bad_request;
    google::rpc::RetryInfo retry;
    if (detail.UnpackTo(&info)) explanation.reason = info.reason();
    if (detail.UnpackTo(&bad_request)) {
      for (const auto& violation : bad_request.field_violations()) {
        explanation.violations[violation.field()] = violation.description();
      }
    }
    if (detail.UnpackTo(&retry)) {
      explanation.retry_delay =
          milliseconds(retry.retry_delay().seconds() * 1000 + retry.retry_delay().nanos() / 1000000);
    }
  }
  return explanation;
}

grpc::Status Retrying(Clock::time_point deadline, const std::function<grpc::Status()>& call) {
  for (int attempt = 0;; ++attempt) {
    const grpc::Status status = call();
    if (status.ok()) return status;
    const auto delay = DelayBefore(status, attempt);
    if (!delay || Clock::now() + *delay >= deadline) return status;
    std::this_thread::sleep_for(*delay);
  }
}

Client::Client(const Options& options) : api_key_(options.api_key) {
  const auto channel = grpc::CreateChannel(options.endpoint, Credentials(options.ca_file));
  analytics = v1::AnalyticsService::NewStub(channel);
  chat = v1::ChatService::NewStub(channel);
  events = v1::EventService::NewStub(channel);
  health = v1::HealthService::NewStub(channel);
  ingest = v1::IngestService::NewStub(channel);
}

std::unique_ptr<grpc::ClientContext> Client::Context(Clock::time_point deadline) const {
  auto context = std::make_unique<grpc::ClientContext>();
  context->set_deadline(deadline);
  if (!api_key_.empty()) context->AddMetadata("authorization", "Bearer " + api_key_);
  return context;
}

IngestResult Client::IngestLogs(const std::vector<v1::Log>& logs, Clock::time_point deadline) const {
  IngestResult result;
  for (size_t first = 0; first < logs.size();) {
    v1::IngestLogsRequest request;
    size_t bytes = 0;
    size_t next = first;
    for (; next < logs.size() && request.logs_size() < kMaxBatchLogs; ++next) {
      bytes += logs[next].ByteSizeLong() + kMaxPrefixBytes;
      if (next > first && bytes > kMaxBatchBytes) break;
      *request.add_logs() = logs[next];
    }
    v1::IngestLogsResponse response;
    result.status = Retrying(
        deadline, [&] { return ingest->IngestLogs(Context(deadline).get(), request, &response); });
    if (!result.status.ok()) break;
    result.accepted += response.accepted_log_count();
    result.rejected += response.rejected_log_count();
    for (auto& rejected : *response.mutable_rejected_logs()) {
      rejected.set_index(rejected.index() + static_cast<int32_t>(first));
      result.reasons.push_back(rejected);
    }
    first = next;
  }
  return result;
}

}  // namespace llm_observe
