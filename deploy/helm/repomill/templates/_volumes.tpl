{{/* The volumes of a pod: Secrets that exist, a token for AWS, and folders that end with the pod. See repomill.pod. */}}
{{- define "repomill.volumes" -}}
{{- $v := .root.Values -}}
{{- with .catalog }}
{{- with (index $v.catalog .).passwordSecret }}
{{- if .name }}
- name: catalog
  secret:
    secretName: {{ .name | quote }}
    defaultMode: 0440
    items: [{key: {{ .key | quote }}, path: password}]
{{- end }}
{{- end }}
{{- with $v.catalog.caSecret }}
{{- if .name }}
- name: catalog-ca
  secret:
    secretName: {{ .name | quote }}
    defaultMode: 0440
    items: [{key: {{ .key | quote }}, path: ca.pem}]
{{- end }}
{{- end }}
{{- end }}
{{- if and .signing $v.signing.secret.name }}
{{- with $v.signing.secret }}
- name: signing
  secret:
    secretName: {{ .name | quote }}
    defaultMode: 0440
    items:
      - {key: {{ .key | quote }}, path: signing-key.asc}
      {{- with .passphraseKey }}
      - {key: {{ . | quote }}, path: passphrases}
      {{- end }}
{{- end }}
{{- end }}
{{- if and .urlKey $v.urlKey.secretManager }}
- name: url-key
  csi:
    driver: secrets-store-gke.csi.k8s.io
    readOnly: true
    volumeAttributes:
      secretProviderClass: {{ include "repomill.fullname" .root }}-url-key
{{- else if .urlKey }}
- name: url-key
  secret:
    secretName: {{ $v.urlKey.secret.name | quote }}
    defaultMode: 0440
    items: [{key: {{ $v.urlKey.secret.key | quote }}, path: url-key.pem}]
{{- end }}
{{- if include "repomill.awsRole" . }}
- name: aws-token
  projected:
    defaultMode: 0440
    sources:
      - serviceAccountToken:
          audience: {{ $v.aws.audience | quote }}
          expirationSeconds: 3600
          path: token
{{- end }}
{{- if .temporary }}
- name: tmp
  emptyDir: {sizeLimit: 1Gi}
{{- end }}
{{- if .keyring }}
- name: keyring
  configMap:
    name: {{ $v.audit.keyring.configMap | quote }}
    items: [{key: {{ $v.audit.keyring.key | quote }}, path: keyring.asc}]
{{- with $v.audit.tokensSecret }}
{{- if .name }}
- name: tokens
  secret:
    secretName: {{ .name | quote }}
    defaultMode: 0440
    items: [{key: {{ .key | quote }}, path: tokens}]
{{- end }}
{{- end }}
{{- end }}
{{- if .programs }}
- name: programs
  image:
    reference: {{ include "repomill.image" $v.image | quote }}
    pullPolicy: {{ $v.imagePullPolicy }}
{{- end }}
{{- if .cache }}
- name: cache
  emptyDir: {sizeLimit: {{ include "repomill.cacheRoom" $v | quote }}}
{{- end }}
{{- end }}

{{- define "repomill.volumeMounts" -}}
{{- $paths := dict "tmp" "/tmp" "cache" "/var/cache/repomill" "aws-token" "/var/run/secrets/aws" "programs" "/repomill" -}}
{{- range include "repomill.volumes" . | fromYamlArray }}
- name: {{ .name }}
  mountPath: {{ index $paths .name | default (printf "/etc/repomill/%s" .name) }}
  {{- if not (hasKey . "emptyDir") }}
  readOnly: true
  {{- end }}
{{- end }}
{{- end }}

{{/* Room for the cache of indexes, and for files while they are made. */}}
{{- define "repomill.cacheRoom" -}}
{{ add 2 (.worker.cacheGi | int64) }}Gi
{{- end }}
