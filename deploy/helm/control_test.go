package helm_test

// kubernetes is the version of the control plane: that of kube/go.mod.
const kubernetes = "v1.36.3"
