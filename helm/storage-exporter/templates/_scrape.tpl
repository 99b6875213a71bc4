{{/*
What a monitor's endpoint says, the same for a Service and for pods. The pods of the exporter are many and take turns; what
they say of AWS and Kubernetes does not depend on which of them says it, so those series lose the pod. `up` and the
exporter's own storage_exporter_* keep it.
*/}}
{{- define "storage-exporter.scrape.endpoint" -}}
{{- $interval := include "storage-exporter.seconds" (dict "value" .Values.scrape.interval "where" "scrape.interval") | atoi -}}
{{- $timeout := include "storage-exporter.seconds" (dict "value" .Values.scrape.timeout "where" "scrape.timeout") | atoi -}}
{{- if or (le $timeout 0) (gt $timeout $interval) -}}
  {{- fail (printf "scrape.timeout is %v and scrape.interval %v; the operator ignores a monitor whose timeout is 0 or longer than its interval" .Values.scrape.timeout .Values.scrape.interval) -}}
{{- end -}}
port: metrics
path: /metrics
interval: {{ .Values.scrape.interval | quote }}
scrapeTimeout: {{ .Values.scrape.timeout | quote }}
honorLabels: true
honorTimestamps: true
{{- with .Values.scrape.relabelings }}
relabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
metricRelabelings:
  {{- range list "pod" "instance" "container" "endpoint" }}
  - action: replace
    sourceLabels: [__name__]
    regex: (aws|kubernetes)_.*
    targetLabel: {{ . }}
    replacement: storage-exporter
  {{- end }}
  {{- with .Values.scrape.metricRelabelings }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{/* Which pods or Services, and by which of their labels the job is called. */}}
{{- define "storage-exporter.scrape.selection" -}}
jobLabel: app.kubernetes.io/name
{{- if and .Values.scrape.namespace (ne .Values.scrape.namespace (include "storage-exporter.namespace" .)) }}
namespaceSelector:
  matchNames: [{{ include "storage-exporter.namespace" . }}]
{{- end }}
selector:
  matchLabels:
    {{- include "storage-exporter.selectorLabels" . | nindent 4 }}
{{- end }}
