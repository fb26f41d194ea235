package packagecloud_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
	"repomill/serve/api"
	"repomill/serve/api/packagecloud"
)

// A counter counts what the list of repositories asks the catalog.
type counter struct {
	packagecloud.Catalog
	lists, singles int
}

func (c *counter) Repositories(ctx context.Context) ([]catalog.Settings, error) {
	c.lists++
	return c.Catalog.Repositories(ctx)
}

func (c *counter) Activities(ctx context.Context) (map[catalog.Repository]catalog.Activity, error) {
	c.lists++
	return c.Catalog.Activities(ctx)
}

func (c *counter) Activity(ctx context.Context, r catalog.Repository) (catalog.Activity, error) {
	c.singles++
	return c.Catalog.Activity(ctx, r)
}

func TestListOfManyRepositoriesCostsTwoQuestions(t *testing.T) {
	s := newSite(t)
	s.add(deb(tools, "hello", "1.0"))
	for i := range 20 {
		r := catalog.Repository{Owner: []string{"acme", "other"}[i%2], Name: fmt.Sprintf("r%02d", i)}
		if err := s.db.CreateRepository(t.Context(), catalog.Settings{Repository: r}, now); err != nil {
			t.Fatal(err)
		}
	}
	asked := &counter{Catalog: s.db}
	log := slog.New(slog.DiscardHandler)
	h := packagecloud.New(packagecloud.Config{
		Catalog: asked, Table: layout.DefaultTable(), Log: log, Now: func() time.Time { return now },
		Gate: &api.Gate{Auth: principals, Limits: api.NewLimits(api.LimitConfig{}, func() time.Time { return now }), Log: log},
	})
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/v1/repos.json", nil)
	r.SetBasicAuth("all", "")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	var list []struct {
		Name  string `json:"fqname"`
		Count string `json:"package_count_human"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil {
		t.Fatal(err)
	}
	counts := map[string]string{}
	for _, r := range list {
		counts[r.Name] = r.Count
	}
	if len(list) != 12 || counts["acme/tools"] != "1 package" || counts["acme/r18"] != "0 packages" {
		t.Errorf("listed %v", counts)
	}
	if asked.lists != 2 || asked.singles != 0 {
		t.Errorf("asked for all repositories %d times, and for one %d times", asked.lists, asked.singles)
	}
}
