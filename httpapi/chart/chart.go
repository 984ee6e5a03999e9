// Package chart draws values over time as lines in a PNG picture.
//
//	30 GB |                          |  the picture: Width x Height
//	20 GB |----___     ____----      |
//	10 GB |       (gap)              |
//	      +----|-----|-----|-----|---|
//	         06:00 09:00 12:00 15:00 |
//	 # free memory  # free swap  UTC    the legend below it
package chart

import (
	"bytes"
	"cmp"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"
	"time"
)

// The size of a picture in pixels. The legend is below it.
const (
	Width  = 500
	Height = 300
	Legend = 24
)

// Colours of lines, dark enough to be read on white.
var (
	Green = color.RGBA{0x1a, 0x99, 0x3c, 0xff}
	Blue  = color.RGBA{0x1f, 0x5f, 0xd0, 0xff}
)

// Chart is a picture of lines over time.
type Chart struct {
	From, To time.Time // labels are in their time zone
	Bytes    bool      // the values are bytes; otherwise plain numbers
	Lines    []Line
	Top      float64 // of the y axis, which begins at 0; default: enough for the largest value
}

// Line is a series of values in order of time. NaN is a gap. Values outside of
// the chart's time are not drawn.
type Line struct {
	Name   string
	Color  color.RGBA
	Times  []time.Time
	Values []float64
}

// PNG draws the chart.
func (c Chart) PNG() ([]byte, error) {
	face, err := newFace()
	if err != nil {
		return nil, fmt.Errorf("draw a chart: %w", err)
	}
	p := &picture{
		img:  image.NewRGBA(image.Rect(0, 0, Width, Height+Legend)),
		plot: image.Rect(58, 12, Width-18, Height-24),
		face: face,
	}
	draw.Draw(p.img, p.img.Rect, image.White, image.Point{}, draw.Src)
	y := c.yAxis()
	c.drawAxes(p, y)
	for _, l := range c.Lines {
		p.drawLine(l.Color, c.linePoints(p, l, y.top))
	}
	c.drawLegend(p)
	var b bytes.Buffer
	e := png.Encoder{CompressionLevel: png.BestSpeed}
	if err := e.Encode(&b, p.img); err != nil {
		return nil, fmt.Errorf("encode a chart: %w", err)
	}
	return b.Bytes(), nil
}

// yAxis returns an axis that ends at Top, or at a round value above the largest
// value.
func (c *Chart) yAxis() axis {
	top := c.Top
	if top == 0 {
		top = c.largestValue()
	}
	if top == 0 && c.Bytes {
		top = 1e9
	}
	return yAxis(cmp.Or(top, 1))
}

// largestValue returns the largest value in the chart.
func (c *Chart) largestValue() (most float64) {
	for _, l := range c.Lines {
		for i, v := range l.Values {
			if v > most && c.isInside(l.Times[i]) { // never true for NaN
				most = v
			}
		}
	}
	return most
}

func (c *Chart) isInside(t time.Time) bool { return !t.Before(c.From) && !t.After(c.To) }

// xOf returns the x coordinate of a time.
func (c *Chart) xOf(p *picture, t time.Time) float64 {
	part := float64(t.Sub(c.From)) / float64(c.To.Sub(c.From))
	return float64(p.plot.Min.X) + part*float64(p.plot.Dx())
}

// linePoints returns the points of a line. A gap has y NaN.
func (c *Chart) linePoints(p *picture, l Line, top float64) (all []point) {
	for i, t := range l.Times {
		if c.isInside(t) {
			part := max(0, min(l.Values[i]/top, 1)) // NaN stays NaN
			all = append(all, point{c.xOf(p, t), float64(p.plot.Max.Y) - part*float64(p.plot.Dy())})
		}
	}
	return all
}

func (c *Chart) drawAxes(p *picture, y axis) {
	right := 0 // of the last label
	for _, t := range axisTicks(c.From, c.To) {
		x := int(math.Round(c.xOf(p, t.at)))
		p.drawVertical(x, p.plot.Min.Y, p.plot.Max.Y, grid)
		p.drawVertical(x, p.plot.Max.Y, p.plot.Max.Y+4, ink)
		width := p.textWidth(t.label)
		if left := x - width/2; left > right+6 && left+width <= Width {
			p.drawText(left, p.plot.Max.Y+16, t.label, ink)
			right = left + width
		}
	}
	for i := range y.n + 1 {
		v := float64(i) * y.step
		at := p.plot.Max.Y - int(math.Round(v/y.top*float64(p.plot.Dy())))
		if i > 0 {
			p.drawHorizontal(p.plot.Min.X, p.plot.Max.X, at, grid)
		}
		label := y.formatLabel(v, c.Bytes)
		p.drawText(p.plot.Min.X-6-p.textWidth(label), at+4, label, ink)
	}
	p.drawHorizontal(p.plot.Min.X, p.plot.Max.X, p.plot.Max.Y, ink)
	p.drawVertical(p.plot.Min.X, p.plot.Min.Y, p.plot.Max.Y, ink)
}

// drawLegend draws the names of the lines and the time zone.
func (c *Chart) drawLegend(p *picture) {
	x, base := p.plot.Min.X, Height+13
	for _, l := range c.Lines {
		draw.Draw(p.img, image.Rect(x, base-9, x+10, base+1), image.NewUniform(l.Color), image.Point{}, draw.Src)
		p.drawText(x+15, base, l.Name, ink)
		x += 15 + p.textWidth(l.Name) + 18
	}
	zone := c.To.Format("MST")
	p.drawText(p.plot.Max.X-p.textWidth(zone), base, zone, pale)
}
