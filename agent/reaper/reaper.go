// Package reaper lets a program be process 1 of a container.
//
// A process whose parent has ended becomes a child of process 1. When it ends,
// it stays as a zombie until process 1 waits for it. A program that uses
// package os/exec cannot wait for all its children: it would also consume the
// exit statuses that exec.Cmd.Wait waits for. Process 1 therefore only reaps,
// and the program runs as its child:
//
//	func main() {
//		reaper.Main()
//		...
//	}
package reaper
