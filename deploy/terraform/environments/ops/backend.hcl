bucket = "acme-packages-ops-terraform"
prefix = "repomill"
