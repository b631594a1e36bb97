package promself_test

import (
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	commoncfg "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/notifier"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/storage/remote"
	"github.com/prometheus/prometheus/tsdb"

	"github.com/tailgate-otel/tailgate/dashboards/rules/promself"
	"github.com/tailgate-otel/tailgate/telemetry"
)

// described lists the families that a registry knows, those included that have no series yet.
type described struct {
	families map[string]*dto.MetricFamily
	descs    map[string]string // name to description, with variable labels
}

// recorder is a registerer that remembers what is registered.
type recorder struct {
	*prometheus.Registry
	collectors []prometheus.Collector
}

func (r *recorder) Register(c prometheus.Collector) error {
	r.collectors = append(r.collectors, c)
	return r.Registry.Register(c)
}

func (r *recorder) MustRegister(cs ...prometheus.Collector) {
	r.collectors = append(r.collectors, cs...)
	r.Registry.MustRegister(cs...)
}

func (r *recorder) describe(t *testing.T) described {
	t.Helper()
	out := described{families: map[string]*dto.MetricFamily{}, descs: map[string]string{}}
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		out.families[f.GetName()] = f
	}
	for _, c := range r.collectors {
		descs := make(chan *prometheus.Desc, 100) // a collector of Prometheus' has a handful
		c.Describe(descs)
		close(descs)
		for d := range descs {
			_, rest, _ := strings.Cut(d.String(), `fqName: "`)
			name, _, _ := strings.Cut(rest, `"`)
			out.descs[name] = d.String()
		}
	}
	return out
}

// TestListEqualsWhatPrometheusRegisters starts the parts of Prometheus that record the metrics. It fails, by name, when
// a version bump renames one or changes its kind or labels.
func TestListEqualsWhatPrometheusRegisters(t *testing.T) {
	r := &recorder{Registry: prometheus.NewRegistry()}
	quiet := slog.New(slog.DiscardHandler)
	db, err := tsdb.Open(t.TempDir(), quiet, r, tsdb.DefaultOptions(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	notifier.NewManager(&notifier.Options{Registerer: r, QueueCapacity: 10}, model.UTF8Validation, quiet)
	rules.NewGroupMetrics(r)
	write := remote.NewWriteStorage(quiet, r, t.TempDir(), time.Second, nil, false)
	defer write.Close()
	address, err := url.Parse("http://127.0.0.1:1/api/v1/write")
	if err != nil {
		t.Fatal(err)
	}
	far := config.DefaultRemoteWriteConfig
	far.URL = &commoncfg.URL{URL: address}
	if err := write.ApplyConfig(&config.Config{RemoteWriteConfigs: []*config.RemoteWriteConfig{&far}}); err != nil {
		t.Fatal(err)
	}
	have := r.describe(t)
	elsewhere := []string{"up", "prometheusstore_webhook_alerts_dropped"} // by who scrapes; by our own webhooks
	for _, m := range promself.All() {
		if err := m.Validate(); err != nil {
			t.Error(err)
		}
		if slices.Contains(elsewhere, m.Name) {
			continue
		}
		name := telemetry.DefaultNaming.Metric(m)
		desc, ok := have.descs[name]
		if !ok {
			t.Errorf("%s: Prometheus no longer registers it", name)
			continue
		}
		for _, a := range m.Attributes {
			if !strings.Contains(desc, a.Key) {
				t.Errorf("%s has no label %s: %s", name, a.Key, desc)
			}
		}
		f, ok := have.families[name]
		if want := dto.MetricType_COUNTER; ok && (f.GetType() == want) != (m.Kind == telemetry.Counter) {
			t.Errorf("%s is a %s in Prometheus and a %s here", name, f.GetType(), m.Kind)
		}
	}
}
