package segstore_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tailgate-otel/tailgate/internal/segstore"
)

// Some tests need a process of their own, to be killed or to mount something. It is this program, told by its
// environment which part to play and where.
const (
	partVar = "SEGSTORE_TEST_PART"
	dirVar  = "SEGSTORE_TEST_DIR"
)

var parts = map[string]func(dir string) error{
	"write":    writeAndWait,
	"churn":    churn,
	"diskfull": diskFull,
	"readonly": readOnly,
	"noblocks": noBlocks,
}

func TestMain(m *testing.M) {
	if part := os.Getenv(partVar); part != "" {
		if err := parts[part](os.Getenv(dirVar)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func child(t *testing.T, part, dir string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), partVar+"="+part, dirVar+"="+dir)
	cmd.Stderr = t.Output()
	return cmd
}

// pattern is what byte i of a segment of the child holds; never zero.
func pattern(shard int, seq uint64, i int) byte { return byte(shard*31+int(seq)*7+i%251) | 1 }

func fill(mem []byte, shard int, seq uint64) {
	for i := range mem {
		mem[i] = pattern(shard, seq, i)
	}
}

const childSegment = 64 << 10

// writeAndWait fills six segments, says so, and waits to be killed.
func writeAndWait(dir string) error {
	d, _, err := segstore.OpenDir(dir, 1<<30)
	if err != nil {
		return err
	}
	for shard := range 2 {
		for seq := range uint64(3) {
			mem, err := d.Alloc(shard, seq, childSegment)
			if err != nil {
				return err
			}
			fill(mem, shard, seq)
		}
	}
	fmt.Println("written")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// What was written is there after kill -9, to the last byte.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	lines, kill := startChild(t, "write", dir)
	if !lines.Scan() {
		t.Fatal("the child ended early")
	}
	if _, _, err := segstore.OpenDir(dir, 1<<30); err == nil {
		t.Error("the directory can be opened while another process has it")
	}
	kill()
	d, found := open(t, dir, 1<<30)
	defer d.Close()
	if len(found) != 6 {
		t.Fatalf("found %d segments, want 6", len(found))
	}
	for _, x := range found {
		if x.Err != nil || len(x.Mem) != childSegment {
			t.Fatalf("%d-%d: %d bytes, error %v", x.Shard, x.Seq, len(x.Mem), x.Err)
		}
		for i, b := range x.Mem {
			if b != pattern(x.Shard, x.Seq, i) {
				t.Fatalf("%d-%d: byte %d is %d, want %d", x.Shard, x.Seq, i, b, pattern(x.Shard, x.Seq, i))
			}
		}
	}
}

// churn frees what it finds, then allocates, fills and frees as fast as it can, with three segments at a time.
func churn(dir string) error {
	d, found, err := segstore.OpenDir(dir, 4*childSegment)
	if err != nil {
		return err
	}
	for _, x := range found {
		d.Free(x.Shard, x.Seq, x.Mem)
	}
	for seq := uint64(1); ; seq++ {
		mem, err := d.Alloc(0, seq, childSegment)
		if err != nil {
			return err
		}
		fill(mem, 0, seq)
		if seq > 3 {
			d.Free(0, seq-3, nil)
		}
		fmt.Println(seq)
	}
}

// Killed at any moment, a process leaves whole segments only: what it wrote and behind that zeros.
func TestKillAtAnyMoment(t *testing.T) {
	dir := t.TempDir()
	for round := range 8 {
		lines, kill := startChild(t, "churn", dir)
		for range 20 + 3*round {
			if !lines.Scan() {
				t.Fatal("the child ended early")
			}
		}
		kill()
		d, found := open(t, dir, 4*childSegment)
		if len(found) < 3 || len(found) > 4 || d.Bad() != 0 {
			t.Errorf("found %d segments and %d bad ones, want 3 or 4 and none", len(found), d.Bad())
		}
		for _, x := range found {
			written := 0
			for written < len(x.Mem) && x.Mem[written] == pattern(x.Shard, x.Seq, written) {
				written++
			}
			for i := written; i < len(x.Mem); i++ {
				if x.Mem[i] != 0 {
					t.Fatalf("%d-%d: byte %d of %d is neither written nor zero", x.Shard, x.Seq, i, len(x.Mem))
				}
			}
		}
		for _, name := range names(t, dir) {
			if strings.HasSuffix(name, ".tmp") {
				t.Errorf("%s is still there", name)
			}
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func startChild(t *testing.T, part, dir string) (lines *bufio.Scanner, kill func()) {
	t.Helper()
	cmd := child(t, part, dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return bufio.NewScanner(out), func() {
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		var exit *exec.ExitError
		if err := cmd.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Errorf("the child was not killed: %v", err)
		}
	}
}

// The rest mount file systems, in a name space of their own that goes with the child.
func TestOnOtherFileSystems(t *testing.T) {
	for _, part := range []string{"diskfull", "readonly", "noblocks"} {
		t.Run(part, func(t *testing.T) {
			cmd := child(t, part, t.TempDir())
			cmd.SysProcAttr = &syscall.SysProcAttr{
				Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
				UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
				GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
			}
			err := cmd.Run()
			if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EINVAL) {
				t.Skipf("this system does not let users make name spaces: %v", err)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// diskFull fills a disk of 1 MiB: an error of Alloc, and every byte of every segment can be written.
func diskFull(dir string) error {
	const size = 256 << 10
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		return err
	}
	d, _, err := segstore.OpenDir(dir, 1<<30)
	if err != nil {
		return err
	}
	seq := uint64(0)
	for ; ; seq++ {
		mem, err := d.Alloc(0, seq, size)
		if err != nil {
			if !errors.Is(err, segstore.ErrFull) || !errors.Is(err, unix.ENOSPC) || !strings.Contains(err.Error(), dir) {
				return fmt.Errorf("full disk: %w", err)
			}
			break
		}
		fill(mem, 0, seq)
	}
	if seq < 3 || d.Used() != int64(seq)*size {
		return fmt.Errorf("%d segments fitted, %d bytes are used", seq, d.Used())
	}
	d.Free(0, 0, nil)
	mem, err := d.Alloc(0, seq, size)
	if err != nil {
		return fmt.Errorf("after one was freed: %w", err)
	}
	fill(mem, 0, seq)
	return d.Close()
}

// readOnly opens a directory on a read-only disk: an error at once, which says where.
func readOnly(dir string) error {
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "LOCK"), nil, 0o600); err != nil {
		return err
	}
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		return err
	}
	_, _, err := segstore.OpenDir(dir, 1<<30)
	if err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "make it writable") {
		return fmt.Errorf("read-only directory: %w", err)
	}
	return nil
}

// noBlocks uses a file system that cannot reserve blocks.
func noBlocks(dir string) error {
	if err := unix.Mount("ramfs", dir, "ramfs", 0, ""); err != nil {
		return err
	}
	d, _, err := segstore.OpenDir(dir, 1<<30)
	if err != nil {
		return err
	}
	const size = 3<<20 + 5
	mem, err := d.Alloc(1, 2, size)
	if err != nil {
		return err
	}
	fill(mem, 1, 2)
	if err := d.Close(); err != nil {
		return err
	}
	d, found, err := segstore.OpenDir(dir, 1<<30)
	if err != nil {
		return err
	}
	if len(found) != 1 || len(found[0].Mem) < size || found[0].Mem[size-1] != pattern(1, 2, size-1) {
		return fmt.Errorf("found %d segments, or not what was written", len(found))
	}
	return d.Close()
}
