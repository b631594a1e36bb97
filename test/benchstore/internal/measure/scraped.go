package measure

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tailgate-otel/tailgate/test/benchstore/internal/payload"
)

// firstScrape is how long a server may take to come for the first time: its own offset within the interval, and starting.
const firstScrape = 30 * time.Second

// scraped exports once before each scrape. The server comes at a steady beat, which is found first; then
//
//	scrape            export            scrape            export            scrape …
//	  0 ──── 1/4 ────── 1/2 ─────────────── 1 ──── 5/4 ────── 3/2 ──────────── 2
//	          └ begin                                                    end at n + 1/4
//
// so that each export is scraped once, and no scrape is cut by the beginning or the end. Were one missed, or an export
// scraped twice, the count of samples would not come out.
func (m *measurement) scraped(ctx context.Context) error {
	every := m.spec.ScrapeEvery
	m.fleet = payload.New(m.spec.Kind, m.spec.Instances, time.Now().Add(-time.Hour))
	if err := m.running.Export(ctx, m.next(time.Now())); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	var beat time.Time
	for range max(m.spec.Warm, 1) {
		var err error
		if beat, err = m.beat(ctx); err != nil {
			return err
		}
	}
	if err := sleepUntil(ctx, beat.Add(every/4)); err != nil {
		return err
	}
	if err := m.begin(); err != nil {
		return err
	}
	from := time.Now()
	for i := range m.spec.Exports {
		if err := sleepUntil(ctx, beat.Add(every/2+time.Duration(i)*every)); err != nil {
			return err
		}
		if err := m.running.Export(ctx, m.next(time.Now())); err != nil {
			return fmt.Errorf("export: %w", err)
		}
	}
	if err := sleepUntil(ctx, beat.Add(every/4+time.Duration(m.spec.Exports)*every)); err != nil {
		return err
	}
	return m.end(from, time.Now())
}

// beat waits for the end of the next scrape.
func (m *measurement) beat(ctx context.Context) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, firstScrape+m.spec.ScrapeEvery)
	defer cancel()
	tick := time.NewTicker(min(m.spec.ScrapeEvery/20, 50*time.Millisecond))
	defer tick.Stop()
	before := -1.0
	for {
		appended, err := m.running.Stored.Counters("prometheus_tsdb_head_samples_appended_total")
		if err != nil {
			return time.Time{}, err
		}
		switch {
		case before < 0:
			before = appended[0]
		case appended[0] > before:
			return time.Now(), nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return time.Time{}, errors.New("the server does not scrape")
		}
	}
}

func sleepUntil(ctx context.Context, t time.Time) error {
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
