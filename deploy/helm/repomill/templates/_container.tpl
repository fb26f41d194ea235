{{/* The container of a pod: see repomill.pod. */}}
{{- define "repomill.container" -}}
{{- $v := .root.Values -}}
- name: {{ .component }}
  image: {{ include "repomill.image" (.image | default $v.image) | quote }}
  imagePullPolicy: {{ $v.imagePullPolicy }}
  {{- with .command }}
  command: {{ toJson . }}
  {{- end }}
  {{- with .args }}
  args: {{ toJson . }}
  {{- end }}
  env:
    {{- include "repomill.env" . | trim | nindent 4 }}
  {{- with .ports }}
  ports:
    {{- range $name, $number := . }}
    - name: {{ $name }}
      containerPort: {{ $number }}
    {{- end }}
  # The process alone: a fault of the bucket or the database must not restart every pod.
  startupProbe:
    httpGet: {path: /healthz, port: ops}
    periodSeconds: 2
    failureThreshold: 60
  livenessProbe:
    httpGet: {path: /healthz, port: ops}
    periodSeconds: 10
    timeoutSeconds: 5
    failureThreshold: 6
  readinessProbe:
    httpGet: {path: {{ $.ready | default "/readyz" }}, port: ops}
    periodSeconds: 5
    timeoutSeconds: 6
    failureThreshold: 3
  {{- end }}
  {{- with .drain }}
  # Load balancers send requests for some seconds after the pod was ordered to end. The image has no shell, nor sleep.
  lifecycle:
    preStop:
      sleep: {seconds: {{ . }}}
  {{- end }}
  resources:
    requests:
      cpu: {{ .resources.cpu | quote }}
      memory: {{ .resources.memory | quote }}
      {{- if .cache }}
      ephemeral-storage: {{ include "repomill.cacheRoom" $v | quote }}
      {{- end }}
    limits:
      memory: {{ .resources.memory | quote }}
  securityContext:
    {{- include "repomill.containerSecurity" . | nindent 4 }}
  {{- with include "repomill.volumeMounts" . | fromYamlArray }}
  volumeMounts:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{/* The environment of a container: what the template sets, the identity at AWS, and the variables of the values. */}}
{{- define "repomill.env" -}}
{{- $v := .root.Values -}}
{{- $env := dict "GOMEMLIMIT" (include "repomill.goMemoryLimit" .resources.memory) -}}
{{- with .catalog }}{{ $_ := set $env "REPOMILL_CATALOG" (include "repomill.catalogURL" (list $.root (index $v.catalog .))) }}{{ end -}}
{{- if .signing -}}
{{- $_ := set $env "REPOMILL_SIGNING_KEY" (include "repomill.signingKeys" .root) -}}
{{- if $v.signing.secret.passphraseKey }}{{ $_ := set $env "REPOMILL_SIGNING_KEY_PASSPHRASE_FILE" "/etc/repomill/signing/passphrases" }}{{ end -}}
{{- end -}}
{{- if .urlKey }}{{ $_ := set $env "REPOMILL_KEY" "file:///etc/repomill/url-key/url-key.pem" }}{{ end -}}
{{- if .cache }}{{ $_ := set $env "REPOMILL_CACHE" "/var/cache/repomill" }}{{ end -}}
{{- if include "repomill.awsRole" . -}}
{{- $_ := set $env "AWS_ROLE_ARN" (include "repomill.awsRole" .) -}}
{{- $_ := set $env "AWS_ROLE_SESSION_NAME" (printf "repomill-%s" .component) -}}
{{- $_ := set $env "AWS_WEB_IDENTITY_TOKEN_FILE" "/var/run/secrets/aws/token" -}}
{{- $_ := set $env "AWS_REGION" $v.aws.region -}}
{{- $_ := set $env "AWS_EC2_METADATA_DISABLED" "true" -}}
{{- end -}}
{{- range $name, $value := mustMergeOverwrite $env (.env | default dict) $v.env (.moreEnv | default dict) }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}

{{/* The role of AWS that a pod takes with a token of its account; empty for none. */}}
{{- define "repomill.awsRole" -}}
{{- with .role }}{{ index $.root.Values.aws.roles . }}{{ end }}
{{- end }}

{{/* The proxy that connects to Cloud SQL as the pod's account. It starts before the programs of the pod, and ends after them. */}}
{{- define "repomill.cloudSQLProxy" -}}
- name: cloud-sql-proxy
  image: {{ include "repomill.image" .image | quote }}
  restartPolicy: Always
  args:
    - --auto-iam-authn
    - --private-ip
    - --structured-logs
    - --port=3306
    - --health-check
    - --http-address=0.0.0.0
    - --http-port=9090
    - {{ .instance | quote }}
  startupProbe:
    httpGet: {path: /startup, port: 9090}
    periodSeconds: 1
    timeoutSeconds: 5
    failureThreshold: 60
  resources:
    requests:
      cpu: {{ .resources.cpu | quote }}
      memory: {{ .resources.memory | quote }}
    limits:
      memory: {{ .resources.memory | quote }}
  securityContext:
    {{- include "repomill.containerSecurity" . | nindent 4 }}
{{- end }}
