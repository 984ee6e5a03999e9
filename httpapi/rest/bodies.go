package rest

// App is the body that creates or changes an application.
type App struct {
	Name        string   `json:"name,omitempty" edn:"application/name" doc:"1 to 128 characters from A-Z a-z 0-9 _ -, and not a word that begins a path of this API. PUT may leave it out."`
	Description string   `json:"description,omitempty" edn:"application/description"`
	Classpath   []string `json:"classpath,omitempty" edn:"application/classpaths" doc:"URLs of class folders and jars on the machine of the control bus."`
}

// Submission is the body that starts or restarts an execution. The client may
// leave it out.
type Submission struct {
	Parameters map[string]string `json:"parameters,omitzero" edn:",inline" doc:"Job parameters. The bus stores a number, true or false as its text. A restart without parameters uses those of its predecessor; parameters that are sent replace all of them, and {\"parameters\":{}} means none."`
}

// NewSchedule is the body that schedules a job.
type NewSchedule struct {
	CronNotation string `json:"cron_notation" edn:"schedule/cron-notation" doc:"Quartz cron in 6 or 7 fields: second minute hour day month weekday [year]." example:"0 0 3 * * ?"`
	TimeZone     string `json:"time_zone,omitempty" edn:"schedule/time-zone" doc:"IANA name. Default: the time zone of the control bus." example:"Asia/Tokyo"`
	Calendar     string `json:"calendar,omitempty" edn:"schedule/calendar,in=calendar/name" doc:"Name of a calendar."`
	Substitution bool   `json:"substitution,omitempty" edn:"schedule/substitution?" doc:"Move a fire on a holiday to another day instead of skipping it."`
	Misfire      string `json:"misfire,omitempty" edn:"schedule/misfire,keyword" enum:"fire_once,fire_all,skip" doc:"What to do with misfires: times that passed while no control bus ran, or that were decided later than misfire_after. fire_once fires the newest of them, unless a later time fires; fire_all fires each; skip fires none. Default fire_once."`
	MisfireAfter string `json:"misfire_after,omitempty" edn:"schedule/misfire-after" doc:"A duration from 1s to 24h. A time that is decided later than this is a misfire, even if a control bus ran. Of earlier times that passed while one control bus took over from another, only the newest fires, or with fire_all each. Default 60s." example:"5m"`
}

// Diagram is the body with a diagram of a job.
type Diagram struct {
	JobBPMNXML string `json:"job_bpmn_xml" edn:"job-bpmn-xml" doc:"BPMN, as the diagram editor of the v1 console saves it."`
}

// TestExecution is the body that tries a diagram.
type TestExecution struct {
	BPMN string `json:"bpmn" edn:"bpmn" doc:"The diagram."`
}

// ImportedSchedule is the schedule of a job that is imported.
type ImportedSchedule struct {
	NewSchedule
	Active *bool `json:"active,omitempty" edn:"schedule/active?" doc:"Default true."`
}
