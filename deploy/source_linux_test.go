package deploy

import (
	"errors"
	"os"
	"syscall"
	"testing"
)

// A file that becomes a pipe after its type was checked does not block.
func TestAFileThatBecomesAPipe(t *testing.T) {
	w := newWorld(t)
	jar := w.writeFile("a.jar", batchletJar("a/A"))
	pipe := w.dir + "/pipe"
	if err := syscall.Mkfifo(pipe, 0o644); err != nil {
		t.Skip(err)
	}
	path := w.dir + "/b.jar"
	stop := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			_ = os.Link([]string{jar, pipe}[i%2], path+".new")
			_ = os.Rename(path+".new", path)
			_ = os.Remove(path + ".new") // a rename to the same file does nothing
		}
	}()
	defer func() {
		close(stop)
		<-ended
	}()
	opened, refused := 0, 0
	for range 20000 {
		f, _, err := openFile(everywhere{}, path, nil)
		switch {
		case err == nil:
			opened++
			f.Close()
		case errors.Is(err, errSpecial):
			refused++
		case !os.IsNotExist(err):
			t.Fatal(err)
		}
	}
	if opened == 0 || refused == 0 {
		t.Skipf("the file never changed: opened %d times, refused %d times", opened, refused)
	}
}
