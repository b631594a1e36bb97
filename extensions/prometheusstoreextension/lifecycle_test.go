package prometheusstoreextension_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	promlabels "github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tailgate-otel/tailgate/internal/promstore"
)

func TestShutdownWithoutStartAndTwice(t *testing.T) {
	i := newInstance(t, t.TempDir(), nil)
	i.stop()
	require.NoError(t, i.extension.Start(t.Context(), host{}))
	i.stop()
	i.stop()
}

func TestStartTwiceIsRefused(t *testing.T) {
	i := started(t, t.TempDir(), nil)
	assert.EqualError(t, i.extension.Start(t.Context(), host{}), "already started")
}

func TestWritersAreToldThatTheStoreIsNotOpen(t *testing.T) {
	i := newInstance(t, t.TempDir(), nil)
	refused := func(when string) {
		app := i.store().AppenderV2(t.Context())
		_, err := app.Append(0, promlabels.FromStrings("__name__", "a"), 0, now().UnixMilli(), 1, nil, nil, storage.AppendV2Options{})
		require.ErrorIs(t, err, promstore.ErrNotOpen, when)
		require.ErrorIs(t, app.Commit(), promstore.ErrNotOpen, when)
		require.NoError(t, app.Rollback(), when)
	}
	refused("before Start")
	require.NoError(t, i.extension.Start(t.Context(), host{}))
	i.write("a", now(), 1)
	i.stop()
	refused("after Shutdown")
}

func TestDataSurvivesARestart(t *testing.T) {
	dir, at := t.TempDir(), now()
	first := started(t, dir, nil)
	first.write("requests_total", at, 7)
	first.stop()

	second := started(t, dir, nil)
	assert.JSONEq(t, `["requests_total"]`, data(t, second.get("/api/v1/label/__name__/values")))
	second.write("requests_total", at.Add(time.Millisecond), 8)
	assert.Equal(t, "8", second.value("requests_total", at.Add(time.Millisecond)))
	assert.Equal(t, "7", second.value("requests_total", at))
}

// What was committed is on disk although the process never closed the database: another store opens a copy of the
// directory that is taken while the first still runs.
func TestDataSurvivesAnUncleanStop(t *testing.T) {
	at := now()
	running := started(t, t.TempDir(), nil)
	dir := copyOf(t, running, at)

	recovered := started(t, dir, nil)
	assert.Equal(t, "41", recovered.value("requests_total", at))
	assert.Equal(t, "100", recovered.value("count_over_time(requests_total[10m])", at))
}

func copyOf(t *testing.T, running *instance, at time.Time) string {
	t.Helper()
	for n := range 100 {
		running.write("requests_total", at.Add(time.Duration(n-99)*time.Second), map[bool]float64{true: 41, false: 1}[n == 99])
	}
	dir := filepath.Join(t.TempDir(), "copy")
	require.NoError(t, os.CopyFS(dir, os.DirFS(running.directory())))
	return dir
}

func TestOneProcessPerDirectory(t *testing.T) {
	dir := t.TempDir()
	started(t, dir, nil)
	second := newInstance(t, dir, nil)
	err := second.extension.Start(t.Context(), host{})
	require.Error(t, err)
	assert.Contains(t, err.Error(), "directory: "+dir+" is in use by another process")
	assert.Contains(t, err.Error(), "stop that one, or give this one a directory of its own")
}

func TestPortInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	dir := filepath.Join(t.TempDir(), "data")
	ext := create(t, settings{"directory": dir, "http": map[string]any{"endpoint": taken.Addr().String()}})
	err = ext.Start(t.Context(), host{})
	require.Error(t, err)
	assert.Contains(t, err.Error(), "http::endpoint: "+taken.Addr().String()+" is in use by another process")
	assert.NoDirExists(t, dir, "nothing is opened when the port is taken")
	require.NoError(t, ext.Shutdown(context.Background()))
}

func TestDirectoryThatCannotBeMade(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	i := newInstance(t, filepath.Join(file, "data"), nil)
	err := i.extension.Start(t.Context(), host{})
	require.Error(t, err)
	assert.Contains(t, err.Error(), "directory: open database in "+filepath.Join(file, "data"))
}

// The database must not close under a writer: Shutdown waits for the commit.
func TestShutdownWaitsForOpenBatches(t *testing.T) {
	dir, at := t.TempDir(), now()
	i := started(t, dir, nil)
	app := i.store().AppenderV2(t.Context())
	_, err := app.Append(0, promlabels.FromStrings("__name__", "a"), 0, at.UnixMilli(), 5, nil, nil, storage.AppendV2Options{})
	require.NoError(t, err)

	stopped := make(chan error, 1)
	go func() { stopped <- i.extension.Shutdown(context.Background()) }()
	require.Eventually(t, func() bool { // Shutdown has begun when no new batch is let in
		probe := i.store().AppenderV2(t.Context())
		_, err := probe.Append(0, promlabels.EmptyLabels(), 0, at.UnixMilli(), 0, nil, nil, storage.AppendV2Options{})
		return assert.NoError(t, probe.Rollback()) && err == promstore.ErrNotOpen //nolint:errorlint // the very value
	}, 5*time.Second, time.Millisecond)
	require.Empty(t, stopped, "Shutdown returned under an open batch")
	require.NoError(t, app.Commit())
	require.NoError(t, <-stopped)

	again := started(t, dir, nil)
	assert.Equal(t, "5", again.value("a", at))
}

// A batch that is never ended must not hang the collector: the database stays open and Shutdown says so.
func TestShutdownGivesUpOnAForgottenBatch(t *testing.T) {
	i := newInstance(t, t.TempDir(), nil)
	require.NoError(t, i.extension.Start(t.Context(), host{}))
	app := i.store().AppenderV2(t.Context())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.EqualError(t, i.extension.Shutdown(ctx), "database is left open: requests or batches are still in progress")
	require.NoError(t, app.Rollback())
	require.NoError(t, i.extension.Shutdown(t.Context()), "another call closes it")
}

// A request that does not end is cut off when the drain time is over, and the database closes after it has gone.
func TestShutdownCutsOffSlowRequests(t *testing.T) {
	dir, at := t.TempDir(), now()
	i := started(t, dir, nil)
	i.write("a", at, 5)

	inHandler := make(chan struct{})
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		Got100Continue: func() { close(inHandler) }, // the server says so when the handler reads the body
	})
	body, neverEnding := io.Pipe()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://store/api/v1/query", body)
	require.NoError(t, err)
	r.Header.Set("Expect", "100-continue")
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	ended := make(chan error, 1)
	go func() {
		resp, err := i.client.Do(r)
		if err == nil {
			err = resp.Body.Close()
		}
		ended <- err
	}()
	<-inHandler

	expired, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, i.extension.Shutdown(expired), "the handler has left, or the gate would complain")
	require.NoError(t, neverEnding.CloseWithError(io.ErrUnexpectedEOF)) // the client's transport waits for its body
	require.Error(t, <-ended)

	again := started(t, dir, nil)
	assert.Equal(t, "5", again.value("a", at))
}

func TestHealthAndReadiness(t *testing.T) {
	i := started(t, t.TempDir(), nil)
	for _, path := range []string{"/-/healthy", "/-/ready"} {
		got := i.get(path)
		assert.Equal(t, http.StatusOK, got.status, path)
		assert.True(t, strings.HasPrefix(got.body, "Tailgate's Prometheus store is "), got.body)
	}
}
