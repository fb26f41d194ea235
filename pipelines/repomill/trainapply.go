package main

import (
	"context"
	"errors"

	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// train publishes a release train as its plan says. What moved on since the plan was made is found in the transaction that asks, and
// again in that which commits: a push for the train may come between.
func (c *applyCmd) train(ctx context.Context, io stdio, p catalog.Plan) error {
	if err := c.readArgs(p, &struct{}{}); err != nil {
		return err
	}
	n := catalog.TrainName(p.Target.Repository)
	return c.withCatalog(ctx, func(db *catalogdb.DB) error {
		if err := askPlanned(ctx, db, n, p); err != nil {
			return err
		}
		if c.NoWait {
			return recorded(io)
		}
		return (&trainPublishCmd{awaitFlags: c.awaitFlags, JSON: c.JSON}).follow(ctx, io, db, n)
	})
}

// askPlanned asks for a train to be published as a plan says. One that was published by the plan is accepted.
func askPlanned(ctx context.Context, db *catalogdb.DB, n catalog.TrainName, want catalog.Plan) error {
	t, members, err := db.Train(ctx, n)
	if err != nil {
		return trainError(n, err)
	}
	if t.State == catalog.TrainGone && t.Planned == want.Digest {
		return nil
	}
	settings, err := settingsOf(ctx, db, members)
	if err != nil {
		return command.Fault(err)
	}
	err = db.AskTrain(ctx, n, catalogdb.TrainAsk{Planned: want.Digest, Check: func(members []catalog.TrainMember) error {
		now, err := heldPlan(n, members, settings)
		if err != nil {
			return err
		}
		return compared(&want, now, func() []catalog.PlanItem { return nil })
	}})
	if errors.Is(err, errMoved) {
		return err
	}
	return trainError(n, err)
}

// settingsOf returns the settings of the repositories of a train.
func settingsOf(ctx context.Context, db *catalogdb.DB, members []catalog.TrainMember) (map[catalog.Repository]catalog.Settings, error) {
	all := map[catalog.Repository]catalog.Settings{}
	for _, m := range members {
		if m.Package == nil {
			continue
		}
		if _, known := all[m.Package.Repository]; known {
			continue
		}
		s, err := db.Settings(ctx, m.Package.Repository)
		if err != nil {
			return nil, err
		}
		all[m.Package.Repository] = s
	}
	return all, nil
}

// heldPlan returns what a train would publish now.
func heldPlan(n catalog.TrainName, members []catalog.TrainMember, settings map[catalog.Repository]catalog.Settings) (catalog.Plan, error) {
	var items []catalog.PlanItem
	for _, m := range members {
		if k := m.Package; k != nil && m.State == catalog.Held {
			items = append(items, trainItems(*k, m.Replaces, settings[k.Repository])...)
		}
	}
	return n.Plan(items)
}
