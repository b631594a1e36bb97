package faults

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// life is one child, from its start to its death.
type life struct {
	t       *testing.T
	cmd     *exec.Cmd
	in      io.WriteCloser
	acks    chan uint32 // closed when the child has closed its output
	damaged uint32
}

func startLife(t *testing.T, config, delivered string) *life {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), partVar+"=serve", configVar+"="+config, deliveredVar+"="+delivered)
	cmd.Stderr = t.Output()
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	l := &life{t: t, cmd: cmd, in: in, acks: make(chan uint32, 1<<16)}
	answers := bufio.NewReader(out)
	l.damaged, err = readNumber(answers)
	require.NoError(t, err, "the child did not start")
	go func() {
		defer close(l.acks)
		for {
			n, err := readNumber(answers)
			if err != nil {
				return
			}
			l.acks <- n
		}
	}()
	return l
}

func readNumber(r io.Reader) (uint32, error) {
	var b [4]byte
	_, err := io.ReadFull(r, b[:])
	return binary.BigEndian.Uint32(b[:]), err
}

// flood sends requests as fast as they are taken, until the child is killed.
func (l *life) flood(f *flood, killAfter time.Duration) {
	l.t.Helper()
	time.AfterFunc(killAfter, func() { _ = l.cmd.Process.Kill() })
	for {
		number, body, err := f.next()
		require.NoError(l.t, err)
		frame := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
		frame = append(binary.BigEndian.AppendUint32(frame, number), body...)
		if _, err := l.in.Write(frame); err != nil {
			break
		}
		for more := true; more; {
			select {
			case n, open := <-l.acks:
				if more = open; open {
					f.ack(n)
				}
			default:
				more = false
			}
		}
	}
	for n := range l.acks { // what the child said before it died
		f.ack(n)
	}
	var exit *exec.ExitError
	err := l.cmd.Wait()
	require.True(l.t, errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL, "the child was not killed: %v", err)
}

// end lets the child shut down.
func (l *life) end() {
	l.t.Helper()
	require.NoError(l.t, l.in.Close())
	for range l.acks {
	}
	require.NoError(l.t, l.cmd.Wait())
}

// deliveries reads the files of all lives.
func deliveries(t *testing.T, dir string) map[uint64]int {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "delivered-*"))
	require.NoError(t, err)
	got := map[uint64]int{}
	for _, name := range files {
		b, err := os.ReadFile(name)
		require.NoError(t, err)
		for ; len(b) >= 8; b = b[8:] {
			got[binary.BigEndian.Uint64(b)]++
		}
	}
	return got
}

const killBatch = 256

// killConfig waits a short time, so that at any moment traces are open, kept and on their way, dropped, and late.
const killConfig = `
decision_wait: 300ms
max_buffer: 512MiB
rescue_buffer: 256MiB
rescue_late_spans: true
storage: {directory: %q}
delivery: {batch_spans: 256}
policies: %s
`

// killRounds floods and kills, then lets the last life settle until done says so, and returns what was delivered.
func killRounds(t *testing.T, f *flood, policies string, done func(got map[uint64]int) bool) (got map[uint64]int, rounds int) {
	dir := t.TempDir()
	config := fmt.Sprintf(killConfig, filepath.Join(dir, "buffer"), policies)
	rounds = 6
	if testing.Short() {
		rounds = 2
	}
	for round := range rounds {
		l := startLife(t, config, filepath.Join(dir, fmt.Sprintf("delivered-%d", round)))
		assert.Zero(t, l.damaged, "damaged segments after round %d", round)
		l.flood(f, 200*time.Millisecond+time.Duration(f.random.Int64N(int64(900*time.Millisecond))))
	}
	l := startLife(t, config, filepath.Join(dir, "delivered-last"))
	assert.Zero(t, l.damaged, "damaged segments after the last round")
	deadline := time.Now().Add(20 * time.Second)
	for got = deliveries(t, dir); !done(got) && time.Now().Before(deadline); got = deliveries(t, dir) {
		time.Sleep(100 * time.Millisecond) // for the child: it runs in its own time
	}
	time.Sleep(time.Second) // more than decision_wait: what is to come though it should not has come by then
	l.end()
	return deliveries(t, dir), rounds
}

func countTwice(got map[uint64]int) (twice int) {
	for _, n := range got {
		twice += n - 1
	}
	return twice
}

// Killed again and again at full load, the processor loses no span that it has acknowledged. A kill between the moment
// that a batch is accepted and the note of it makes the batch leave twice: one batch for each of the 8 lanes.
func TestKillLosesNothing(t *testing.T) {
	f := newFlood(uint64(time.Now().UnixNano()), 0)
	missing := func(got map[uint64]int) (n int) {
		for _, spec := range f.acked {
			if got[spec.number] == 0 {
				n++
			}
		}
		return n
	}
	got, rounds := killRounds(t, f, `[{name: all, type: always_sample}]`, func(got map[uint64]int) bool { return missing(got) == 0 })
	t.Logf("%d kills: %d spans acknowledged, %d delivered, %d of them twice", rounds, len(f.acked), len(got), countTwice(got))
	assert.Positive(t, len(f.acked))
	assert.Zero(t, missing(got), "spans that were acknowledged and never delivered")
	assert.LessOrEqual(t, countTwice(got), rounds*8*killBatch)
}

// Across kills, what is to be kept is kept, whole, and nothing else is: whether the error came before or after a kill,
// or late.
func TestKillKeepsExactlyWhatIsToBeKept(t *testing.T) {
	f := newFlood(uint64(time.Now().UnixNano()), 0.05)
	mustKeep := func() map[int]bool {
		must := map[int]bool{}
		for _, spec := range f.acked {
			if spec.err {
				must[spec.trace] = true
			}
		}
		return must
	}
	missing := func(got map[uint64]int) (n int) {
		must := mustKeep()
		for _, spec := range f.acked {
			if must[spec.trace] && got[spec.number] == 0 {
				n++
			}
		}
		return n
	}
	got, rounds := killRounds(t, f, `[{name: errors, type: status_code, status_code: {status_codes: [ERROR]}}]`,
		func(got map[uint64]int) bool { return missing(got) == 0 })
	wrong := 0
	for _, spec := range f.acked {
		if !f.tried[spec.trace] && got[spec.number] > 0 {
			wrong++
		}
	}
	t.Logf("%d kills: %d traces, %d with errors; %d spans acknowledged, %d delivered, %d of them twice", rounds, f.traces,
		len(mustKeep()), len(f.acked), len(got), countTwice(got))
	assert.Positive(t, len(mustKeep()))
	assert.Zero(t, missing(got), "spans of traces with errors that were acknowledged and never delivered")
	assert.Zero(t, wrong, "spans delivered of traces without errors")
}
