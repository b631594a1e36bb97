package remotewrite

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	remoteapi "github.com/prometheus/client_golang/exp/api/remote"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/relabel"
	"github.com/prometheus/prometheus/storage/remote"
)

// Message says in which form requests are sent.
type Message string

const (
	// Auto tries version 2 and falls back to version 1.
	Auto Message = ""
	// V1 is prometheus.WriteRequest.
	V1 = Message(remoteapi.WriteV1MessageType)
	// V2 is io.prometheus.write.v2.Request.
	V2 = Message(remoteapi.WriteV2MessageType)
)

const (
	// DefaultMaxBytes holds 6 hours of 5,000 samples per second: 9 bytes each (BenchmarkQueue), and as much again as the
	// names of series take. A tenth would not outlast a night, ten times as much would be noticed beside the database.
	DefaultMaxBytes = 1 << 30

	// minSegmentBytes keeps the symbols, which each segment repeats, small beside the samples. A sixteenth of the limit
	// is given up at a time.
	minSegmentBytes = 64 << 10
	maxSegmentBytes = 64 << 20
	segmentsInLimit = 16
)

// Config is one remote server. Fields without a default must be set.
type Config struct {
	// Name tells this sender's metrics (label remote_name) and log lines from others'. Default: from the URL.
	Name string
	// URL is where requests go.
	URL string
	// Client carries authentication, TLS and headers.
	Client *http.Client
	// Timeout ends one request. Default 30s, as in Prometheus.
	Timeout time.Duration
	// Message: Auto, V1 or V2.
	Message Message

	// ExternalLabels are added to series that do not have them, before relabelling.
	ExternalLabels labels.Labels
	// WriteRelabel is applied once per series.
	WriteRelabel []*relabel.Config
	// SendExemplars and SendHistograms (native ones) as in Prometheus; what is not sent is not counted.
	SendExemplars, SendHistograms bool

	// Queue: MaxShards, MinShards, MaxSamplesPerSend, Capacity (samples per shard in memory), BatchSendDeadline,
	// MinBackoff, MaxBackoff, SampleAgeLimit. RetryOnRateLimit is not read: 429 is always retried.
	Queue config.QueueConfig
	// Metadata for version 1: how often the type, help and unit of every family are sent.
	Metadata config.MetadataConfig

	// Directory holds the journal. One sender per directory; it is locked.
	Directory string
	// MaxBytes limits the journal. Default DefaultMaxBytes.
	MaxBytes int64
	// SyncEvery bounds what a power cut can take, at the price of an fsync that often. 0: the system decides.
	SyncEvery time.Duration
	// ReadBackStep is the range of time that is read from the lead at once after an outage. Default 5m: at 15 s between
	// samples 20 per series.
	ReadBackStep time.Duration
}

// FromPrometheus builds a Config from one entry of remote_write in Prometheus' form, including its HTTP client with all
// ways of authentication, leaving Directory and the limits to the caller. Prometheus' defaults are in it: an entry that
// says nothing gets version 1, no exemplars and no native histograms. Set Message to Auto where the user left it out.
func FromPrometheus(rw *config.RemoteWriteConfig, external labels.Labels) (Config, error) {
	name := cmp.Or(rw.Name, nameOf(rw.URL.String()))
	client, err := remote.NewWriteClient(name, &remote.ClientConfig{
		URL:              rw.URL,
		Timeout:          rw.RemoteTimeout,
		HTTPClientConfig: rw.HTTPClientConfig,
		SigV4Config:      rw.SigV4Config,
		AzureADConfig:    rw.AzureADConfig,
		GoogleIAMConfig:  rw.GoogleIAMConfig,
		Headers:          rw.Headers,
		RoundRobinDNS:    rw.RoundRobinDNS,
	})
	if err != nil {
		return Config{}, fmt.Errorf("remote_write %s: http client: %w", name, err)
	}
	c, ok := client.(*remote.Client)
	if !ok {
		return Config{}, fmt.Errorf("remote_write %s: http client is a %T", name, client)
	}
	return Config{
		Name:           name,
		URL:            rw.URL.String(),
		Client:         c.Client,
		Timeout:        time.Duration(rw.RemoteTimeout),
		Message:        Message(rw.ProtobufMessage),
		ExternalLabels: external,
		WriteRelabel:   rw.WriteRelabelConfigs,
		SendExemplars:  rw.SendExemplars,
		SendHistograms: rw.SendNativeHistograms,
		Queue:          rw.QueueConfig,
		Metadata:       rw.MetadataConfig,
	}, nil
}

// nameOf is short and stable, so that a restart finds the same metrics and directory.
func nameOf(endpoint string) string {
	sum := sha256.Sum256([]byte(endpoint))
	return hex.EncodeToString(sum[:3])
}

// withDefaults fills in what was left out.
func (c Config) withDefaults() Config {
	c.Name = cmp.Or(c.Name, nameOf(c.URL))
	c.Timeout = cmp.Or(c.Timeout, time.Duration(config.DefaultRemoteWriteConfig.RemoteTimeout))
	c.MaxBytes = cmp.Or(c.MaxBytes, DefaultMaxBytes)
	c.ReadBackStep = cmp.Or(c.ReadBackStep, 5*time.Minute)
	c.Queue = queueWithDefaults(c.Queue)
	if c.Metadata == (config.MetadataConfig{}) {
		c.Metadata = config.DefaultMetadataConfig
	}
	return c
}

func queueWithDefaults(q config.QueueConfig) config.QueueConfig {
	d := config.DefaultQueueConfig
	q.MaxShards = min(cmp.Or(q.MaxShards, d.MaxShards), lanes)
	q.MinShards = min(cmp.Or(q.MinShards, d.MinShards), q.MaxShards)
	q.MaxSamplesPerSend = cmp.Or(q.MaxSamplesPerSend, d.MaxSamplesPerSend)
	q.Capacity = cmp.Or(q.Capacity, d.Capacity)
	q.BatchSendDeadline = cmp.Or(q.BatchSendDeadline, d.BatchSendDeadline)
	q.MinBackoff = cmp.Or(q.MinBackoff, d.MinBackoff)
	q.MaxBackoff = max(cmp.Or(q.MaxBackoff, d.MaxBackoff), q.MinBackoff)
	return q
}

func (c Config) validate() error {
	var errs []error
	if u, err := url.Parse(c.URL); err != nil || u.Host == "" {
		errs = append(errs, fmt.Errorf("url: %q is not the address of a remote-write server, like http://host:9090/api/v1/write", c.URL))
	}
	if c.Client == nil {
		errs = append(errs, errors.New("client: must be given"))
	}
	if c.Directory == "" {
		errs = append(errs, errors.New("directory: must be given"))
	}
	if c.Message != Auto && c.Message != V1 && c.Message != V2 {
		errs = append(errs, fmt.Errorf("protobuf_message: %q is not known: leave it out, or write %q or %q", c.Message, V2, V1))
	}
	if c.MaxBytes < 2*minSegmentBytes {
		errs = append(errs, fmt.Errorf("max_bytes: must be at least %d, got %d", 2*minSegmentBytes, c.MaxBytes))
	}
	return errors.Join(errs...)
}

// segmentBytes is the size at which the journal begins another segment.
func (c Config) segmentBytes() int64 {
	return min(max(c.MaxBytes/segmentsInLimit, minSegmentBytes), maxSegmentBytes, c.MaxBytes/2)
}
