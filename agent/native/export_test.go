package native

// StartTime is how a process is noted.
func StartTime(pid int) string { return startTime(pid) }
