package embedded

// RestartServer restarts the server as [Server.Watch] does.
func RestartServer(s *Server) error {
	disk, err := readDiskSpace(s.cfg.Dir)
	if err != nil {
		return err
	}
	return s.restartServer(disk)
}
