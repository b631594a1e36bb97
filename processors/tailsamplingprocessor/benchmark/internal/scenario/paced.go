package scenario

import (
	"context"
	"time"

	"github.com/tailgate-otel/tailgate/internal/testkit/procstat"
	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/benchmark/internal/pace"
	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/benchmark/internal/probe"
	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/benchmark/internal/rig"
	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/benchmark/internal/traffic"
)

// A pacedSender is one of the connections that a receiver would serve.
type pacedSender struct {
	stream           *traffic.Stream
	consume, decoded probe.Latencies
}

// send decodes and delivers a request, and notes both times when it counts.
func (p *pacedSender) send(r *rig.Rig, counts bool) error {
	body := p.stream.Next()
	start := time.Now()
	td, err := rig.Decode(body)
	if err != nil {
		return err
	}
	decoded := time.Now()
	if err := r.Consumer().ConsumeTraces(context.Background(), td); err != nil {
		return err
	}
	if end := time.Now(); counts {
		p.consume = append(p.consume, end.Sub(decoded))
		p.decoded = append(p.decoded, end.Sub(start))
	}
	return nil
}

// A reading is what is compared between the two ends of the measured time.
type reading struct {
	wall time.Time
	cpu  time.Duration
	gc   probe.GC
}

func read() reading { return reading{time.Now(), procstat.CPU(), probe.ReadGC()} }

// paced sends at a steady rate until as many traces open as are decided, and then measures.
func paced(s Spec, e rig.Engine) (Result, error) {
	senders := make([]pacedSender, s.Senders)
	for i := range senders {
		senders[i].stream = s.Stream(i)
	}
	marking := s.markingCost()
	r, err := s.start(e)
	if err != nil {
		return Result{}, err
	}
	var before reading
	var watch *probe.RSSWatch
	late, err := pace.Schedule{
		Senders: s.Senders, Interval: s.Interval(), Requests: s.Warm + s.Measured,
		MarkAt: s.Warm, Mark: func() { before, watch = read(), probe.WatchRSS(probe.RSS) },
	}.Run(func(sender, request int) error { return senders[sender].send(r, request >= s.Warm) })
	if err != nil {
		return Result{}, err
	}
	after := read()
	average, highest := watch.Stop()

	var consume, decoded probe.Latencies
	for _, p := range senders {
		consume, decoded = append(consume, p.consume...), append(decoded, p.decoded...)
	}
	used := after.cpu - before.cpu - marking*time.Duration(s.Measured*traffic.SpansPerRequest)
	f := Figures{
		CPUPerSpan: microsPerSpan(after.cpu-before.cpu, s.Measured, marking),
		Cores:      used.Seconds() / after.wall.Sub(before.wall).Seconds(),
		RSSAverage: float64(average),
		RSSMax:     float64(highest),
		Late:       millis(late),
		ConsumeP50: millis(consume.Quantile(0.5)), ConsumeP99: millis(consume.Quantile(0.99)),
		ConsumeP999: millis(consume.Quantile(0.999)), ConsumeMax: millis(consume.Quantile(1)),
		DecodedP50: millis(decoded.Quantile(0.5)), DecodedP99: millis(decoded.Quantile(0.99)),
		DecodedP999: millis(decoded.Quantile(0.999)), DecodedMax: millis(decoded.Quantile(1)),
	}
	if share, ok := after.gc.Share(before.gc); ok {
		f[GCShare] = share
	}
	switch pause, ok, err := r.LongestPause(); {
	case err != nil:
		return Result{}, err
	case ok:
		f[Pause] = millis(pause)
	}
	return s.result(r, f)
}

// Interval is the distance of requests that gives the rate.
func (s Spec) Interval() time.Duration {
	return time.Second * traffic.SpansPerRequest / time.Duration(s.Rate)
}
