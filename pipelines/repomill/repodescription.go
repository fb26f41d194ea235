package main

import (
	"repomill/pipelines/command"
	"repomill/schemas/catalog"
)

// checkDescription returns an error for an invalid --description.
func (c repositoryFlags) checkDescription() error {
	if c.Description == nil {
		return nil
	}
	if err := catalog.CheckDescription(*c.Description); err != nil {
		return command.Usage("--description: %w", err)
	}
	return nil
}

// describe sets in s what the repository is, if the flag was given.
func (c repositoryFlags) describe(s *catalog.Settings) {
	if c.Description != nil {
		s.Description = *c.Description
	}
}
