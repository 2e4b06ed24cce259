package doctor

// limits adds up what automations did in each window of their limits.
func (c *checker) limits() error {
	within := c.law("automation-limits", "no automation acted more often within an hour, or for more money within a day, than its limits allowed")
	counted := c.law("automation-counts", "what is known of an automation's firings is what they add up to")
	type window struct {
		name  string
		round int64
		hour  int64
	}
	acted := map[window]int64{}
	err := c.tx.Each(func(scan func(...any) error) error {
		var w window
		var n, limit int64
		if err := scan(&w.name, &w.round, &w.hour, &n, &limit); err != nil {
			return err
		}
		within.checked(n)
		acted[w] = n
		if limit > 0 && n > limit {
			within.offend("%s acted %d times in hour %d, its limit is %d", w.name, n, w.hour, limit)
		}
		return nil
	}, "SELECT name, round, hour, count(*), max(per_hour) FROM automation_firing WHERE how = 'acted' GROUP BY name, round, hour")
	if err != nil {
		return err
	}
	err = c.tx.Each(func(scan func(...any) error) error {
		var name, day string
		var sum, limit int64
		if err := scan(&name, &day, &sum, &limit); err != nil {
			return err
		}
		if limit > 0 && sum > limit {
			within.offend("%s acted on orders of %d minor units on %s, its limit is %d", name, sum, day, limit)
		}
		return nil
	}, "SELECT name, day, CAST(sum(minor) AS BIGINT), max(per_day) FROM automation_firing WHERE how = 'acted' GROUP BY name, round, day")
	if err != nil {
		return err
	}
	guards, err := c.tx.AllGuards()
	for _, g := range guards {
		counted.checked(1)
		if n := acted[window{g.Name, g.Round, g.Hour}]; n != g.Acted {
			counted.offend("%s: %d firings are counted in hour %d, but %d are recorded", g.Name, g.Acted, g.Hour, n)
		}
	}
	return err
}
