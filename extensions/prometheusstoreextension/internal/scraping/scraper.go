// Package scraping runs Prometheus' own discovery and scrape managers straight into a storage: no OTLP in between, so that
// names, staleness, created timestamps and native histograms arrive as a server would store them, at half the cost.
//
// It is the one place that calls scrape.NewManager and discovery.NewManager. Start owns their goroutines, Stop ends
// them. Discovery in Kubernetes, which alone would double the weight of the store, is linked in by the program that has
// Kubernetes' client anyway. There is no queue: a target that is slow is scraped late, one that exceeds its limits fails as a whole and says
// so in `up` and on /targets, as in a server.
package scraping

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	promcfg "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery"
	_ "github.com/prometheus/prometheus/discovery/dns"  // registers dns_sd_configs
	_ "github.com/prometheus/prometheus/discovery/file" // registers file_sd_configs
	_ "github.com/prometheus/prometheus/discovery/http" // registers http_sd_configs
	"github.com/prometheus/prometheus/scrape"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/features"
	"github.com/prometheus/prometheus/util/logging"
)

// newTargetsWait is how long discovered targets are gathered before pools change. Prometheus takes 5 s, which a store
// that starts with its collector would make everybody wait for.
const newTargetsWait = model.Duration(time.Second)

// Settings are what a Scraper needs.
type Settings struct {
	// Sink takes what was scraped.
	Sink storage.AppendableV2
	// Registerer takes the managers' own metrics, under Prometheus' names.
	Registerer prometheus.Registerer
	Logger     *slog.Logger
	// Discovery holds the metrics of service discovery, which can be registered once per registry.
	Discovery *discovery.SDMetrics
	// Features is told what scraping and discovery can do. May be nil.
	Features features.Collector
	// Dial replaces the dialer, for targets that are inside this process. May be nil.
	Dial promcfg.DialContextFunc
}

// Scraper scrapes what it was last told to.
type Scraper struct {
	*scrape.Manager
	discovery *discovery.Manager
	cancel    context.CancelFunc
	done      chan struct{}
}

// Start starts both managers. They have nothing to do before Apply.
func Start(s Settings) (*Scraper, error) {
	ctx, cancel := context.WithCancel(context.Background())
	found := discovery.NewManager(ctx, s.Logger, s.Registerer, s.Discovery, discovery.Name("scrape"),
		discovery.FeatureRegistry(s.Features))
	if found == nil {
		cancel()
		return nil, errors.New("create the discovery manager: see the log")
	}
	manager, err := scrape.NewManager(s.options(), s.Logger, logging.NewJSONFileLogger, nil, s.Sink, s.Registerer)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("create the scrape manager: %w", err)
	}
	scraper := &Scraper{Manager: manager, discovery: found, cancel: cancel, done: make(chan struct{})}
	go scraper.run(s.Logger)
	return scraper, nil
}

func (s Settings) options() *scrape.Options {
	options := &scrape.Options{
		AppendMetadata:           true, // the store's metadata API serves it
		ParseST:                  true, // created timestamps become zero samples
		DiscoveryReloadInterval:  newTargetsWait,
		DiscoveryReloadOnStartup: true,
		FeatureRegistry:          s.Features,
	}
	if s.Dial != nil {
		options.HTTPClientOptions = []promcfg.HTTPClientOption{promcfg.WithDialContextFunc(s.Dial)}
	}
	return options
}

func (s *Scraper) run(logger *slog.Logger) {
	defer close(s.done)
	found := make(chan struct{})
	go func() {
		defer close(found)
		if err := s.discovery.Run(); err != nil && !errors.Is(err, context.Canceled) {
			logger.Error("Service discovery ended", "err", err)
		}
	}()
	if err := s.Manager.Run(s.discovery.SyncCh()); err != nil {
		logger.Error("Scraping ended", "err", err)
	}
	<-found
}

// Apply changes to the jobs of cfg. Targets that stay are not interrupted.
func (s *Scraper) Apply(cfg *config.Config) error {
	if err := s.Manager.ApplyConfig(cfg); err != nil {
		return fmt.Errorf("scrape_configs: %w", err)
	}
	jobs, err := cfg.GetScrapeConfigs()
	if err != nil {
		return fmt.Errorf("scrape_configs: %w", err)
	}
	sources := make(map[string]discovery.Configs, len(jobs))
	for _, job := range jobs {
		sources[job.JobName] = job.ServiceDiscoveryConfigs
	}
	if err := s.discovery.ApplyConfig(sources); err != nil {
		return fmt.Errorf("scrape_configs: service discovery: %w", err)
	}
	return nil
}

// Stop ends all scrapes and waits for them.
func (s *Scraper) Stop() {
	s.cancel()
	s.Manager.Stop()
	<-s.done
}
