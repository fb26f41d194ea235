package publish

// SetSlack lets scratch files be compacted earlier for a test.
func (p *Publisher) SetSlack(bytes int64) { p.renderings.Slack = bytes }
