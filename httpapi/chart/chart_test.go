package chart

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// hourly returns a line with one value an hour, the last at noon.
func hourly(c color.RGBA, values ...float64) Line {
	l := Line{Name: "line", Color: c, Values: values}
	for i := range values {
		l.Times = append(l.Times, noon.Add(-time.Duration(len(values)-1-i)*time.Hour))
	}
	return l
}

func drawChart(t *testing.T, c Chart) image.Image {
	t.Helper()
	b, err := c.PNG()
	if err != nil {
		t.Fatal(err)
	}
	m, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// rowsOfColor returns the rows of a column of the plot that have a colour.
func rowsOfColor(m image.Image, x int, c color.RGBA) (found []int) {
	for y := 8; y < 275; y++ { // to above the axis
		r, g, b, _ := m.At(x, y).RGBA()
		far := math.Abs(float64(r>>8)-float64(c.R)) + math.Abs(float64(g>>8)-float64(c.G)) + math.Abs(float64(b>>8)-float64(c.B))
		if far < 150 { // the edges of lines are mixed with what is below them
			found = append(found, y)
		}
	}
	return found
}

// The plot is from (58, 276) to (482, 12).
func TestLines(t *testing.T) {
	nan := math.NaN()
	m := drawChart(t, Chart{From: noon.Add(-10 * time.Hour), To: noon, Top: 1, Lines: []Line{
		hourly(Green, .5, .5, .5, nan, nan, .5, nan, 0, 1, 7, .5), // 7 is more than the chart has
		hourly(Blue, 9, .25, .25, .25, .25, .25, .25, .25, .25, .25, .25, .25),
	}})
	if got := m.Bounds(); got != image.Rect(0, 0, Width, Height+Legend) {
		t.Fatalf("%v", got)
	}
	for _, c := range []struct {
		name   string
		x      int
		color  color.RGBA
		top, n int // rows with the colour
	}{
		{"in a line", 58 + 50, Green, 143, 2},
		{"the other line", 58 + 50, Blue, 209, 2},
		{"in a gap", 58 + 150, Green, 0, 0},
		{"the other line has none", 58 + 150, Blue, 209, 2},
		{"a point alone is a dot", 58 + 212, Green, 143, 2},
		{"beside it is nothing", 58 + 225, Green, 0, 0},
		{"a value below the edge of the picture", 58 + 360, Green, 11, 2},
		{"before the chart begins", 55, Blue, 0, 0},
	} {
		got := rowsOfColor(m, c.x, c.color)
		if len(got) != c.n || c.n > 0 && got[0] != c.top {
			t.Errorf("%s: rows %v at %d, want %d from %d", c.name, got, c.x, c.n, c.top)
		}
	}
	if r := rowsOfColor(m, 58+318, Green); len(r) < 6 {
		t.Errorf("a steep line: %v", r)
	}
}

func TestLegend(t *testing.T) {
	m := drawChart(t, Chart{From: noon.Add(-time.Hour), To: noon, Lines: []Line{hourly(Green), hourly(Blue)}})
	var of []color.RGBA
	for x := range Width {
		if c := m.At(x, Height+8).(color.RGBA); (c == Green || c == Blue) && (len(of) == 0 || of[len(of)-1] != c) {
			of = append(of, c)
		}
	}
	if len(of) != 2 || of[0] != Green || of[1] != Blue {
		t.Errorf("boxes of colour %v, want green and blue", of)
	}
}

func TestYAxis(t *testing.T) {
	for _, c := range []struct {
		most  float64
		bytes bool
		want  string
	}{
		{1, false, "0.0 0.2 0.4 0.6 0.8 1.0"},
		{0.03, false, "0.00 0.01 0.02 0.03"},
		{7, false, "0 2 4 6 8"},
		{50, false, "0 10 20 30 40 50"},
		{24.5e9, true, "0 GB 5 GB 10 GB 15 GB 20 GB 25 GB"},
		{3.9e9, true, "0 GB 1 GB 2 GB 3 GB 4 GB"},
		{1.1e9, true, "0.0 GB 0.5 GB 1.0 GB 1.5 GB"},
		{512 << 20, true, "0 MB 200 MB 400 MB 600 MB"},
		{1e12, true, "0.0 TB 0.2 TB 0.4 TB 0.6 TB 0.8 TB 1.0 TB"},
		{1, true, "0.0 B 0.2 B 0.4 B 0.6 B 0.8 B 1.0 B"},
		{2e21, true, "0 PB 500000 PB 1000000 PB 1500000 PB 2000000 PB"},
	} {
		y := yAxis(c.most)
		var got []string
		for i := range y.n + 1 {
			got = append(got, y.formatLabel(float64(i)*y.step, c.bytes))
		}
		if got := strings.Join(got, " "); got != c.want {
			t.Errorf("up to %g: %s, want %s", c.most, got, c.want)
		}
	}
	// What an agent says can be anything.
	for _, most := range []float64{math.SmallestNonzeroFloat64, 1e-300, 1e300, math.MaxFloat64} {
		if y := yAxis(most); y.n > 5 {
			t.Errorf("%d steps up to %g", y.n, most)
		}
	}
}

func TestEmptyChart(t *testing.T) {
	for bytes, want := range map[bool]string{false: "1.0", true: "1.0 GB"} {
		c := Chart{From: noon.Add(-time.Hour), To: noon, Bytes: bytes, Lines: []Line{hourly(Green, math.NaN())}}
		if y := c.yAxis(); y.formatLabel(y.top, bytes) != want {
			t.Errorf("an axis up to %s for nothing, want %s", y.formatLabel(y.top, bytes), want)
		}
		drawChart(t, c)
	}
}

func TestTicks(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip(err)
	}
	for _, c := range []struct{ name, to, span, want string }{
		{"hours of a day", "2026-11-24 15:37", "24h", "18:00 21:00 00:00 03:00 06:00 09:00 12:00 15:00"},
		{"a day of 23 hours", "2026-03-29 12:00", "24h", "12:00 15:00 18:00 21:00 00:00 03:00 06:00 09:00 12:00"},
		{"a day of 25 hours", "2026-10-25 12:00", "24h", "15:00 18:00 21:00 00:00 03:00 06:00 09:00 12:00"},
		{"days of a week", "2026-11-24 15:37", "168h", "Wed 18, Thu 19, Fri 20, Sat 21, Sun 22, Mon 23, Tue 24"},
		{"Mondays of a month", "2026-11-24 15:37", "744h", "Oct 26, Nov 2, Nov 9, Nov 16, Nov 23"},
		{"a Monday is its own", "2026-11-23 00:00", "336h", "Nov 9, Nov 16, Nov 23"},
		{"months of a year", "2026-11-24 15:37", "8784h", "Dec Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov"},
	} {
		to, err := time.ParseInLocation("2006-01-02 15:04", c.to, berlin)
		if err != nil {
			t.Fatal(err)
		}
		span, err := time.ParseDuration(c.span)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, tick := range axisTicks(to.Add(-span), to) {
			got = append(got, tick.label)
		}
		separator := " "
		if strings.Contains(c.want, ",") {
			separator = ", "
		}
		if got := strings.Join(got, separator); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// Labels of times have room between them, however many there are.
func TestLabelsDoNotOverlap(t *testing.T) {
	for _, c := range []struct {
		name   string
		to     time.Time
		span   time.Duration
		labels int
	}{
		{"a day", noon, 24 * time.Hour, 9},
		{"two days", noon, 48 * time.Hour, 9}, // each second one
		{"a week", noon, 7 * 24 * time.Hour, 7},
		{"a week whose last label would be cut off", time.Date(2026, 10, 28, 0, 0, 0, 0, time.UTC), 7 * 24 * time.Hour, 7},
		{"a month", noon, 31 * 24 * time.Hour, 5},
		{"a year", noon, 366 * 24 * time.Hour, 12},
	} {
		m := drawChart(t, Chart{From: c.to.Add(-c.span), To: c.to})
		labels, last := 0, -100
		for x := range Width {
			for y := 276 + 6; y < Height; y++ {
				if m.At(x, y) != (color.RGBA{0xff, 0xff, 0xff, 0xff}) {
					if x > last+6 { // more than there is within a label
						labels++
					}
					last = x
				}
			}
		}
		if labels != c.labels {
			t.Errorf("%s: %d labels can be told apart, want %d", c.name, labels, c.labels)
		}
	}
}

func BenchmarkPNG(b *testing.B) {
	c := Chart{From: noon.Add(-288 * time.Hour), To: noon, Top: 1}
	for k, line := range []color.RGBA{Green, Blue} {
		var values []float64
		for i := range 288 {
			values = append(values, 0.3+0.3*float64(k)+0.2*math.Sin(float64(i*(7+k))))
		}
		c.Lines = append(c.Lines, hourly(line, values...))
	}
	for b.Loop() {
		if _, err := c.PNG(); err != nil {
			b.Fatal(err)
		}
	}
}
