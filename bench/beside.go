package main

import "fmt"

// behind is how many points of CRS's recall at paranoia 2 the detect profile may
// lack, and part how much of its false positives it may have.
const (
	behind = 0.5
	part   = 0.1
)

// judgeBeside adds the goals that CRS sets in the same run: the recall of the
// detect profile over each class that has a floor, and over all of these, and its
// false positives over the benign ones. Both are judged over the same rows.
func (d *detection) judgeBeside(report *Report, floors []floor) {
	attacks, benign := &class{}, &class{}
	for _, f := range floors {
		c := d.find(&f)
		if c == nil || f.profile != "block" || f.class == "battery" {
			continue
		}
		c = c.only(func(_ int, r *row) bool { return r.flags&sampled != 0 })
		if !c.attack() {
			benign.rows = append(benign.rows, c.rows...)
			continue
		}
		attacks.rows = append(attacks.rows, c.rows...)
		report.Judge(fmt.Sprintf("detect: points behind CRS paranoia 2 on %s/%s, n %d", c.set, c.name, len(c.rows)), c.gap(), behind)
	}
	if len(attacks.rows) > 0 {
		report.Judge(fmt.Sprintf("detect: points behind CRS paranoia 2 on all of these, n %d", len(attacks.rows)), attacks.gap(), behind)
	}
	if len(benign.rows) > 0 {
		n, ours := benign.count(flagDetect)
		_, theirs := benign.count(flagCRS2)
		report.Judge(fmt.Sprintf("detect: flagged of all benign, a tenth of CRS paranoia 2, n %d", n), float64(ours), part*float64(theirs))
	}
}

// gap is how many points of recall the detect profile lacks beside CRS at
// paranoia 2.
func (c *class) gap() float64 {
	n, ours := c.count(flagDetect)
	_, theirs := c.count(flagCRS2)
	return percent(ours-theirs, n)
}
