// Package supervise runs a handful of child processes as one program: it starts them in order, waits until each is
// ready, forwards their output line by line under a prefix, and stops them in reverse order.
//
// It knows nothing about what the children do; it never restarts one. A child that ends when nobody asked it to is a
// failure of the whole group: Group.Exited is closed, Group.Err names the child, its exit status and its last words in
// one line, and the owner is expected to call Stop.
//
// Nothing is left running: each child leads a process group of its own that is killed once the leader is gone, and on
// Linux each child is also killed by the kernel when the supervisor dies, even by SIGKILL (PR_SET_PDEATHSIG). Of a
// supervisor that dies by SIGKILL the grandchildren survive: the kernel tells direct children only.
//
// Goroutines: one per running child, which forks it and waits for it, plus the one that os/exec uses to copy its
// output. All of them are gone when Stop returns. What a child writes is never buffered beyond one line of 8 KiB
// (longer ones are cut into pieces) and its last 20 lines; a slow Output slows the children down, it loses nothing.
package supervise
