package tailsamplingprocessor

import (
	"context"
	"encoding/binary"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/tailgate-otel/tailgate/internal/segstore"
	"github.com/tailgate-otel/tailgate/internal/segstore/segstoretest"
	"github.com/tailgate-otel/tailgate/internal/tracelog"
	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/internal/engine"
)

// inDirectory adds a storage directory to a configuration.
func inDirectory(yaml, dir string) string {
	return yaml + fmt.Sprintf("storage: {directory: %q}\n", dir)
}

// A directory that cannot be used keeps the collector from starting, with an error that names the key, the directory
// and the way out; or it does not, if that is what the configuration says.
func TestStorageCannotBeUsed(t *testing.T) {
	for _, c := range []struct {
		name    string
		prepare func(t *testing.T, dir string)
	}{
		{"not creatable", func(t *testing.T, dir string) {
			require.NoError(t, os.WriteFile(dir, []byte("a file"), 0o600))
		}},
		{"not writable", func(t *testing.T, dir string) { // a read-only disk is tested with the store
			require.NoError(t, os.MkdirAll(filepath.Join(dir, "LOCK"), 0o700))
		}},
		{"in use", func(t *testing.T, dir string) {
			startFaulty(t, inDirectory(everything, dir), consumertest.NewNop())
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "buffer")
				c.prepare(t, dir)
				p := newFaulty(t, inDirectory(everything, dir), consumertest.NewNop())
				err := p.Start(t.Context(), componenttest.NewNopHost())
				require.ErrorContains(t, err, "storage::directory")
				require.ErrorContains(t, err, dir)
				require.ErrorContains(t, err, "on_failure: memory")

				n := new(next)
				p = startFaulty(t, everything+fmt.Sprintf("storage: {directory: %q, on_failure: memory}", dir), n)
				assert.Equal(t, 1, p.logs.FilterMessageSnippet("storage cannot be used").Len())
				require.NoError(t, p.ConsumeTraces(t.Context(), new(traffic).request(ptrace.StatusCodeOk, 0, 10, 2)))
				stopSampler(t, p.sampler)
				requireSettled(t, p.sampler)
				different, _ := n.spans()
				assert.Equal(t, 20, different)
			})
		})
	}
}

// Nothing is decided at a shutdown with storage; the next life takes everything up, once.
func TestStorageSurvivesShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		n := new(next)
		g := new(traffic)
		for life := range 3 {
			p := startFaulty(t, inDirectory(everything, dir), n)
			require.NoError(t, p.ConsumeTraces(t.Context(), g.request(ptrace.StatusCodeOk, life*10, 100, 2)))
			stopSampler(t, p.sampler)
			assert.Equal(t, int64(200*(life+1)), p.telemetry.look().held())
			different, _ := n.spans()
			assert.Zero(t, different)
		}
		p := startFaulty(t, inDirectory(everything, dir), n)
		assert.Equal(t, uint64(600), p.telemetry.look().SpansRecovered)
		time.Sleep(6 * time.Second)
		different, twice := n.spans()
		assert.Equal(t, 600, different)
		assert.Zero(t, twice)
		stopSampler(t, p.sampler)
		requireSettled(t, p.sampler)

		p = startFaulty(t, inDirectory(everything, dir), n)
		assert.Zero(t, p.telemetry.look().SpansRecovered)
		stopSampler(t, p.sampler)
	})
}

// A shutdown that comes before its kept traces have left leaves them, too.
func TestStorageKeepsWhatDidNotLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		down := &next{before: func(context.Context, int, ptrace.Traces) error { return errDown }}
		p := startFaulty(t, inDirectory(everything, dir), down)
		require.NoError(t, p.ConsumeTraces(t.Context(), new(traffic).request(ptrace.StatusCodeOk, 0, 100, 2)))
		time.Sleep(10 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.NoError(t, p.Shutdown(ctx), "nothing is lost")
		assert.Equal(t, int64(200), p.telemetry.look().held())
		n := new(next)
		p = startFaulty(t, inDirectory(everything, dir), n)
		synctest.Wait()
		different, twice := n.spans()
		assert.Equal(t, 200, different)
		assert.Zero(t, twice)
		stopSampler(t, p.sampler)
		requireSettled(t, p.sampler)
	})
}

// The limit may be lowered between two lives: what is there already is above it, is decided early, and goes.
func TestStorageWithLowerLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		n := new(next)
		g := new(traffic)
		yaml := errorsOnly + "rescue_buffer: 1MiB\nmax_buffer: "
		p := startFaulty(t, inDirectory(yaml+"128MiB\n", dir), n)
		for i := range 400 {
			require.NoError(t, p.ConsumeTraces(t.Context(), wide(g, i, 100)))
		}
		require.NoError(t, p.ConsumeTraces(t.Context(), g.request(ptrace.StatusCodeError, 1000, 10, 3)))
		stopSampler(t, p.sampler)
		p = startFaulty(t, inDirectory(yaml+"16MiB\n", dir), n)
		assert.Greater(t, p.pressure(), 2.0)
		for i := range 20 {
			require.NoError(t, p.ConsumeTraces(t.Context(), wide(g, 2000+i, 100)))
		}
		assert.Less(t, p.pressure(), 1.1)
		time.Sleep(6 * time.Second)
		different, _ := n.spans()
		assert.Equal(t, 30, different)
		stopSampler(t, p.sampler)
		requireSettled(t, p.sampler)
	})
}

// former is a directory as a killed process leaves it: with traces undecided, kept and not yet delivered, dropped, late
// and brought back.
func former(t *testing.T, dir string) {
	t.Helper()
	n := &next{before: func(_ context.Context, call int, _ ptrace.Traces) error {
		if call > 4 {
			return errDown
		}
		return nil
	}}
	p := startFaulty(t, inDirectory(damagedConfig, dir), n)
	g := new(traffic)
	for i := range 60 {
		status := ptrace.StatusCodeOk
		if i%5 == 0 {
			status = ptrace.StatusCodeError
		}
		require.NoError(t, p.ConsumeTraces(t.Context(), g.request(status, i*8, 16, 2)))
		time.Sleep(50 * time.Millisecond)
	}
	require.NoError(t, p.ConsumeTraces(t.Context(), g.request(ptrace.StatusCodeOk, 0, 100, 1)), "late")
	require.NoError(t, p.ConsumeTraces(t.Context(), g.request(ptrace.StatusCodeError, 0, 20, 1)), "late")
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	require.NoError(t, p.Shutdown(ctx))
}

const damagedConfig = `
decision_wait: 1s
max_buffer: 16MiB
rescue_late_spans: true
delivery: {batch_spans: 20}
policies: [{name: errors, type: status_code, status_code: {status_codes: [ERROR]}}]
`

// Segments that were damaged in any way, up to records that are wrong behind a checksum that is right, never keep the
// processor from starting, and what is read of them adds up: nothing leaves that is not counted, and nothing stays.
func TestStorageDamaged(t *testing.T) {
	rounds := 100
	if testing.Short() {
		rounds = 20
	}
	whole := t.TempDir()
	synctest.Test(t, func(t *testing.T) { former(t, whole) })
	for seed := range uint64(rounds) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 9))
			dir := filepath.Join(t.TempDir(), "buffer")
			require.NoError(t, os.CopyFS(dir, os.DirFS(whole)))
			for range 1 + random.IntN(4) {
				damageFile(t, dir, random)
			}
			n := new(next)
			p := startFaulty(t, inDirectory(damagedConfig, dir), n)
			require.NoError(t, p.ConsumeTraces(t.Context(), new(traffic).request(ptrace.StatusCodeError, 9000, 10, 2)))
			time.Sleep(3 * time.Second)
			require.Zero(t, p.telemetry.look().held(), "seed %d", seed)
			stopSampler(t, p.sampler)
			requireSettled(t, p.sampler)
			different, _ := n.spans()
			require.GreaterOrEqual(t, different, 20, "seed %d", seed)
		})
	}
}

// damageFile damages one segment file of the directory.
func damageFile(t *testing.T, dir string, random *rand.Rand) {
	t.Helper()
	files, err := fs.Glob(os.DirFS(dir), "*.seg")
	require.NoError(t, err)
	if len(files) == 0 {
		return
	}
	name := filepath.Join(dir, files[random.IntN(len(files))])
	mem, err := os.ReadFile(name)
	require.NoError(t, err)
	if len(mem) < 64 {
		return // it was cut already
	}
	page := os.Getpagesize()
	used := min(len(mem), int(recordsEnd(mem))+page)
	switch random.IntN(9) {
	case 0: // a page of zeros
		at := random.IntN(used) / page * page
		clear(mem[at:min(at+page, len(mem))])
	case 1: // cut at a page
		mem = mem[:random.IntN(used)/page*page]
	case 2: // cut anywhere
		mem = mem[:random.IntN(used)]
	case 3: // garbage
		for i, at := 0, random.IntN(used); i < 100 && at+i < len(mem); i++ {
			mem[at+i] = byte(random.Uint32())
		}
	case 4:
		require.NoError(t, os.Rename(name, filepath.Join(dir, fmt.Sprintf("%d-%d.seg", random.IntN(40), random.Uint32()))))
		return
	case 5:
		mem = []byte(strings.Repeat("something else entirely ", 1000))
	default: // a wrong record that looks right
		for range 1 + random.IntN(50) {
			forge(mem, random)
		}
	}
	require.NoError(t, os.WriteFile(name, mem, 0o600))
}

// recordsEnd is where the records of a segment end, or stop to be records.
func recordsEnd(mem []byte) (end uint32) {
	for end = 64; int(end)+4 <= len(mem); {
		length := binary.LittleEndian.Uint32(mem[end:]) & (1<<22 - 1)
		if length == 0 || int(end)+4+int(length) > len(mem) {
			break
		}
		end += 4 + length
	}
	return end
}

// forge changes a byte of a record, and then the check byte of its header until the record is accepted.
func forge(mem []byte, random *rand.Rand) {
	target := random.Uint32N(recordsEnd(mem))
	for off := uint32(64); int(off)+4 < len(mem); {
		length := binary.LittleEndian.Uint32(mem[off:]) & (1<<22 - 1)
		if length == 0 || int(off)+4+int(length) > len(mem) {
			return
		}
		if target < off+4+length {
			mem[off+4+random.Uint32N(min(length, 24))] ^= byte(1 + random.UintN(255)) // where ids and references stand
			one := append(append(make([]byte, 0, 64+4+length), mem[:64]...), mem[off:off+4+length]...)
			shard, seq := int(binary.LittleEndian.Uint16(mem[6:])), uint64(binary.LittleEndian.Uint32(mem[8:]))
			for check := range 256 {
				one[64+3] = byte(check)
				if torn := tracelog.Scan(tracelog.Former{Seq: seq, Mem: one}, shard, func(tracelog.Record) {}); torn == 0 {
					mem[off+3] = byte(check)
					return
				}
			}
			return
		}
		off += 4 + length
	}
}

// What stands before a tear is taken up, whole, whatever stands behind it; and the damage is counted.
func TestStorageTorn(t *testing.T) {
	whole := t.TempDir()
	g := new(traffic)
	synctest.Test(t, func(t *testing.T) {
		p := startFaulty(t, inDirectory(everything+"max_buffer: 16MiB\n", whole), new(next))
		for i := range 200 {
			require.NoError(t, p.ConsumeTraces(t.Context(), g.request(ptrace.StatusCodeOk, i*100, 100, 1)))
		}
		stopSampler(t, p.sampler)
	})
	for _, c := range []struct {
		name string
		tear func(mem []byte, at int) []byte
	}{
		{"cut", func(mem []byte, at int) []byte { return mem[:at] }},
		{"garbage", func(mem []byte, at int) []byte { return append(mem[:at:at], make255(len(mem)-at)...) }},
		{"zeros in the middle", func(mem []byte, at int) []byte { clear(mem[at : at+os.Getpagesize()]); return mem }},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "buffer")
				require.NoError(t, os.CopyFS(dir, os.DirFS(whole)))
				want := tearAll(t, dir, c.tear)
				n := new(next)
				p := startFaulty(t, inDirectory(everything+"max_buffer: 16MiB\n", dir), n)
				sum := p.telemetry.look()
				assert.Equal(t, want, int(sum.SpansRecovered))
				assert.Greater(t, want, 1000)
				assert.Less(t, want, 20_000)
				assert.Positive(t, p.telemetry.damaged.Load())
				time.Sleep(6 * time.Second)
				different, twice := n.spans()
				assert.Equal(t, want, different)
				assert.Zero(t, twice)
				stopSampler(t, p.sampler)
				requireSettled(t, p.sampler)
			})
		})
	}
}

// The spans of a trace on both sides of a damaged segment leave together: only what stood in the segment is lost.
func TestStorageTornWithinATrace(t *testing.T) {
	const yaml = "decision_wait: 5s\nmax_buffer: 16MiB\npolicies: [{name: long, type: span_count, span_count: {min_spans: 500}}]\n"
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		p := startFaulty(t, inDirectory(yaml, dir), new(next))
		g := new(traffic)
		random := rand.New(rand.NewPCG(1, 4))
		for range 8 { // 820 KiB in segments of 256 KiB
			td := g.request(ptrace.StatusCodeOk, 1, 1, 100)
			widen(td, random)
			require.NoError(t, p.ConsumeTraces(t.Context(), td))
		}
		stopSampler(t, p.sampler)

		files, err := fs.Glob(os.DirFS(dir), "*.seg")
		require.NoError(t, err)
		require.Len(t, files, 4)
		name := filepath.Join(dir, files[1])
		mem, err := os.ReadFile(name)
		require.NoError(t, err)
		lost := 0
		var lane, seq int
		_, err = fmt.Sscanf(files[1], "%d-%d.seg", &lane, &seq)
		require.NoError(t, err)
		tracelog.Scan(tracelog.Former{Seq: uint64(seq), Mem: mem}, lane, func(tracelog.Record) { lost++ })
		require.NoError(t, os.WriteFile(name, append(mem[:64:64], make255(len(mem)-64)...), 0o600))

		n := new(next)
		p = startFaulty(t, inDirectory(yaml, dir), n)
		assert.Equal(t, uint64(800-lost), p.telemetry.look().SpansRecovered)
		assert.Equal(t, uint64(1), p.telemetry.damaged.Load())
		time.Sleep(6 * time.Second)
		different, twice := n.spans()
		assert.Equal(t, 800-lost, different)
		assert.Zero(t, twice)
		assert.Equal(t, 1, n.calls, "in one piece")
		assert.Greater(t, lost, 200)
		stopSampler(t, p.sampler)
		requireSettled(t, p.sampler)
	})
}

func make255(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = 255
	}
	return b
}

// tearAll damages each segment in its middle, and returns how many spans stand before.
func tearAll(t *testing.T, dir string, tear func(mem []byte, at int) []byte) (before int) {
	t.Helper()
	d, found, err := segstore.OpenDir(dir, 1<<30)
	require.NoError(t, err)
	torn := map[string][]byte{}
	for _, x := range found {
		at := int(recordsEnd(x.Mem)) / 2 / os.Getpagesize() * os.Getpagesize()
		tracelog.Scan(tracelog.Former{Seq: x.Seq, Mem: x.Mem}, x.Shard, func(r tracelog.Record) {
			off := int(uint32(r.Pos))
			if length := int(binary.LittleEndian.Uint32(x.Mem[off:]) & (1<<22 - 1)); off+4+length <= at {
				before++
			}
		})
		torn[fmt.Sprintf("%d-%d.seg", x.Shard, x.Seq)] = tear(append([]byte(nil), x.Mem...), at)
	}
	require.NoError(t, d.Close())
	for name, mem := range torn {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), mem, 0o600))
	}
	return before
}

// A disk that is smaller than max_buffer: while what is dropped makes room nobody is refused, traces are decided early.
func TestDiskFullWhileTracesAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(next)
		p := startOn(t, errorsOnly+"max_buffer: 64MiB\nrescue_buffer: 0\n", n, segstore.NewMemory(12<<20))
		g := new(traffic)
		errs := 0
		for i := range 400 { // 44 MB
			require.NoError(t, p.ConsumeTraces(t.Context(), wide(g, i, 100)))
			if i%10 == 0 {
				require.NoError(t, p.ConsumeTraces(t.Context(), g.request(ptrace.StatusCodeError, 10_000+i, 1, 3)))
				errs += 3
			}
		}
		assert.Positive(t, p.telemetry.look().DecidedFor[engine.ReasonMemory])
		stopSampler(t, p.sampler)
		requireSettled(t, p.sampler)
		different, twice := n.spans()
		assert.Equal(t, errs, different)
		assert.Zero(t, twice)
	})
}

// A store that has nothing left to give, for whatever cause: callers are told to come back, and what they were told is
// taken is not lost.
func TestStoreFails(t *testing.T) {
	for _, cause := range []error{
		fmt.Errorf("%w: %w", segstore.ErrFull, syscall.ENOSPC),
		syscall.EIO,
	} {
		t.Run(cause.Error(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := &next{before: func(ctx context.Context, _ int, _ ptrace.Traces) error { return errDown }}
				store := segstoretest.New(segstore.NewMemory(64 << 20))
				p := startOn(t, everything+"max_buffer: 64MiB\nrescue_buffer: 0\n", n, store)
				store.FailAfter(10, cause)
				g := new(traffic)
				var err error
				accepted := map[pcommon.SpanID]bool{}
				i := 0
				for ; err == nil; i++ {
					require.Less(t, i, 1000)
					td := wide(g, i, 100)
					if err = p.ConsumeTraces(t.Context(), td); err == nil {
						for _, id := range spanIDs(td) {
							accepted[id] = true
						}
					}
				}
				assert.False(t, consumererror.IsPermanent(err), "%v", err)
				assert.NotEmpty(t, accepted)
				assert.Positive(t, p.telemetry.refused[refusedMemory].Load())

				store.FailAfter(0, nil)
				n.mu.Lock()
				n.before = nil
				n.mu.Unlock()
				time.Sleep(time.Minute)
				td := wide(g, i, 100)
				require.NoError(t, p.ConsumeTraces(t.Context(), td))
				for _, id := range spanIDs(td) {
					accepted[id] = true
				}
				stopSampler(t, p.sampler)
				requireSettled(t, p.sampler)
				for id := range accepted {
					require.True(t, n.has(id))
				}
				assert.LessOrEqual(t, store.Held(), len(p.lanes), "segments held but for the open ones")
			})
		})
	}
}
