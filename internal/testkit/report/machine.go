package report

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// Machine describes what the program runs on: processor, cores, memory, kernel, Go version.
func Machine() string {
	return fmt.Sprintf("%s, %d cores, %.0f GiB of memory, %s %s, %s",
		field("/proc/cpuinfo", "model name"), runtime.NumCPU(), float64(Memory())/(1<<30), runtime.GOOS, kernel(), runtime.Version())
}

// Load is the load average of the last minute, from the kernel: what else ran on the machine.
func Load() string {
	raw, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	load, _, _ := strings.Cut(string(raw), " ")
	return load
}

func kernel() string {
	raw, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "of unknown release"
	}
	release, _, _ := strings.Cut(strings.TrimSpace(string(raw)), "-") // what follows names a build
	return release
}

// Memory is the memory of the machine in bytes, 0 if unknown.
func Memory() int64 {
	var kib int64
	if _, err := fmt.Sscanf(field("/proc/meminfo", "MemTotal"), "%d kB", &kib); err != nil {
		return 0
	}
	return kib << 10
}

// field returns what follows "name :" in a file of /proc.
func field(path, name string) string {
	raw, err := os.ReadFile(path)
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(raw)) {
		key, value, found := strings.Cut(line, ":")
		if found && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}
