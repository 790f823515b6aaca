// Package llmobserve is a client of LLM Observe: ingest in batches with retries, and a client of every service.
package llmobserve

import (
	"context"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	v1 "llmobserve/gen/llm_observe/v1"
)

// Options says which server to call; DefaultOptions reads them from the environment.
type Options struct {
	Endpoint string // host and port
	APIKey   string // sent with every call, unless empty
	CAFile   string // PEM file of the authority that signed the server's certificate; implies TLS
}

// DefaultOptions returns what LLM_OBSERVE_ENDPOINT, LLM_OBSERVE_API_KEY and LLM_OBSERVE_TLS_CA_FILE say.
func DefaultOptions() Options {
	endpoint := os.Getenv("LLM_OBSERVE_ENDPOINT")
	if endpoint == "" {
		endpoint = "127.0.0.1:50051"
	}
	return Options{endpoint, os.Getenv("LLM_OBSERVE_API_KEY"), os.Getenv("LLM_OBSERVE_TLS_CA_FILE")}
}

// Client has the services of one server, over one connection.
type Client struct {
	Ingest        v1.IngestServiceClient
	Chat          v1.ChatServiceClient
	Conversations v1.ConversationServiceClient
	Analytics     v1.AnalyticsServiceClient
	Events        v1.EventServiceClient
	Health        v1.HealthServiceClient
	conn          *grpc.ClientConn
}

// Connect makes a client, which connects with its first call. Deadlines and cancellation are those of a call's context.
func Connect(options Options) (*Client, error) {
	transport := insecure.NewCredentials()
	if options.CAFile != "" {
		var err error
		if transport, err = credentials.NewClientTLSFromFile(options.CAFile, ""); err != nil {
			return nil, err
		}
	}
	conn, err := grpc.NewClient(options.Endpoint,
		grpc.WithTransportCredentials(transport),
		grpc.WithUnaryInterceptor(func(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn,
			invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			return invoke(withKey(ctx, options.APIKey), method, request, reply, conn, opts...)
		}),
		grpc.WithStreamInterceptor(func(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string,
			open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
			return open(withKey(ctx, options.APIKey), desc, conn, method, opts...)
		}))
	if err != nil {
		return nil, err
	}
	return &Client{
		v1.NewIngestServiceClient(conn), v1.NewChatServiceClient(conn), v1.NewConversationServiceClient(conn),
		v1.NewAnalyticsServiceClient(conn), v1.NewEventServiceClient(conn), v1.NewHealthServiceClient(conn), conn,
	}, nil
}

// Close closes the connection; calls that run are cancelled.
func (c *Client) Close() error { return c.conn.Close() }

func withKey(ctx context.Context, key string) context.Context {
	if key == "" {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+key)
}
