package llmobserve;

import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import java.time.Duration;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.LongFunction;

/** Repeats calls that are safe to repeat. */
public final class Retry {
    private static final long FIRST_DELAY_MS = 200;
    private static final long LONGEST_DELAY_MS = 5_000;

    private Retry() {}

    /**
     * Repeats a call while the server is unavailable or says when to try again. Where the deadline would pass before the
     * next attempt, the last error is thrown at once.
     *
     * @param deadline by {@link System#nanoTime}
     * @param call gets the nanoseconds that are left
     */
    public static <T> T until(long deadline, LongFunction<T> call) throws InterruptedException {
        for (int attempt = 0; ; attempt++) {
            try {
                return call.apply(Math.max(1, deadline - System.nanoTime()));
            } catch (StatusRuntimeException error) {
                Duration delay = delayBefore(error, attempt);
                if (delay == null || System.nanoTime() + delay.toNanos() - deadline >= 0) {
                    throw error;
                }
                Thread.sleep(delay.toMillis(), delay.toNanosPart() % 1_000_000);
            }
        }
    }

    private static Duration delayBefore(StatusRuntimeException error, int attempt) {
        Explanation explanation = Explanation.of(error);
        if (explanation.retryDelay() != null || explanation.code() != Code.UNAVAILABLE) {
            return explanation.retryDelay();
        }
        long longest = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS << Math.min(attempt, 10));
        return Duration.ofMillis(ThreadLocalRandom.current().nextLong(longest / 2, longest + 1));
    }
}
