package classfile

import (
	"runtime/metrics"
	"time"
)

// watchMemory samples how much memory the process has, and returns by how much it grew at most.
func watchMemory() (peak func() uint64) {
	stop, most := make(chan struct{}), make(chan uint64)
	before := memory()
	go func() {
		top := before
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				top = max(top, memory())
			case <-stop:
				most <- max(top, memory())
				return
			}
		}
	}()
	return func() uint64 { close(stop); return <-most - before }
}

// memory is what the runtime has from the system and has not given back.
func memory() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64() - s[1].Value.Uint64()
}
