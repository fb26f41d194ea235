{{/* Names, labels and images. A release named y makes y-repomill-resolver. */}}

{{- define "repomill.fullname" -}}
{{- if contains "repomill" .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-repomill" .Release.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{/* Labels that select the pods of a component: list $ "component". They never change. */}}
{{- define "repomill.selector" -}}
app.kubernetes.io/name: repomill
app.kubernetes.io/instance: {{ (index . 0).Release.Name | quote }}
app.kubernetes.io/component: {{ index . 1 | quote }}
{{- end }}

{{- define "repomill.labels" -}}
{{ include "repomill.selector" . }}
app.kubernetes.io/version: {{ (index . 0).Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ (index . 0).Release.Service | quote }}
helm.sh/chart: {{ printf "repomill-%s" (index . 0).Chart.Version | quote }}
{{- end }}

{{- define "repomill.metadata" -}}
name: {{ include "repomill.fullname" (index . 0) }}-{{ index . 1 }}
labels:
  {{- include "repomill.labels" . | nindent 2 }}
{{- end }}

{{/* An image by its digest, or by its tag where the schema allows one. */}}
{{- define "repomill.image" -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag }}{{ end }}
{{- end }}

{{/* The account of a component, which cloud roles trust by its name. */}}
{{- define "repomill.serviceAccount" -}}
{{ index (index . 0).Values.serviceAccounts (index . 1) "name" }}
{{- end }}

{{/* 9/10 of a memory limit in Mi or Gi, for GOMEMLIMIT. */}}
{{- define "repomill.goMemoryLimit" -}}
{{- $mi := trimSuffix "Mi" . -}}
{{- if hasSuffix "Gi" . }}{{ $mi = mul 1024 (trimSuffix "Gi" . | int64) }}{{ end -}}
{{ div (mul 9 ($mi | int64)) 10 }}MiB
{{- end }}

{{/* The URL of a catalog: list $ (dict of url and passwordSecret). Secrets are in files that it names. */}}
{{- define "repomill.catalogURL" -}}
{{- $c := index . 1 -}}
{{- $parameters := list -}}
{{- if $c.passwordSecret.name }}{{ $parameters = append $parameters "password-file=/etc/repomill/catalog/password" }}{{ end -}}
{{- if (index . 0).Values.catalog.caSecret.name }}{{ $parameters = append $parameters "tls-ca=/etc/repomill/catalog-ca/ca.pem" }}{{ end -}}
{{ $c.url }}{{ if $parameters }}{{ ternary "&" "?" (contains "?" $c.url) }}{{ join "&" $parameters }}{{ end }}
{{- end }}

{{/* What signs releases: KMS keys and the file of the Secret, separated by commas. */}}
{{- define "repomill.signingKeys" -}}
{{- $keys := .Values.signing.kmsKeys -}}
{{- if .Values.signing.secret.name }}{{ $keys = append $keys "file:///etc/repomill/signing/signing-key.asc" }}{{ end -}}
{{ join "," $keys }}
{{- end }}

{{/* Annotations of an account: the service account of Google that it acts as, and those of the values. */}}
{{- define "repomill.accountAnnotations" -}}
{{- $account := index (index . 0).Values.serviceAccounts (index . 1) -}}
{{- if and (index . 0).Values.google.project $account.google }}
iam.gke.io/gcp-service-account: {{ printf "%s@%s.iam.gserviceaccount.com" $account.google (index . 0).Values.google.project | quote }}
{{- end }}
{{- with $account.annotations }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Alerts, without those that are left out, and with whole links: list rules (dict of omit and runbooks) interval, which groups have to have
in Google's Rules, and may leave out in a PrometheusRule. */}}
{{- define "repomill.rules" -}}
{{- $omit := (index . 1).omit | default list -}}
{{- $runbooks := (index . 1).runbooks -}}
{{- $interval := index . 2 -}}
{{- $groups := list -}}
{{- range (index . 0).groups -}}
{{- if $interval }}{{ $_ := set . "interval" $interval }}{{ end -}}
{{- $kept := list -}}
{{- range .rules }}
{{- if and .annotations $runbooks }}{{ $_ := set .annotations "runbook_url" (printf "%s%s" $runbooks (base .annotations.runbook_url)) }}{{ end -}}
{{- if not (and .alert (has .alert $omit)) }}{{ $kept = append $kept . }}{{ end }}
{{- end -}}
{{- if $kept }}{{ $groups = append $groups (set . "rules" $kept) }}{{ end -}}
{{- end -}}
{{ toYaml (dict "groups" $groups) }}
{{- end }}

{{- define "repomill.monitorMetadata" -}}
{{ include "repomill.metadata" . }}
{{- with (index . 0).Values.monitoring.labels }}
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
