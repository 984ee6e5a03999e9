package rest

// App is the body that creates or changes an application.
type App struct {
	Name        string   `json:"name,omitempty" edn:"application/name" doc:"1 to 128 characters from A-Z a-z 0-9 _ -, and not the first segment of another path of this API. Optional in PUT."`
	Description string   `json:"description,omitempty" edn:"application/description"`
	Classpath   []string `json:"classpath,omitempty" edn:"application/classpaths" doc:"URLs of class folders and jars on the machine of the control bus."`
}

// NewLimit is the body that creates or changes a limit.
type NewLimit struct {
	Capacity int `json:"capacity" edn:"limit/capacity" doc:"How many units executions may hold at a time, from 1 to 1,000,000. Executions keep what they hold when it is lowered."`
}

// NewSecret is the body that sets a secret of an application.
type NewSecret struct {
	Value string `json:"value" edn:"secret/value" format:"password" doc:"1 to 32,768 bytes of UTF-8 without NUL. No answer shows it."`
}

// Submission is the body that starts or restarts an execution. The client may
// leave it out.
type Submission struct {
	Parameters map[string]string `json:"parameters,omitzero" edn:",inline" doc:"Job parameters. The bus stores numbers, true and false as text. A restart without parameters uses those of the execution that it restarts; a restart with parameters uses only these, and {\"parameters\":{}} means none."`
}

// NewSchedule is the body that schedules a job.
type NewSchedule struct {
	CronNotation string `json:"cron_notation,omitempty" edn:"schedule/cron-notation" doc:"Quartz cron in 6 or 7 fields: second minute hour day month weekday [year]. Or @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually. Or @every and a duration, such as @every 90s: the nominal times are whole multiples of it after start, or after 1970-01-01T00:00:00Z if there is no start. Required without at." example:"0 0 3 * * ?"`
	At           string `json:"at,omitempty" edn:"schedule/at" doc:"The only nominal time, in place of cron_notation: a time in the time zone, or with an offset. With business_days: the clock time of the fire, from 00:00 (the default) to 47:59; hours from 24 on are on the following date." example:"2026-12-31T23:00"`
	BusinessDays []int  `json:"business_days,omitempty" edn:"schedule/business-days" doc:"In place of cron_notation. Without of: business days of each month, from 1 from its start and from -1 from its end. With of: business days after that date, or before it if negative. Without a calendar, Saturdays and Sundays are no business days." example:"[1,-1]"`
	Of           string `json:"of,omitempty" edn:"schedule/of" doc:"Only with business_days: the dates from which they are counted: 15 (of each month), last, 12-24 (of each year), easter, easter-2, easter+39, or a date." example:"last"`
	Months       []int  `json:"months,omitempty" edn:"schedule/months" doc:"Only with business_days: the months from 1 to 12 that count. Default: all."`
	TimeZone     string `json:"time_zone,omitempty" edn:"schedule/time-zone" doc:"IANA name. Default: the time zone of the control bus." example:"Asia/Tokyo"`
	Calendar     string `json:"calendar,omitempty" edn:"schedule/calendar,in=calendar/name" doc:"Name of a calendar. Without one, every day is a business day." example:"bank"`
	Substitution string `json:"substitution,omitempty" edn:"schedule/substitution,switch" doc:"What happens to a time on a holiday of the calendar. none: it does not fire; next: it fires on the next business day; previous: on the previous one; true: as next, unless the schedule's following time on a business day comes first. Also true and false without quotes. Default none." example:"next"`
	Substitutes  *bool  `json:"-" edn:"schedule/substitution?"` // as v1 clients write it
	Misfire      string `json:"misfire,omitempty" edn:"schedule/misfire,keyword" enum:"fire_once,fire_all,skip" doc:"How the scheduler handles misfires: nominal times that passed while no control bus ran, or that it handles later than misfire_after. fire_once fires the newest misfire, unless a later time fires; fire_all fires each; skip fires none. Default fire_once."`
	MisfireAfter string `json:"misfire_after,omitempty" edn:"schedule/misfire-after" doc:"A duration from 1s to 24h. A nominal time that the scheduler handles later than this is a misfire, even if a control bus ran. Of earlier times that passed while one control bus took over from another, only the newest fires, or each with fire_all. Default 60s." example:"5m"`
	Start        string `json:"start,omitempty" edn:"schedule/start" doc:"The schedule has no nominal times before this date or time, in the time zone or with an offset." example:"2026-12-01"`
	End          string `json:"end,omitempty" edn:"schedule/end" doc:"The schedule has no nominal times after this date or time. A date includes the whole day." example:"2027-03-31"`
	DST          string `json:"dst,omitempty" edn:"schedule/dst,keyword" enum:"once,both" doc:"How often a time fires that the clocks show twice in a night, if the hour of cron_notation is a value or a list of values. Default once."`
	Jitter       string `json:"jitter,omitempty" edn:"schedule/jitter" doc:"A duration from 1s to 24h. The schedule fires up to this much later than its nominal times, always by the same part of it. The part is a hash of application, job and name." example:"5m"`
	Priority     string `json:"priority,omitempty" edn:"schedule/priority,keyword" enum:"high,normal,low" doc:"Priority of the executions that the schedule fires. Default: that of the job."`
	Pool         string `json:"pool,omitempty" edn:"schedule/pool" doc:"Pool of the executions that the schedule fires, and of their restarts: 1 to 128 characters from A-Z a-z 0-9 _ -. A pool that differs from that of the stored schedule requires the permission update-job. Default: that of the job." example:"linux"`

	Overlap       string `json:"overlap,omitempty" edn:"schedule/overlap,keyword" enum:"allow,skip,queue_one,queue_all,cancel_running" doc:"What becomes of a nominal time while an execution that the schedule fired has not ended. allow fires it; skip skips it; queue_one fires it afterwards, and skips it if one waits already; queue_all fires it after all earlier ones, of which up to 1,000 wait; cancel_running is queue_one, and requests a stop of the execution. Default allow."`
	CatchUpLimit  int    `json:"catch_up_limit,omitzero" edn:"schedule/catch-up-limit" doc:"Maximum number of misfires that fire with fire_all, from 1 to 100,000. Older ones are skipped. Default 1,000."`
	CatchUpWindow string `json:"catch_up_window,omitempty" edn:"schedule/catch-up-window" doc:"A duration from 1s. Misfires that are older than this are skipped. Default: none is too old." example:"12h"`

	Parameters map[string]string `json:"parameters,omitempty" edn:"schedule/parameters" doc:"Job parameters of the executions that the schedule fires. The bus stores numbers, true and false as text."`
}

// NewNamedSchedule is the body that adds a schedule to a job.
type NewNamedSchedule struct {
	Name string `json:"name,omitempty" edn:"schedule/name" doc:"1 to 64 characters from A-Z a-z 0-9 _ -, and not pause or resume. Default: default." example:"month-end"`
	NewSchedule
}

// NewPause is the body that pauses a schedule. The client may leave it out.
type NewPause struct {
	Reason string `json:"reason,omitempty" doc:"Why, for people: up to 500 characters." example:"maintenance"`
}

// NewResumption is the body that resumes a schedule. The client may leave it
// out.
type NewResumption struct {
	CatchUp bool `json:"catch_up,omitempty" doc:"true treats the nominal times that passed during the pause as misfires of the schedule. By default they are skipped, as paused."`
}

// Diagram is the body with a diagram of a job.
type Diagram struct {
	JobBPMNXML string `json:"job_bpmn_xml" edn:"job-bpmn-xml" doc:"BPMN as saved by the diagram editor of the v1 console."`
}

// TestExecution is the body that tests a diagram.
type TestExecution struct {
	BPMN string `json:"bpmn,omitempty" edn:"bpmn" doc:"The diagram as BPMN."`
	XML  string `json:"xml,omitempty" edn:"xml" doc:"In place of bpmn: the job as job XML, which can have what a diagram cannot, such as decisions and partitions."`
}

// ImportedSchedule is the schedule of a job that is imported.
type ImportedSchedule struct {
	NewSchedule
	Active *bool `json:"active,omitempty" edn:"schedule/active?" doc:"Default true."`
}
