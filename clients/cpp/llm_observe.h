// A client of LLM Observe: ingest in batches with retries, and a stub of every service.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <grpcpp/grpcpp.h>

#include "llm_observe/v1/analytics_service.grpc.pb.h"
#include "llm_observe/v1/chat_service.grpc.pb.h"
#include "llm_observe/v1/event_service.grpc.pb.h"
#include "llm_observe/v1/health_service.grpc.pb.h"
#include "llm_observe/v1/ingest_service.grpc.pb.h"

namespace llm_observe {

using Clock = std::chrono::system_clock;

struct Options {
  std::string endpoint;  // host and port
  std::string api_key;   // sent with every call, unless empty
  std::string ca_file;   // PEM file of the authority that signed the server's certificate; implies TLS

  // Reads LLM_OBSERVE_ENDPOINT, LLM_OBSERVE_API_KEY and LLM_OBSERVE_TLS_CA_FILE.
  static Options FromEnvironment();
};

// What a failed call says about itself.
struct Explanation {
  grpc::StatusCode code;
  std::string reason;  // as in docs/errors.md; empty where the server gave none
  std::string message;
  std::map<std::string, std::string> violations;  // what is wrong, by the field of the request
  std::optional<std::chrono::milliseconds> retry_delay;  // none where the server did not say
};

Explanation Explain(const grpc::Status& status);

// Repeats a call that is safe to repeat while the server is unavailable or says when to try again. Where the deadline
// would pass before the next attempt, returns the last status at once.
grpc::Status Retrying(Clock::time_point deadline, const std::function<grpc::Status()>& call);

// What became of logs.
struct IngestResult {
  grpc::Status status;  // of the batch that failed; OK where none did
  int64_t accepted = 0;
  int64_t rejected = 0;
  std::vector<v1::RejectedLog> reasons;  // the first ten of each batch; index is the position among all logs
};

// The services of one server, over one connection. Safe for use by several threads.
class Client {
 public:
  // Throws std::runtime_error when the CA file cannot be read.
  explicit Client(const Options& options);

  // Makes a call's context, with the key and a deadline; cancel a call by TryCancel().
  std::unique_ptr<grpc::ClientContext> Context(Clock::time_point deadline) const;

  // Sends logs in batches, and each batch again while the server asks for it and the deadline allows it. After an
  // error, calling again with the same logs is safe: a log is known by its log_id and counts once.
  IngestResult IngestLogs(const std::vector<v1::Log>& logs, Clock::time_point deadline) const;

  std::unique_ptr<v1::AnalyticsService::Stub> analytics;
  std::unique_ptr<v1::ChatService::Stub> chat;
  std::unique_ptr<v1::EventService::Stub> events;
  std::unique_ptr<v1::HealthService::Stub> health;
  std::unique_ptr<v1::IngestService::Stub> ingest;

 private:
  std::string api_key_;
};

}  // namespace llm_observe
