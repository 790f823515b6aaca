package llmobserve

import (
	"context"

	"google.golang.org/protobuf/proto"

	v1 "llmobserve/gen/llm_observe/v1"
)

const (
	maxBatchLogs  = 500
	maxBatchBytes = 4 * 1024 * 1024
	// Tag and length of a log within its request.
	maxPrefixBytes = 6
)

// IngestResult says what became of the logs.
type IngestResult struct {
	Accepted int64             // durable on the server
	Rejected int64             // break a rule; sending them again changes nothing
	Reasons  []*v1.RejectedLog // the first ten of each batch; Index is the position among all logs
}

// IngestLogs sends logs in batches, and each batch again while the server asks for it and the context lasts. After an
// error, calling again with the same logs is safe: a log is known by its log_id and counts once.
func (c *Client) IngestLogs(ctx context.Context, logs []*v1.Log) (IngestResult, error) {
	var result IngestResult
	for first := 0; first < len(logs); {
		batch := logs[first : first+batchLength(logs[first:])]
		var response *v1.IngestLogsResponse
		err := Retrying(ctx, func() (err error) {
			response, err = c.Ingest.IngestLogs(ctx, &v1.IngestLogsRequest{Logs: batch})
			return err
		})
		if err != nil {
			return result, err
		}
		result.Accepted += response.AcceptedLogCount
		result.Rejected += response.RejectedLogCount
		for _, rejected := range response.RejectedLogs {
			rejected.Index += int32(first)
			result.Reasons = append(result.Reasons, rejected)
		}
		first += len(batch)
	}
	return result, nil
}

func batchLength(logs []*v1.Log) int {
	bytes := 0
	for i, log := range logs {
		if bytes += proto.Size(log) + maxPrefixBytes; i == maxBatchLogs || i > 0 && bytes > maxBatchBytes {
			return i
		}
	}
	return len(logs)
}
