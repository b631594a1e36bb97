package h1_test

import (
	"bytes"
	"log"
	"runtime"
	"strconv"
	"sync"
)

// exit ends the goroutine of a handler, as t.FailNow does.
func exit() { runtime.Goexit() }

// syncBuffer is a buffer that a logger may write while a test reads.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func (s *syncBuffer) logger() *log.Logger { return log.New(s, "", 0) }

func itoa(n int) string { return strconv.Itoa(n) }
