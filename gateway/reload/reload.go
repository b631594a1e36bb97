// Package reload follows the configuration file: it reads, checks and hands on each change, and keeps what was in force
// when a change is no good.
//
// The directory is watched, not the file, because editors and Kubernetes replace files: a ConfigMap is a chain of
// symlinks of which one in the middle is swapped. Changes are taken up once the directory has been quiet for the
// debounce time. Run is the only goroutine; the fsnotify watcher adds one that Run joins. Events that come while a file
// is being applied are merged, so there is nothing that could grow.
package reload

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/tailgate-otel/tailgate/gateway/config"
	"github.com/tailgate-otel/tailgate/telemetry"
)

// debounce is how long the directory has to be quiet. Long enough for an editor that truncates and writes; short enough
// to look immediate.
const debounce = 50 * time.Millisecond

// Settings are what a reloader needs.
type Settings struct {
	File string
	// Apply puts a valid configuration in force, or returns why it cannot. It is never called concurrently.
	Apply func(*config.Config) error
	// Done is told of each attempt after the first, with an outcome of telemetry.ReloadApplied and so on.
	Done func(outcome string, err error)
	Now  func() time.Time
}

// Status is what is known of the configuration.
type Status struct {
	File      string
	Version   string // of the content in force: the first 12 hex digits of its SHA-256
	AppliedAt time.Time
	LastError error // why the content on disk is not in force; nil when it is
	LastTry   time.Time
}

// Reloader follows one file.
type Reloader struct {
	s       Settings
	trigger chan struct{} // capacity 1: a request to reload that waits covers those that come after it

	mu     sync.Mutex // guards status
	status Status
}

// New reads the file for the first time; here an error means that there is nothing to run with.
func New(s Settings) (*Reloader, error) {
	r := &Reloader{s: s, trigger: make(chan struct{}, 1), status: Status{File: s.File}}
	if _, err := r.load(); err != nil {
		return nil, err
	}
	return r, nil
}

// Status returns the current state.
func (r *Reloader) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status
}

// Trigger asks Run to read the file now, whether or not it changed.
func (r *Reloader) Trigger() {
	select {
	case r.trigger <- struct{}{}:
	default:
	}
}

// Run follows the file until ctx ends.
func (r *Reloader) Run(ctx context.Context) error {
	w, err := newWatch(r.s.File)
	if err != nil {
		return err
	}
	defer w.close()
	if outcome, err := r.load(); outcome != telemetry.ReloadUnchanged { // it changed between New and the watch
		r.s.Done(outcome, err)
	}
	timer := time.NewTimer(0)
	<-timer.C
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.trigger:
			r.reload()
		case ev := <-w.events():
			if w.concerns(ev) {
				timer.Reset(debounce)
			}
		case err := <-w.errors():
			r.s.Done(telemetry.ReloadRefused, fmt.Errorf("watch %s: %w", r.s.File, err))
			timer.Reset(debounce) // events may be lost: look for ourselves
		case <-timer.C:
			w.follow()
			r.reload()
		}
	}
}

// reload reads the file and says what came of it.
func (r *Reloader) reload() { r.s.Done(r.load()) }

// load returns the outcome.
func (r *Reloader) load() (string, error) {
	before := r.Status()
	data, err := config.Read(r.s.File)
	version := ""
	if err == nil {
		sum := sha256.Sum256(data)
		version = hex.EncodeToString(sum[:])[:12]
		if version == before.Version {
			r.set(func(s *Status) { s.LastError, s.LastTry = nil, r.s.Now() })
			return telemetry.ReloadUnchanged, nil
		}
	}
	if err == nil {
		err = r.apply(data)
	}
	if err != nil {
		r.set(func(s *Status) { s.LastError, s.LastTry = err, r.s.Now() })
		return telemetry.ReloadRefused, err
	}
	r.set(func(s *Status) { s.Version, s.AppliedAt, s.LastError, s.LastTry = version, r.s.Now(), nil, r.s.Now() })
	return telemetry.ReloadApplied, nil
}

func (r *Reloader) apply(data []byte) error {
	c, err := config.Parse(r.s.File, data)
	if err != nil {
		return err
	}
	return r.s.Apply(c)
}

func (r *Reloader) set(change func(*Status)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.status)
}

// watch is the directories whose changes may change the file.
type watch struct {
	file    string // as configured
	target  string // where its symlinks lead
	watcher *fsnotify.Watcher
}

func newWatch(file string) (*watch, error) {
	fs, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", file, err)
	}
	w := &watch{file: filepath.Clean(file), watcher: fs}
	if err := fs.Add(filepath.Dir(w.file)); err != nil {
		w.close()
		return nil, fmt.Errorf("watch the directory of %s: %w", file, err)
	}
	w.follow()
	return w, nil
}

func (w *watch) events() <-chan fsnotify.Event { return w.watcher.Events }
func (w *watch) errors() <-chan error          { return w.watcher.Errors }
func (w *watch) close()                        { _ = w.watcher.Close() }

// follow looks where the file's symlinks lead now and watches that directory too.
func (w *watch) follow() {
	target, err := filepath.EvalSymlinks(w.file)
	if err != nil || target == w.target {
		return
	}
	own, old, next := filepath.Dir(w.file), filepath.Dir(w.target), filepath.Dir(target)
	if w.target != "" && old != own && old != next {
		_ = w.watcher.Remove(old) // gone already when Kubernetes removed it
	}
	if next != own && next != old {
		_ = w.watcher.Add(next) // best effort: the swap of a symlink is seen in our own directory
	}
	w.target = target
}

// concerns says whether the event may have changed the file: it names the file, or what the file's symlinks lead to, or
// these lead elsewhere since.
func (w *watch) concerns(ev fsnotify.Event) bool {
	if ev.Op == fsnotify.Chmod {
		return false
	}
	name := filepath.Clean(ev.Name)
	if name == w.file || name == w.target {
		return true
	}
	target, err := filepath.EvalSymlinks(w.file)
	return err == nil && target != w.target
}
