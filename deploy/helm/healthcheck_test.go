package helm_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Load balancers ask on the port of the calls, which GKE's firewall and the network policies let them reach.
func TestLoadBalancersAskOnThePortOfTheCalls(t *testing.T) {
	for _, values := range environments {
		all := render(t, "helm4", values)
		for component, port := range map[string]int{"resolver": 8080, "api": 8083} {
			name := "y-repomill-" + component
			check := at(find(t, all, "HealthCheckPolicy", name).raw, "spec", "default", "config", "httpHealthCheck")
			if diff := cmp.Diff(any(map[string]any{"portSpecification": "USE_SERVING_PORT", "requestPath": "/readyz"}), check); diff != "" {
				t.Errorf("%s %s: -want +got:\n%s", values, component, diff)
			}
			served := at(find(t, all, "Service", name).raw, "spec", "ports", 0, "targetPort")
			p, _, _ := find(t, all, "Deployment", name).pod()
			for _, of := range p.Containers[0].Ports {
				if of.Name == served && of.Number != port {
					t.Errorf("%s serves on %d, want %d", component, of.Number, port)
				}
			}
			if served != "http" {
				t.Errorf("the Service of %s leads to %v", component, served)
			}
		}
	}
}

// A list of clients leaves load balancers in, and only where they are Google's. No one but monitoring reaches the other ports.
func TestClientsAreListedBesideLoadBalancers(t *testing.T) {
	ingress := func(set ...string) (calls, ops string) {
		rules, _ := at(find(t, render(t, "helm4", append([]string{environments[1]}, set...)...), "NetworkPolicy", "y-repomill-api").raw, "spec", "ingress").([]any)
		if len(rules) != 2 {
			t.Fatalf("ingress %v", rules)
		}
		for i, to := range []*string{&calls, &ops} {
			body, err := json.Marshal(rules[i])
			if err != nil {
				t.Fatal(err)
			}
			*to = string(body)
		}
		return calls, ops
	}
	const balancers = `{"ipBlock":{"cidr":"35.191.0.0/16"}},{"ipBlock":{"cidr":"130.211.0.0/22"}}`
	const clients = "--set-json=networkPolicy.clients=[{\"ipBlock\":{\"cidr\":\"192.0.2.0/24\"}}]"
	const client = `{"ipBlock":{"cidr":"192.0.2.0/24"}}`
	for _, tt := range []struct {
		name string
		set  []string
		want string
	}{
		{"all", nil, `{"ports":[{"port":"http"}]}`},
		{"a list", []string{clients}, `{"from":[` + client + `,` + balancers + `],"ports":[{"port":"http"}]}`},
		{"a list without GKE", []string{clients, "--set=gateway.gke=false"}, `{"from":[` + client + `],"ports":[{"port":"http"}]}`},
	} {
		calls, ops := ingress(tt.set...)
		if calls != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, calls, tt.want)
		}
		if strings.Contains(ops, "ipBlock") || !strings.Contains(ops, `"port":"ops"`) {
			t.Errorf("%s: monitoring is %s", tt.name, ops)
		}
	}
}
