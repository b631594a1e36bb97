package breaker_test

import (
	"testing"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/tailgate-otel/tailgate/gateway/breaker"
)

func BenchmarkRequest(b *testing.B) {
	for _, class := range []breaker.Class{breaker.Success, breaker.Business, breaker.ServerError} {
		b.Run("class="+class.String(), func(b *testing.B) {
			s := small()
			s.FailureMinimum = 1 << 60
			now := time.Now() // with a monotonic reading, as requests have it
			br := breaker.NewSet().Get(breaker.Key{}, s, now)
			b.ReportAllocs()
			for b.Loop() {
				now = now.Add(time.Microsecond)
				t, _ := br.Allow(now)
				br.Done(t, class, now)
			}
		})
	}
	b.Run("open", func(b *testing.B) {
		br := get(small())
		for range 3 {
			t, _ := br.Allow(epoch)
			br.Done(t, breaker.Timeout, epoch)
		}
		for b.Loop() {
			br.Allow(epoch)
		}
	})
}

func BenchmarkRequestParallel(b *testing.B) {
	begin := time.Now()
	br := breaker.NewSet().Get(breaker.Key{}, small(), begin)
	b.RunParallel(func(pb *testing.PB) {
		now := begin
		for pb.Next() {
			now = now.Add(time.Microsecond)
			t, _ := br.Allow(now)
			br.Done(t, breaker.Success, now)
		}
	})
}

// BenchmarkPeer is sony/gobreaker at the same work, clock included.
func BenchmarkPeer(b *testing.B) {
	cb := gobreaker.NewTwoStepCircuitBreaker[any](gobreaker.Settings{BucketPeriod: time.Second, Interval: 10 * time.Second})
	b.ReportAllocs()
	for b.Loop() {
		if done, err := cb.Allow(); err == nil {
			done(nil)
		}
	}
}
