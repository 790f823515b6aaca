# frozen_string_literal: true

$LOAD_PATH.unshift(File.expand_path("../gen", __dir__))

require "grpc"
require "google/protobuf/well_known_types"
require "google/rpc/status_pb"
require "google/rpc/error_details_pb"
Dir[File.expand_path("../gen/llm_observe/v1/*_service_services_pb.rb", __dir__)].each { |file| require file }

# A client of LLM Observe: ingest in batches with retries, and a stub of every service.
module LlmObserve
  MAX_BATCH_LOGS = 500
  MAX_BATCH_BYTES = 4 * 1024 * 1024
  MAX_PREFIX_BYTES = 6 # tag and length of a log within its request
  FIRST_DELAY_S = 0.2
  LONGEST_DELAY_S = 5.0

  # What a failed call says about itself. +retry_delay+ is in seconds; nil where the server did not say.
  Explanation = Struct.new(:code, :reason, :message, :metadata, :violations, :retry_delay)

  # What became of logs. +reasons+ are RejectedLogs, the first ten of each batch, by their position among all logs.
  IngestResult = Struct.new(:accepted, :rejected, :reasons)

  # Reads the status and the details of a GRPC::BadStatus.
  def self.explain(error)
    explanation = Explanation.new(error.code, "", error.details, {}, {}, nil)
    status = error.metadata["grpc-status-details-bin"] or return explanation
    Google::Rpc::Status.decode(status).details.each do |detail|
      case detail.type_name
      when "google.rpc.ErrorInfo"
        info = detail.unpack(Google::Rpc::ErrorInfo)
        explanation.reason = info.reason
        explanation.metadata = info.metadata.to_h
      when "google.rpc.BadRequest"
        violations = detail.unpack(Google::Rpc::BadRequest).field_violations
        explanation.violations = violations.to_h { |violation| [violation.field, violation.description] }
      when "google.rpc.RetryInfo"
        delay = detail.unpack(Google::Rpc::RetryInfo).retry_delay
        explanation.retry_delay = delay.seconds + delay.nanos / 1e9
      end
    end
    explanation
  end

  # Repeats a block that is safe to repeat while the server is unavailable or says when to try again. The block gets the
  # seconds that are left; where they would pass before the next attempt, the last error is raised at once.
  def self.retrying(timeout)
    deadline = Time.now + timeout
    attempt = 0
    begin
      yield deadline - Time.now
    rescue GRPC::BadStatus => error
      delay = delay_before(error, attempt)
      raise if delay.nil? || Time.now + delay >= deadline

      sleep delay
      attempt += 1
      retry
    end
  end

  def self.delay_before(error, attempt)
    explain(error).retry_delay || if error.is_a?(GRPC::Unavailable)
                                    [LONGEST_DELAY_S, FIRST_DELAY_S * 2**attempt].min * rand(0.5..1.0)
                                  end
  end
  private_class_method :delay_before

  # The services of one server. Each call gets its deadline and the key: <tt>client.health.check(request,
  # **client.within(10))</tt>. (An interceptor is not asked for calls with <tt>return_op</tt>, which can be cancelled.)
  class Client
    SERVICES = %i[analytics chat conversation event health ingest].freeze
    attr_reader(*SERVICES)

    # The defaults are LLM_OBSERVE_ENDPOINT, LLM_OBSERVE_API_KEY and LLM_OBSERVE_TLS_CA_FILE. A CA file implies TLS.
    def initialize(endpoint: ENV.fetch("LLM_OBSERVE_ENDPOINT", "127.0.0.1:50051"), api_key: ENV["LLM_OBSERVE_API_KEY"],
                   ca_file: ENV["LLM_OBSERVE_TLS_CA_FILE"])
      credentials = ca_file ? GRPC::Core::ChannelCredentials.new(File.read(ca_file)) : :this_channel_is_insecure
      @metadata = api_key ? { "authorization" => "Bearer #{api_key}" } : {}
      SERVICES.each do |name|
        service = V1.const_get("#{name.to_s.capitalize}Service")
        instance_variable_set("@#{name}", service::Stub.new(endpoint, credentials))
      end
    end

    # The options of a call that may take so many seconds.
    def within(seconds)
      { deadline: Time.now + seconds, metadata: @metadata }
    end

    # Sends logs in batches, and each batch again while the server asks for it, for +timeout+ seconds. After an error,
    # calling again with the same logs is safe: a log is known by its log_id and counts once.
    def ingest_logs(logs, timeout: 30)
      deadline = Time.now + timeout
      first = 0
      each_batch(logs).with_object(IngestResult.new(0, 0, [])) do |batch, result|
        request = V1::IngestLogsRequest.new(logs: batch)
        response = LlmObserve.retrying(deadline - Time.now) { |left| ingest.ingest_logs(request, **within(left)) }
        result.accepted += response.accepted_log_count
        result.rejected += response.rejected_log_count
        result.reasons.concat(response.rejected_logs.each { |rejected| rejected.index += first })
        first += batch.size
      end
    end

    private

    def each_batch(logs)
      size = bytes = 0
      logs.slice_when do |before, log|
        bytes += before.class.encode(before).bytesize + MAX_PREFIX_BYTES
        full = (size += 1) == MAX_BATCH_LOGS
        full ||= bytes + log.class.encode(log).bytesize + MAX_PREFIX_BYTES > MAX_BATCH_BYTES
        size = bytes = 0 if full
        full
      end.each
    end
  end
end
