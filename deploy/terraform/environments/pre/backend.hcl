bucket = "acme-packages-pre-terraform"
prefix = "repomill"
