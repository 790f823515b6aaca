package llmobserve

import (
	"context"
	"math/rand"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	firstDelay   = 200 * time.Millisecond
	longestDelay = 5 * time.Second
)

// Explanation is what a failed call says about itself.
type Explanation struct {
	Code       codes.Code
	Reason     string // as in docs/errors.md; empty where the server gave none
	Message    string
	Metadata   map[string]string
	Violations map[string]string // what is wrong, by the field of the request
	RetryDelay *time.Duration    // how long to wait before trying again; nil where the server did not say
}

// Explain reads the status and the details of an error.
func Explain(err error) Explanation {
	found := status.Convert(err)
	explanation := Explanation{Code: found.Code(), Message: found.Message(), Violations: map[string]string{}}
	for _, detail := range found.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			explanation.Reason, explanation.Metadata = detail.Reason, detail.Metadata
		case *errdetails.BadRequest:
			for _, violation := range detail.FieldViolations {
				explanation.Violations[violation.Field] = violation.Description
			}
		case *errdetails.RetryInfo:
			delay := detail.RetryDelay.AsDuration()
			explanation.RetryDelay = &delay
		}
	}
	return explanation
}

// Retrying repeats a call that is safe to repeat while the server is unavailable or says when to try again. Where the
// context's deadline would pass before the next attempt, it returns the last error at once.
func Retrying(ctx context.Context, call func() error) error {
	for attempt := 0; ; attempt++ {
		err := call()
		if err == nil {
			return nil
		}
		delay, again := delayBefore(err, attempt)
		if deadline, ok := ctx.Deadline(); !again || ok && time.Now().Add(delay).After(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(delay):
		}
	}
}

func delayBefore(err error, attempt int) (time.Duration, bool) {
	explanation := Explain(err)
	if explanation.RetryDelay != nil {
		return *explanation.RetryDelay, true
	}
	delay := min(longestDelay, firstDelay<<min(attempt, 10))
	return delay/2 + time.Duration(rand.Int63n(int64(delay/2))), explanation.Code == codes.Unavailable
}
