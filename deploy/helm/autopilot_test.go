package helm_test

import (
	"fmt"
	"testing"
)

// GKE Autopilot refuses a pod whose containers ask for more than 10 Gi of the node's disk. One that asks for nothing gets 1 Gi.
func TestPodsFitIntoAutopilot(t *testing.T) {
	disk := func(values ...string) int {
		workload := find(t, render(t, "helm4", append([]string{"repomill/values-ops.yaml"}, values...)...), "Deployment", "y-repomill-worker")
		sum := 0
		for _, kind := range []string{"initContainers", "containers"} {
			containers, _ := at(workload.raw, "spec", "template", "spec", kind).([]any)
			for _, c := range containers {
				gi := 1
				if request, ok := at(c, "resources", "requests", "ephemeral-storage").(string); ok {
					if _, err := fmt.Sscanf(request, "%dGi", &gi); err != nil {
						t.Fatalf("%q: %v", request, err)
					}
				}
				sum += gi
			}
		}
		return sum
	}
	if got := disk(); got > 10 {
		t.Errorf("a worker asks for %d Gi", got)
	}
	if got := disk("--set=worker.cacheGi=8"); got != 11 {
		t.Errorf("with a cache of 8 Gi a worker asks for %d Gi, want 11", got)
	}
}
