{{/*
A pod of repomill. It takes a dict:
  root         $
  component    its name, also in labels; and that of its account, unless account names another
  image        default: .Values.image
  command, args
  resources    cpu, memory
  env, moreEnv variables of the template, and of the values
  catalog      which URL of .Values.catalog it has: worker, api, stats
  role         which role of AWS it has: publish, serve, verify, stats
  signing, urlKey, temporary, cache
               whether it has the signing keys, the URL key, a folder /tmp, the cache of indexes
  keyring      whether it has the keys that clients trust, and tokens of private repositories
  programs     whether it has the programs of repomill in a folder
  ports        names and numbers. One that is called ops answers /healthz and /readyz.
  ready        path that says whether it is ready; default: /readyz
  drain        seconds from the order to end until SIGTERM
  termination  seconds from there until SIGKILL, and drain
  restart      restart policy of a job
*/}}
{{- define "repomill.pod" -}}
{{- $v := .root.Values -}}
serviceAccountName: {{ include "repomill.serviceAccount" (list .root (.account | default .component)) }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .restart }}
restartPolicy: {{ . }}
{{- end }}
{{- with .termination }}
terminationGracePeriodSeconds: {{ . }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with $v.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $v.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
nodeSelector:
  kubernetes.io/os: linux
  {{- with $v.nodeSelector }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with $v.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if .ports }}
topologySpreadConstraints:
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    matchLabelKeys: [pod-template-hash]
    labelSelector:
      matchLabels:
        {{- include "repomill.selector" (list $.root $.component) | nindent 8 }}
  {{- end }}
{{- end }}
{{- if and .catalog $v.cloudSQLProxy.instance }}
initContainers:
  {{- include "repomill.cloudSQLProxy" $v.cloudSQLProxy | nindent 2 }}
{{- end }}
containers:
  {{- include "repomill.container" . | nindent 2 }}
{{- with include "repomill.volumes" . | fromYamlArray }}
volumes:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Labels of a pod: list $ component. They change with releases; the selector's do not. */}}
{{- define "repomill.podMetadata" -}}
labels:
  {{- include "repomill.labels" . | nindent 2 }}
{{- with (index . 0).Values.podAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* What a container may do: nothing that the restricted level of pod security refuses, and no write outside of its folders. */}}
{{- define "repomill.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: {drop: [ALL]}
{{- end }}
