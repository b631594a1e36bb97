package remotewrite

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tailgate-otel/tailgate/internal/remotewrite/journal"
)

// kinds are a counter each for samples, histograms and exemplars.
type kinds struct{ samples, histograms, exemplars prometheus.Counter }

func (k kinds) add(c journal.Counts) {
	k.samples.Add(float64(c.Samples))
	k.histograms.Add(float64(c.Histograms))
	k.exemplars.Add(float64(c.Exemplars))
}

// metrics has Prometheus' names where it has the same thing, so that its dashboards and alerts work, and ours for the rest.
type metrics struct {
	registerer prometheus.Registerer
	registered []prometheus.Collector
	errs       []error
	labels     prometheus.Labels

	sent, failed, retried                          kinds
	droppedSamples, droppedHistograms, droppedXs   *prometheus.CounterVec
	refused                                        *prometheus.CounterVec
	bytes, metadataBytes, metadata, metadataFailed prometheus.Counter
	duration                                       prometheus.Histogram
	shards, minShards, maxShards, desired          prometheus.Gauge
	capacity, perSend, version                     prometheus.Gauge
	readBack, damaged, segmentsGivenUp, diskErrors prometheus.Counter
	highest, highestSent                           newestTime
	in, out                                        atomic.Int64 // samples since the start
	inMemory                                       [3]atomic.Int64
	sending                                        atomic.Int64 // nanoseconds spent in requests
	lastSent                                       atomic.Int64 // Unix nanoseconds of the last request that was taken
}

// newestTime is the newest of many times, in milliseconds; 0 is none yet.
type newestTime struct{ atomic.Int64 }

func (n *newestTime) include(millis int64) {
	for {
		old := n.Load()
		if millis <= old || n.CompareAndSwap(old, millis) {
			return
		}
	}
}

func (n *newestTime) seconds() float64 { return math.Floor(float64(n.Load()) / 1000) }

const upstream = "prometheus_remote_storage_"
const own = "tailgate_remote_write_"

func newMetrics(cfg *Config, reg prometheus.Registerer) *metrics {
	address := cfg.URL
	if u, err := url.Parse(address); err == nil {
		address = u.Redacted()
	}
	m := &metrics{registerer: reg, labels: prometheus.Labels{"remote_name": cfg.Name, "url": address}}
	m.counters()
	m.maxShards.Set(float64(cfg.Queue.MaxShards))
	m.minShards.Set(float64(cfg.Queue.MinShards))
	m.capacity.Set(float64(cfg.Queue.Capacity))
	m.perSend.Set(float64(cfg.Queue.MaxSamplesPerSend))
	m.gaugeFunc(upstream+"queue_highest_timestamp_seconds", "Newest timestamp that was queued.", m.highest.seconds)
	m.gaugeFunc(upstream+"queue_highest_sent_timestamp_seconds", "Newest timestamp that the server has taken.", m.highestSent.seconds)
	return m
}

func (m *metrics) counters() {
	m.sent = m.kinds("%s_total", "Number of %s the server has taken.")
	m.failed = m.kinds("%s_failed_total", "Number of %s the server has refused.")
	m.retried = m.kinds("%s_retried_total", "Number of %s in requests that have to be sent again.")
	m.droppedSamples = m.counterVec(upstream+"samples_dropped_total", "Number of samples that were not sent, by reason.")
	m.droppedHistograms = m.counterVec(upstream+"histograms_dropped_total", "Number of histograms that were not sent, by reason.")
	m.droppedXs = m.counterVec(upstream+"exemplars_dropped_total", "Number of exemplars that were not sent, by reason.")
	m.bytes = m.counter(upstream+"bytes_total", "Bytes of requests that the server has answered, compressed.")
	m.metadata = m.counter(upstream+"metadata_total", "Number of families whose metadata the server has taken (version 1).")
	m.metadataFailed = m.counter(upstream+"metadata_failed_total", "Number of families whose metadata could not be sent (version 1).")
	m.metadataBytes = m.counter(upstream+"metadata_bytes_total", "Bytes of metadata requests, compressed (version 1).")
	m.duration = m.histogram(upstream+"sent_batch_duration_seconds", "Time from posting a request to its answer.")
	m.shards = m.gauge(upstream+"shards", "Number of requests that may be on their way at once.")
	m.minShards = m.gauge(upstream+"shards_min", "Least number of shards.")
	m.maxShards = m.gauge(upstream+"shards_max", "Greatest number of shards.")
	m.desired = m.gauge(upstream+"shards_desired", "Number of shards that the rates in and out ask for.")
	m.capacity = m.gauge(upstream+"shard_capacity", "Samples that a shard may have in memory.")
	m.perSend = m.gauge(upstream+"max_samples_per_send", "Greatest number of samples in a request.")
	m.version = m.gauge(own+"protocol_version", "Version of remote write that the server is sent.")
	m.refused = m.counterVec(own+"refused_samples_total", "Number of samples and histograms the server has refused, by reason.")
	m.readBack = m.counter(own+"read_back_samples_total", "Number of samples and histograms that were read back from the local database.")
	m.damaged = m.counter(own+"segments_damaged_total", "Number of segments that could not be read to their end.")
	m.segmentsGivenUp = m.counter(own+"segments_given_up_total", "Number of segments that were removed unsent because the queue was full.")
	m.diskErrors = m.counter(own+"disk_errors_total", "Number of failed reads and writes of the queue's files.")
}

// watch adds what is read from elsewhere when it is asked for.
func (m *metrics) watch(cfg *Config, j *journal.Journal, l *ledger) {
	for i, kind := range []string{"samples", "histograms", "exemplars"} {
		m.gaugeFunc(upstream+kind+"_pending", "Number of "+kind+" that wait, on disk and in memory.", func() float64 {
			return float64(max(m.inMemory[i].Load()+int64(perKind(j.Unread().Counts)[i]), 0))
		})
	}
	m.gaugeFunc(own+"queue_bytes", "Size of the queue on disk.", func() float64 { return float64(j.Bytes()) })
	m.gaugeFunc(own+"queue_limit_bytes", "Size beyond which the oldest of the queue is given up.", func() float64 { return float64(cfg.MaxBytes) })
	m.gaugeFunc(own+"holes", "Number of ranges of time that have to be read back from the local database.", func() float64 {
		n, _ := l.holes()
		return float64(n)
	})
	m.gaugeFunc(own+"holes_seconds", "Length of these.", func() float64 {
		_, millis := l.holes()
		return float64(millis) / 1000
	})
	m.gaugeFunc(own+"lag_seconds", "How far the newest sample sent is behind the newest queued.", m.lag)
}

func (m *metrics) lag() float64 {
	if m.highestSent.Load() == 0 {
		return 0
	}
	return math.Max(0, float64(m.highest.Load()-m.highestSent.Load())/1000)
}

func perKind(c journal.Counts) [3]int { return [3]int{c.Samples, c.Histograms, c.Exemplars} }

// hold counts what goes into memory (sign 1) or leaves it (-1).
func (m *metrics) hold(c journal.Counts, sign int64) {
	for i, n := range perKind(c) {
		if n != 0 {
			m.inMemory[i].Add(sign * int64(n))
		}
	}
}

func (m *metrics) enqueued(samples int, newest time.Time) {
	m.in.Add(int64(samples))
	m.highest.include(newest.UnixMilli())
}

func (m *metrics) dropped(c journal.Counts, reason string) {
	for i, vec := range []*prometheus.CounterVec{m.droppedSamples, m.droppedHistograms, m.droppedXs} {
		if n := perKind(c)[i]; n > 0 {
			vec.WithLabelValues(reason).Add(float64(n))
		}
	}
}

// delivered counts what the server has taken.
func (m *metrics) delivered(c journal.Counts, newest int64) {
	m.sent.add(c)
	m.out.Add(int64(c.Samples + c.Histograms))
	m.lastSent.Store(time.Now().UnixNano())
	m.highestSent.include(newest)
}

func (m *metrics) add(c prometheus.Collector) {
	if m.registerer == nil {
		return
	}
	if err := m.registerer.Register(c); err != nil {
		m.errs = append(m.errs, err)
		return
	}
	m.registered = append(m.registered, c)
}

// err says what could not be registered.
func (m *metrics) err() error {
	if len(m.errs) == 0 {
		return nil
	}
	return fmt.Errorf("register metrics (two remote-write senders of one name?): %w", errors.Join(m.errs...))
}

func (m *metrics) unregister() {
	for _, c := range m.registered {
		m.registerer.Unregister(c)
	}
}

func (m *metrics) kinds(name, help string) kinds {
	c := func(kind string) prometheus.Counter {
		return m.counter(upstream+fmt.Sprintf(name, kind), fmt.Sprintf(help, kind))
	}
	return kinds{c("samples"), c("histograms"), c("exemplars")}
}

func (m *metrics) counter(name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help, ConstLabels: m.labels})
	m.add(c)
	return c
}

func (m *metrics) counterVec(name, help string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help, ConstLabels: m.labels}, []string{"reason"})
	m.add(c)
	return c
}

func (m *metrics) gauge(name, help string) prometheus.Gauge {
	g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: m.labels})
	m.add(g)
	return g
}

func (m *metrics) gaugeFunc(name, help string, f func() float64) {
	m.add(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: m.labels}, f))
}

// histogram has Prometheus' buckets for this metric.
func (m *metrics) histogram(name, help string) prometheus.Histogram {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: name, Help: help, ConstLabels: m.labels,
		Buckets:                         append(append([]float64(nil), prometheus.DefBuckets...), 25, 60, 120, 300),
		NativeHistogramBucketFactor:     1.1,
		NativeHistogramMaxBucketNumber:  100,
		NativeHistogramMinResetDuration: time.Hour,
	})
	m.add(h)
	return h
}
