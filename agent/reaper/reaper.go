// Package reaper lets a program be process 1 of a container.
//
// A process whose parent ends becomes a child of process 1, which has to wait
// for it, or it stays as a zombie. A program cannot do that beside package
// os/exec: whoever waits for all children also takes the status that
// exec.Cmd.Wait is waiting for. So process 1 does nothing else, and the program
// runs as its child:
//
//	func main() {
//		reaper.Main()
//		...
//	}
package reaper
