package stack

import (
	"fmt"
	"io"
	"strings"
	"sync"
)

// Screen keeps a block of lines below log lines that scroll past. Where the output is no terminal, or the block is
// empty, it is a plain writer.
type Screen struct {
	mu    sync.Mutex // guards the fields below and is held during writes, so that block and lines never mix
	w     io.Writer
	block []string
}

// NewScreen returns a screen without a block.
func NewScreen(w io.Writer) *Screen { return &Screen{w: w} }

// Write prints whole lines above the block.
func (s *Screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.block) == 0 {
		return s.w.Write(p)
	}
	if _, err := io.WriteString(s.w, s.erase()+string(p)+s.draw()); err != nil {
		return 0, err
	}
	return len(p), nil
}

// SetBlock replaces the block; an empty one takes it away.
func (s *Screen) SetBlock(lines []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := s.erase()
	s.block = lines
	// A terminal that is gone must not stop the run.
	_, _ = io.WriteString(s.w, text+s.draw())
}

// erase moves to the first line of the block and clears from there (ECMA-48: CR, CUU, ED). The cursor stands on the line
// below the block, at its beginning unless the terminal has echoed a ^C.
func (s *Screen) erase() string {
	if len(s.block) == 0 {
		return ""
	}
	return fmt.Sprintf("\r\x1b[%dA\x1b[J", len(s.block))
}

func (s *Screen) draw() string {
	if len(s.block) == 0 {
		return ""
	}
	return strings.Join(s.block, "\n") + "\n"
}
