package codec

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

// calendarXML is a calendar in XML:
//
//	<calendar name="bank" day-start="02:00" weekly-holiday="sunday saturday">
//	  <holiday date="2026-12-25" name="Christmas Day"/>
//	  <rule name="Good Friday" easter="-2"/>
//	  <include calendar="uk"/>
//	</calendar>
type calendarXML struct {
	XMLName xml.Name `xml:"calendar"`

	Name          string       `xml:"name,attr,omitempty"`
	DayStart      string       `xml:"day-start,attr,omitempty"`
	WeeklyHoliday string       `xml:"weekly-holiday,attr,omitempty"`
	Created       string       `xml:"create-time,attr,omitempty"`
	Updated       string       `xml:"last-updated-time,attr,omitempty"`
	Holidays      []holidayXML `xml:"holiday"`
	Rules         []ruleXML    `xml:"rule"`
	Include       []linkXML    `xml:"include"`
	Intersect     []linkXML    `xml:"intersect"`
	Exclude       []linkXML    `xml:"exclude"`
	strangersXML
}

type holidayXML struct {
	Date string `xml:"date,attr"`
	Name string `xml:"name,attr,omitempty"`
	strangersXML
}

type ruleXML struct {
	Name           string `xml:"name,attr,omitempty"`
	Yearly         string `xml:"yearly,attr,omitempty"`
	Easter         string `xml:"easter,attr,omitempty"`
	OrthodoxEaster string `xml:"orthodox-easter,attr,omitempty"`
	RRule          string `xml:"rrule,attr,omitempty"`
	Start          string `xml:"start,attr,omitempty"`
	End            string `xml:"end,attr,omitempty"`
	Days           string `xml:"days,attr,omitempty"`
	Except         string `xml:"except,attr,omitempty"` // dates, separated by spaces
	strangersXML
}

type linkXML struct {
	Calendar string `xml:"calendar,attr"`
	strangersXML
}

// strangersXML are the attributes and elements that a type does not have.
type strangersXML struct {
	Attributes []xml.Attr    `xml:",any,attr"`
	Elements   []strangerXML `xml:",any"`
}

type strangerXML struct{ XMLName xml.Name }

// check adds a fault for each attribute and element that the type does not have.
func (s *strangersXML) check(wrong *Faults, at string) {
	for _, a := range s.Attributes {
		if a.Name.Space != "xmlns" && a.Name.Local != "xmlns" {
			wrong.Add(at+"/"+Escape(a.Name.Local), "an attribute that XML calendars have", strconv.Quote(a.Name.Local))
		}
	}
	for _, e := range s.Elements {
		wrong.Add(at+"/"+Escape(e.XMLName.Local), "an element that XML calendars have", "<"+Cut(e.XMLName.Local)+">")
	}
}

// ReadCalendarXML reads a calendar in XML as JSON of the same meaning.
func ReadCalendarXML(data []byte) ([]byte, error) {
	var c calendarXML
	d := xml.NewDecoder(bytes.NewReader(data))
	err := d.Decode(&c)
	if err == nil {
		err = checkEndOfXML(d)
	}
	if err != nil {
		line, column := d.InputPos()
		return nil, &MalformedError{rest.Fault{Detail: "want the XML of a calendar", Got: Cut(err.Error()), Line: line, Column: column}}
	}
	v, wrong := c.calendar()
	if err := wrong.Err(); err != nil {
		return nil, err
	}
	return json.Marshal(v)
}

// checkEndOfXML returns an error if more than space and comments follows.
func checkEndOfXML(d *xml.Decoder) error {
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		text, isText := t.(xml.CharData)
		_, isComment := t.(xml.Comment)
		switch {
		case err != nil:
			return err
		case !isComment && (!isText || len(bytes.TrimSpace(text)) > 0):
			return errors.New("there is more after </calendar>")
		}
	}
}

func (c *calendarXML) calendar() (v rest.NewCalendar, wrong Faults) {
	c.check(&wrong, "")
	v = rest.NewCalendar{Name: c.Name, DayStart: c.DayStart}
	for word := range strings.FieldsSeq(c.WeeklyHoliday) {
		i := slices.Index(weekdays(), strings.ToLower(word))
		if i < 0 {
			wrong.Add("/weekly_holiday", "weekdays such as: sunday saturday", word)
			continue
		}
		if v.WeeklyHoliday == nil {
			v.WeeklyHoliday = make([]bool, 7)
		}
		v.WeeklyHoliday[i] = true
	}
	for i := range c.Holidays {
		h := &c.Holidays[i]
		h.check(&wrong, "/holidays/"+strconv.Itoa(i))
		v.Holidays = append(v.Holidays, rest.Holiday{Date: h.Date, Name: h.Name})
	}
	for i := range c.Rules {
		v.Rules = append(v.Rules, c.Rules[i].rule(&wrong, "/rules/"+strconv.Itoa(i)))
	}
	v.Include = namesIn(&wrong, "/include", c.Include)
	v.Intersect = namesIn(&wrong, "/intersect", c.Intersect)
	v.Exclude = namesIn(&wrong, "/exclude", c.Exclude)
	return v, wrong
}

func (r *ruleXML) rule(wrong *Faults, at string) rest.CalendarRule {
	r.check(wrong, at)
	v := rest.CalendarRule{Name: r.Name, Yearly: r.Yearly, RRule: r.RRule, Start: r.Start, End: r.End, Except: strings.Fields(r.Except)}
	v.Easter = numberIn(wrong, at+"/easter", r.Easter)
	v.OrthodoxEaster = numberIn(wrong, at+"/orthodox_easter", r.OrthodoxEaster)
	if n := numberIn(wrong, at+"/days", r.Days); n != nil {
		v.Days = *n
	}
	return v
}

// numberIn returns the number in an attribute, or nil if there is none.
func numberIn(wrong *Faults, at, text string) *int {
	if text == "" {
		return nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		wrong.Add(at, "a whole number", text)
		return nil
	}
	return &n
}

func namesIn(wrong *Faults, at string, all []linkXML) (names []string) {
	for i := range all {
		all[i].check(wrong, at+"/"+strconv.Itoa(i))
		names = append(names, all[i].Calendar)
	}
	return names
}

func weekdays() (names []string) {
	for day := time.Sunday; day <= time.Saturday; day++ {
		names = append(names, strings.ToLower(day.String()))
	}
	return names
}

// calendarsXML is a list of calendars in XML.
type calendarsXML struct {
	XMLName   xml.Name      `xml:"calendars"`
	Hits      int           `xml:"hits,attr,omitempty"`
	Offset    int           `xml:"offset,attr,omitempty"`
	Limit     int           `xml:"limit,attr,omitempty"`
	Next      string        `xml:"next,attr,omitempty"`
	Previous  string        `xml:"previous,attr,omitempty"`
	Calendars []calendarXML `xml:"calendar"`
}

// previewXML is a year of a calendar in XML.
type previewXML struct {
	XMLName      xml.Name            `xml:"calendar-preview"`
	Name         string              `xml:"name,attr"`
	Year         int                 `xml:"year,attr"`
	BusinessDays int                 `xml:"business-days,attr"`
	Holidays     []previewHolidayXML `xml:"holiday"`
}

type previewHolidayXML struct {
	Date     string `xml:"date,attr"`
	Name     string `xml:"name,attr"`
	Weekly   bool   `xml:"weekly,attr"`
	Calendar string `xml:"calendar,attr"`
}

// writeCalendarXML writes v as XML if it is about calendars.
func writeCalendarXML(w io.Writer, v any) (done bool, err error) {
	var x any
	switch v := v.(type) {
	case rest.Calendar:
		x = calendarToXML(&v)
	case rest.Calendars:
		x = calendarsXML{Calendars: calendarListToXML(v)}
	case rest.All[rest.Calendar]:
		list := calendarsXML{Hits: v.Hits, Offset: v.Offset, Limit: v.Limit, Calendars: calendarListToXML(v.Results)}
		if v.Next != nil {
			list.Next = *v.Next
		}
		if v.Previous != nil {
			list.Previous = *v.Previous
		}
		x = list
	case rest.CalendarPreview:
		p := previewXML{Name: v.Name, Year: v.Year, BusinessDays: v.BusinessDays}
		for _, h := range v.Holidays {
			p.Holidays = append(p.Holidays, previewHolidayXML(h))
		}
		x = p
	default:
		return false, nil
	}
	text, err := xml.MarshalIndent(x, "", "  ")
	if err == nil {
		_, err = fmt.Fprintf(w, "%s%s\n", xml.Header, text)
	}
	return true, err
}

func calendarListToXML(all []rest.Calendar) (list []calendarXML) {
	for i := range all {
		list = append(list, calendarToXML(&all[i]))
	}
	return list
}

func calendarToXML(v *rest.Calendar) calendarXML {
	c := calendarXML{
		Name: v.Name, DayStart: v.DayStart,
		Include: linksTo(v.Include), Intersect: linksTo(v.Intersect), Exclude: linksTo(v.Exclude),
	}
	var days []string
	for i, name := range weekdays() {
		if i < len(v.WeeklyHoliday) && v.WeeklyHoliday[i] {
			days = append(days, name)
		}
	}
	c.WeeklyHoliday = strings.Join(days, " ")
	if !v.LastUpdatedTime.IsZero() {
		c.Created, c.Updated = v.CreateTime.Std().UTC().Format(time.RFC3339Nano), v.LastUpdatedTime.Std().UTC().Format(time.RFC3339Nano)
	}
	for _, h := range v.Holidays {
		c.Holidays = append(c.Holidays, holidayXML{Date: h.Date, Name: h.Name})
	}
	for _, r := range v.Rules {
		x := ruleXML{Name: r.Name, Yearly: r.Yearly, RRule: r.RRule, Start: r.Start, End: r.End, Except: strings.Join(r.Except, " ")}
		x.Easter, x.OrthodoxEaster = numberText(r.Easter), numberText(r.OrthodoxEaster)
		if r.Days != 0 {
			x.Days = strconv.Itoa(r.Days)
		}
		c.Rules = append(c.Rules, x)
	}
	return c
}

func numberText(n *int) string {
	if n == nil {
		return ""
	}
	return strconv.Itoa(*n)
}

func linksTo(names []string) (all []linkXML) {
	for _, name := range names {
		all = append(all, linkXML{Calendar: name})
	}
	return all
}
