package supervise_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tailgate-otel/tailgate/internal/supervise"
)

func TestStartsInOrderAndStopsInReverse(t *testing.T) {
	var out record
	g := supervise.New(supervise.Settings{Output: &out, Name: "stack"})
	stopAll(t, g)
	ready := make(chan string, 16) // every first line of a child; two children write one each
	a, b := child("a", "polite"), child("bb", "polite")
	a.OnLine = func(line string) { ready <- "a " + line }
	a.Ready = func(context.Context) error { // ready once it has said so
		if !strings.Contains(out.String(), "polite: at work") {
			return errors.New("silent so far")
		}
		return nil
	}
	b.OnLine = func(line string) { ready <- "b " + line }
	if err := g.Start(t.Context(), a, b); err != nil {
		t.Fatal(err)
	}
	if got := <-ready; got != "a polite: at work" {
		t.Errorf("first line is %q, want that of a", got)
	}
	if got := <-ready; got != "b polite: at work" {
		t.Errorf("second line is %q, want that of b", got)
	}
	if g.PID("a") == 0 || g.PID("a") == g.PID("bb") {
		t.Errorf("pids %d and %d", g.PID("a"), g.PID("bb"))
	}
	if m := g.Memory("a"); m.RSS < 1<<20 || m.Peak < m.RSS {
		t.Errorf("memory of a running child is %+v", m)
	}
	if err := g.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	if !strings.Contains(text, "a     | polite: goodbye\n") {
		t.Errorf("prefixes are not aligned or a's last line is missing:\n%s", text)
	}
	if strings.Index(text, "stopping bb") > strings.Index(text, "stopping a") {
		t.Errorf("not stopped in reverse order:\n%s", text)
	}
	exits := g.Exits()
	if len(exits) != 2 || exits[0].Name != "a" || !exits[0].Asked || exits[0].Code != 0 || exits[0].PeakRSS == 0 {
		t.Errorf("exits are %+v", exits)
	}
	if err := g.Stop(context.Background()); err != nil {
		t.Errorf("second stop: %v", err)
	}
	if err := g.Wait(t.Context()); err != nil {
		t.Errorf("wait after a proper stop: %v", err)
	}
}

func TestChildThatIgnoresSIGTERMIsKilled(t *testing.T) {
	line := newLifeline(t)
	g := supervise.New(supervise.Settings{})
	stopAll(t, g)
	c := child("collector", "stubborn", line.env())
	c.StopTimeout = 50 * time.Millisecond
	if err := g.Start(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	conn := line.accept("stubborn")
	err := g.Stop(context.Background())
	var exit *supervise.ExitError
	if !errors.As(err, &exit) || !exit.Exit.Killed || exit.Exit.Signal != syscall.SIGKILL {
		t.Fatalf("stop: %v", err)
	}
	if want := "collector did not end in time after SIGTERM and was killed"; !strings.Contains(err.Error(), want) {
		t.Errorf("error %q lacks %q", err, want)
	}
	line.ended(conn)
}

func TestStopContextCutsTheWaitShort(t *testing.T) {
	line := newLifeline(t)
	g := supervise.New(supervise.Settings{})
	stopAll(t, g)
	c := child("collector", "stubborn", line.env())
	c.StopTimeout = time.Hour
	if err := g.Start(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	conn := line.accept("stubborn")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := g.Stop(ctx); err == nil {
		t.Error("stop of a child that had to be killed returned nil")
	}
	line.ended(conn)
}

func TestChildDiesWhileStarting(t *testing.T) {
	line := newLifeline(t)
	g := supervise.New(supervise.Settings{})
	first := talking(child("collector", "polite", line.env()))
	second := child("gateway", "dies")
	second.Ready = func(context.Context) error { return errors.New("never") }
	err := g.Start(t.Context(), first, second)
	var exit *supervise.ExitError
	if !errors.As(err, &exit) {
		t.Fatalf("start: %v", err)
	}
	if exit.Exit.Code != 3 || exit.Exit.Ready {
		t.Errorf("exit is %+v", exit.Exit)
	}
	text := err.Error()
	for _, want := range []string{
		"gateway ended with exit status 3 after ", "before it was ready",
		"its last words: error: directory is locked by another process",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("error %q lacks %q", text, want)
		}
	}
	if strings.Contains(text, "\n") {
		t.Errorf("error is more than one line: %q", text)
	}
	line.ended(line.accept("polite")) // the child that had come up is gone too
}

func TestChildDiesAtWork(t *testing.T) {
	addr := freeAddr(t)
	g := supervise.New(supervise.Settings{})
	stopAll(t, g)
	c := child("gateway", "dies on request", addrEnv+"="+addr)
	c.ReadyURL = "http://" + addr + "/"
	if err := g.Start(t.Context(), child("collector", "polite"), c); err != nil {
		t.Fatal(err)
	}
	if err := g.Err(); err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	if resp, err := client.Get("http://" + addr + "/die"); err == nil {
		_ = resp.Body.Close()
		t.Fatal("the child answered instead of dying")
	}
	<-g.Exited()
	err := g.Wait(t.Context())
	if err == nil || !strings.Contains(err.Error(), "gateway ended with exit status 2") || !strings.Contains(err.Error(), "; it crashed: panic: asked to") {
		t.Errorf("wait: %v", err)
	}
	if !errors.Is(err, g.Err()) {
		t.Errorf("Wait says %v, Err says %v", err, g.Err())
	}
	if err := g.Stop(context.Background()); err != nil {
		t.Errorf("stop of the rest: %v", err)
	}
}

func TestChildThatMayExit(t *testing.T) {
	var out record
	g := supervise.New(supervise.Settings{Output: &out})
	stopAll(t, g)
	c := child("load", "finishes")
	c.MayExit = true
	if err := g.Start(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if err := g.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := "load | a line without an end\n"; out.String() != want {
		t.Errorf("output %q, want %q", out.String(), want)
	}
	if err := g.Start(t.Context(), c); err != nil { // the name of one that has ended is free again
		t.Errorf("start again: %v", err)
	}
	if err := g.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestEndingWithoutLeaveIsAFailureEvenWithStatus0(t *testing.T) {
	g := supervise.New(supervise.Settings{})
	stopAll(t, g)
	if err := g.Start(t.Context(), child("load", "finishes")); err == nil {
		err = g.Wait(t.Context())
		if err == nil {
			t.Fatal("a server that ended was taken for a success")
		}
	}
}

func TestFailureToStopIsReported(t *testing.T) {
	line := newLifeline(t)
	g := supervise.New(supervise.Settings{})
	stopAll(t, g)
	if err := g.Start(t.Context(), child("collector", "fails to stop", line.env())); err != nil {
		t.Fatal(err)
	}
	line.accept("fails to stop")
	err := g.Stop(context.Background())
	if err == nil || !strings.Contains(err.Error(), "collector ended with exit status 4 when asked to stop; its last words: flush: disk full") {
		t.Errorf("stop: %v", err)
	}
}

func TestNotReadyInTime(t *testing.T) {
	g := supervise.New(supervise.Settings{})
	c := child("gateway", "polite")
	c.ReadyURL = "http://" + freeAddr(t) + "/ready"
	c.ReadyTimeout = 200 * time.Millisecond
	err := g.Start(t.Context(), c)
	if err == nil || !strings.Contains(err.Error(), "gateway is not ready after 200ms: not reachable yet") {
		t.Errorf("start: %v", err)
	}
}

func TestStartIsCancelled(t *testing.T) {
	line := newLifeline(t)
	g := supervise.New(supervise.Settings{})
	ctx, cancel := context.WithCancel(context.Background())
	c := child("gateway", "polite", line.env())
	c.OnLine = func(string) { cancel() }
	c.Ready = func(context.Context) error { return errors.New("not yet") }
	if err := g.Start(ctx, c); !errors.Is(err, context.Canceled) {
		t.Errorf("start: %v", err)
	}
	line.ended(line.accept("polite"))
}

func TestGrandchildrenDoNotSurvive(t *testing.T) {
	line := newLifeline(t)
	g := supervise.New(supervise.Settings{})
	stopAll(t, g)
	if err := g.Start(t.Context(), child("shell", "parent", line.env())); err != nil {
		t.Fatal(err)
	}
	parent := line.accept("parent")
	grandchild := line.accept("stubborn")
	if err := g.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	line.ended(parent)
	line.ended(grandchild)
}

func TestKilledSupervisorLeavesNothing(t *testing.T) {
	line := newLifeline(t)
	supervisor := exec.Command(os.Args[0])
	supervisor.Env = append(os.Environ(), roleEnv+"=supervisor", line.env())
	if err := supervisor.Start(); err != nil {
		t.Fatal(err)
	}
	first := line.accept("supervisor")
	orphan := line.accept("stubborn")
	if err := supervisor.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := supervisor.Wait(); err == nil {
		t.Error("the supervisor ended by itself")
	}
	line.ended(first)
	line.ended(orphan)
}
