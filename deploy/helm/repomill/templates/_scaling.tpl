{{/* The Service of a component: list $ component port. */}}
{{- define "repomill.service" }}
---
apiVersion: v1
kind: Service
metadata:
  {{- include "repomill.metadata" . | nindent 2 }}
spec:
  selector:
    {{- include "repomill.selector" . | nindent 4 }}
  ports:
    - name: {{ index . 2 }}
      port: 80
      targetPort: {{ index . 2 }}
      appProtocol: http
{{- end }}

{{/* One pod at a time ends when nodes are emptied: list $ component. */}}
{{- define "repomill.budget" }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "repomill.metadata" . | nindent 2 }}
spec:
  maxUnavailable: 1
  # A pod that is not ready does not hold up a node.
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "repomill.selector" . | nindent 6 }}
{{- end }}

{{/* More pods when the processors are busy: list $ component (dict enabled min max cpuPercent). */}}
{{- define "repomill.autoscaler" }}
{{- with index . 2 }}
{{- if .enabled }}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  {{- include "repomill.metadata" $ | nindent 2 }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ include "repomill.fullname" (index $ 0) }}-{{ index $ 1 }}
  minReplicas: {{ .min }}
  maxReplicas: {{ .max }}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target: {type: Utilization, averageUtilization: {{ .cpuPercent }}}
  behavior:
    # A release day comes in waves.
    scaleDown: {stabilizationWindowSeconds: 900}
{{- end }}
{{- end }}
{{- end }}
