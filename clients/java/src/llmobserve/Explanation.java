package llmobserve;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import com.google.rpc.Status;
import io.grpc.Metadata;
import io.grpc.StatusRuntimeException;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What a failed call says about itself.
 *
 * @param code the gRPC status
 * @param reason as in docs/errors.md; empty where the server gave none
 * @param violations what is wrong, by the field of the request
 * @param retryDelay how long to wait before trying again; null where the server did not say
 */
public record Explanation(
    io.grpc.Status.Code code, String reason, String message, Map<String, String> violations, Duration retryDelay) {

    private static final Metadata.Key<byte[]> DETAILS =
        Metadata.Key.of("grpc-status-details-bin", Metadata.BINARY_BYTE_MARSHALLER);

    /** Reads the status and the details of an error. */
    public static Explanation of(StatusRuntimeException error) {
        String reason = "";
        var violations = new LinkedHashMap<String, String>();
        Duration retryDelay = null;
        try {
            for (Any detail : details(error).getDetailsList()) {
                if (detail.is(ErrorInfo.class)) {
                    reason = detail.unpack(ErrorInfo.class).getReason();
                } else if (detail.is(BadRequest.class)) {
                    for (var violation : detail.unpack(BadRequest.class).getFieldViolationsList()) {
                        violations.put(violation.getField(), violation.getDescription());
                    }
                } else if (detail.is(RetryInfo.class)) {
                    var delay = detail.unpack(RetryInfo.class).getRetryDelay();
                    retryDelay = Duration.ofSeconds(delay.getSeconds(), delay.getNanos());
                }
            }
        } catch (InvalidProtocolBufferException unreadable) {
            // The status stands without details.
        }
        var status = error.getStatus();
        return new Explanation(status.getCode(), reason, status.getDescription(), violations, retryDelay);
    }

    private static Status details(StatusRuntimeException error) throws InvalidProtocolBufferException {
        byte[] bytes = error.getTrailers() == null ? null : error.getTrailers().get(DETAILS);
        return bytes == null ? Status.getDefaultInstance() : Status.parseFrom(bytes);
    }
}
