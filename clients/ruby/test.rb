# frozen_string_literal: true

require "minitest/autorun"
require "securerandom"
require_relative "lib/llm_observe"

class ClientTest < Minitest::Test
  V1 = LlmObserve::V1
  TIMEOUT_S = 60

  def client(**options)
    options.empty? ? @client ||= LlmObserve::Client.new : LlmObserve::Client.new(**options)
  end

  # A client of the server that a variable of the environment names; the test is skipped where it is not set.
  def client_at(variable)
    client(endpoint: ENV.fetch(variable) { skip "#{variable} is not set" })
  end

  def make_log(**fields)
    V1::Log.new(
      log_id: SecureRandom.uuid, session_id: "ruby-test", provider: "openai", model: "gpt-4o-mini",
      start_time: Google::Protobuf::Timestamp.new(seconds: Time.now.to_i - 1),
      latency: Google::Protobuf::Duration.new(nanos: 750_000_000), outcome: :OUTCOME_SUCCESS,
      input_token_count: 12, output_token_count: 34, **fields
    )
  end

  def turn
    V1::StreamChatRequest.new(turn: V1::ChatTurn.new(session_id: "ruby-test", provider: "demo", content: "Hello"))
  end

  def explanation(of = GRPC::BadStatus, &block)
    LlmObserve.explain(assert_raises(*of, &block))
  end

  def test_of_a_batch_good_logs_are_accepted_and_bad_ones_rejected
    result = client.ingest_logs([make_log, make_log(log_id: "nope"), make_log])
    assert_equal [2, 1], [result.accepted, result.rejected]
    assert_equal [1, "INVALID_LOG"], [result.reasons[0].index, result.reasons[0].reason]
    assert_match(/log_id/, result.reasons[0].message)
  end

  def test_many_logs_go_in_batches_and_count_once_though_sent_twice
    environment = "ruby-#{SecureRandom.uuid}"
    logs = Array.new(700) { make_log(environment: environment) }
    result = client.ingest_logs(logs + [make_log(environment: environment, model: "")], timeout: TIMEOUT_S)
    assert_equal [700, 700], [result.accepted, result.reasons[0].index]
    client.ingest_logs(logs + [make_log(environment: environment)], timeout: TIMEOUT_S)
    request = V1::GetSummaryRequest.new(filter: V1::MetricFilter.new(environments: [environment]))
    count = 0
    while count < 701
      sleep 0.1
      count = client.analytics.get_summary(request, **client.within(TIMEOUT_S)).current.request_count
    end
    assert_equal 701, count
  end

  def test_large_logs_go_in_batches_of_at_most_4_mb
    metadata = (0...50).to_h { |i| ["key#{i}", "x" * 500] }
    logs = Array.new(200) { make_log(metadata: metadata) }
    assert_equal 200, client.ingest_logs(logs, timeout: TIMEOUT_S).accepted
  end

  def test_a_batch_that_is_refused_for_now_is_sent_again
    busy = client_at("LLM_OBSERVE_TEST_BUSY_ENDPOINT")
    refused = explanation(GRPC::ResourceExhausted) do
      busy.ingest.ingest_logs(V1::IngestLogsRequest.new(logs: [make_log]), **client.within(TIMEOUT_S))
    end
    assert_equal ["RATE_LIMITED", 0.2], [refused.reason, refused.retry_delay]
    2.times { assert_equal 1, busy.ingest_logs([make_log], timeout: TIMEOUT_S).accepted } # the second is refused at first
  end

  def test_no_delay_is_waited_for_that_exceeds_the_deadline
    refusing = client_at("LLM_OBSERVE_TEST_REFUSING_ENDPOINT")
    refused = explanation(GRPC::ResourceExhausted) { refusing.ingest_logs([make_log], timeout: TIMEOUT_S) }
    assert_operator refused.retry_delay, :>, TIMEOUT_S
  end

  def test_an_unreachable_server_is_tried_again_until_the_deadline
    unreachable = client(endpoint: "127.0.0.1:1")
    attempts = 0
    assert_raises(GRPC::Unavailable, GRPC::DeadlineExceeded) do
      LlmObserve.retrying(3) do |left|
        attempts += 1
        unreachable.health.check(V1::CheckRequest.new, **unreachable.within(left))
      end
    end
    assert_operator attempts, :>, 1
  end

  def test_a_deadline_ends_a_call
    assert_raises(GRPC::DeadlineExceeded) { client.health.check(V1::CheckRequest.new, **client.within(0)) }
  end

  def test_an_error_explains_itself
    refused = explanation(GRPC::InvalidArgument) { client.ingest.ingest_logs(V1::IngestLogsRequest.new, **client.within(TIMEOUT_S)) }
    assert_equal "BATCH_EMPTY", refused.reason
    assert_equal ["logs"], refused.violations.keys
  end

  def test_a_chat_streams_its_answer
    responses = client.chat.stream_chat(turn, **client.within(TIMEOUT_S)).to_a
    assert_equal :started, responses.first.event
    assert_equal :OUTCOME_SUCCESS, responses.last.finished.outcome
    assert_operator responses.sum { |response| response.delta&.text.to_s.size }, :>, 20
  end

  def test_a_chat_that_is_cancelled_stops_and_is_recorded_as_cancelled
    operation = client.chat.stream_chat(turn, return_op: true, **client.within(TIMEOUT_S))
    seen = []
    assert_raises(GRPC::Cancelled) do
      operation.execute.each do |response|
        seen << response
        operation.cancel if seen.count(&:delta) == 3
      end
    end
    refute_includes seen.map(&:event), :finished
    assert_equal :OUTCOME_CANCELLED, outcome_of(seen.first.started.log_id)
  end

  def outcome_of(log_id)
    client.analytics.get_log(V1::GetLogRequest.new(log_id: log_id), **client.within(TIMEOUT_S)).log.outcome
  rescue GRPC::NotFound
    sleep 0.1
    retry
  end

  def test_a_wrong_key_is_refused
    key = ENV.fetch("LLM_OBSERVE_API_KEY") { skip "LLM_OBSERVE_API_KEY is not set" }
    refused = explanation(GRPC::Unauthenticated) { client(api_key: "#{key}x").ingest_logs([make_log]) }
    assert_equal "UNAUTHENTICATED", refused.reason
  end

  def test_a_server_with_tls_is_not_spoken_to_without
    skip "LLM_OBSERVE_TLS_CA_FILE is not set" unless ENV["LLM_OBSERVE_TLS_CA_FILE"]
    assert_raises(GRPC::Unavailable) { client(ca_file: nil).health.check(V1::CheckRequest.new, **client.within(TIMEOUT_S)) }
  end
end
