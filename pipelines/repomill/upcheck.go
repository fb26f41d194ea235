package main

import (
	"net"
	"time"

	"repomill/pipelines"
	"repomill/pipelines/command"
	"repomill/publish/collect"
	"repomill/schemas/layout"
)

// check returns an error for flags with invalid values, before a file is created.
func (c *upCmd) check() error {
	if c.Data == "" {
		return command.Usage("--data: name a folder, such as ./data")
	}
	if err := checkSizes(c.MaxPackageSize, c.CacheSize, c.ContentsMaxSize, c.Retention, c.History); err != nil {
		return err
	}
	if _, err := layout.ReadTable(c.Distributions); err != nil {
		return command.Usage("--distributions: %w", err)
	}
	if c.OpsListen != "" {
		if err := checkAddress("--ops-listen", c.OpsListen); err != nil {
			return err
		}
	}
	return checkAddresses(c)
}

// checkSizes returns an error for sizes and times that up and the worker cannot use.
func checkSizes(maxPackage, cache, contents int64, retention, history time.Duration) error {
	switch {
	case maxPackage < 1:
		return command.Usage("--max-package-size %d: use a number of bytes", maxPackage)
	case cache < 0:
		return command.Usage("--cache-size %d: use a number of bytes", cache)
	case contents < 0:
		return command.Usage("--contents-max-size %d: use a number of bytes, or 0 to read none", contents)
	case retention < collect.MinRetention:
		return command.Usage("--retention %s: use %s or more: clients need superseded files for that long", retention, collect.MinRetention)
	case history < max(retention, pipelines.MinHistory):
		return command.Usage("--history %s: use %s or more: until then uploads may be announced again, and files of what they pushed may be kept", history, max(retention, pipelines.MinHistory))
	}
	return nil
}

// checkAddress returns an error if an address is not host:port.
func checkAddress(flag, address string) error {
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = net.LookupPort("tcp", port)
	}
	if err != nil {
		return command.Usage("%s %q: use host:port, such as 127.0.0.1:8080", flag, address)
	}
	return nil
}

// checkAddresses returns an error for addresses and URLs that clients cannot use.
func checkAddresses(c *upCmd) error {
	for _, a := range []struct{ flag, address, urlFlag, url string }{
		{"--listen", c.Listen, "--public-url", c.PublicURL}, {"--edge-listen", c.EdgeListen, "--edge-url", c.EdgeURL},
	} {
		if err := checkAddress(a.flag, a.address); err != nil {
			return err
		}
		host, _, _ := net.SplitHostPort(a.address)
		if a.url == "" {
			if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
				return command.Usage("%s %s is every address of this machine, and clients need one: add %s http://NAME:PORT", a.flag, a.address, a.urlFlag)
			}
			continue
		}
		if err := command.CheckURL(a.urlFlag, a.url); err != nil {
			return err
		}
	}
	return nil
}
