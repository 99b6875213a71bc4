{{/*
Names, labels and the metadata of every object. All take the root context, but for `metadata`.
*/}}

{{- define "storage-exporter.name" -}}
{{- .Values.nameOverride | default .Chart.Name -}}
{{- end -}}

{{/*
At most 50 characters, so that what is made of it fits into 63: the hash that the StatefulSet controller appends to
`<fullname>-b` for a label, Jobs, the headless Service. No dots, which a release may have and a Service may not.
*/}}
{{- define "storage-exporter.fullname" -}}
{{- $name := include "storage-exporter.name" . -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- .Values.fullnameOverride | default $full | replace "." "-" | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "storage-exporter.namespace" -}}
{{- .Values.namespaceOverride | default .Release.Namespace -}}
{{- end -}}

{{/* What selects the exporter's own pods: neither the test's nor a Job's, which have no component `exporter`. */}}
{{- define "storage-exporter.selectorLabels" -}}
app.kubernetes.io/name: storage-exporter
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: exporter
{{- end -}}

{{/* Labels of every object. */}}
{{- define "storage-exporter.labels" -}}
{{- $version := .Chart.AppVersion | replace "+" "_" | trunc 63 | trimSuffix "-" -}}
{{- $chart := printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" -}}
{{- $ours := dict
  "app.kubernetes.io/name" "storage-exporter"
  "app.kubernetes.io/instance" .Release.Name
  "app.kubernetes.io/version" $version
  "app.kubernetes.io/part-of" "storage-exporter"
  "app.kubernetes.io/managed-by" .Release.Service
  "helm.sh/chart" $chart
-}}
{{- merge $ours (.Values.commonLabels | default dict) | toYaml -}}
{{- end -}}

{{/*
The metadata of an object, to stand in its first column.
  dict "root" . "name" "x" [ "namespace" "y" | "cluster" true ] [ "labels" map ] [ "annotations" map ]
*/}}
{{- define "storage-exporter.metadata" -}}
{{- $labels := merge dict (.labels | default dict) (include "storage-exporter.labels" .root | fromYaml) -}}
{{- $annotations := merge dict (.annotations | default dict) (.root.Values.commonAnnotations | default dict) -}}
metadata:
  name: {{ .name | quote }}
  {{- if not .cluster }}
  namespace: {{ .namespace | default (include "storage-exporter.namespace" .root) | quote }}
  {{- end }}
  labels:
    {{- toYaml $labels | nindent 4 }}
  {{- with $annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{- define "storage-exporter.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (include "storage-exporter.fullname" .) -}}
{{- end -}}

{{/* A digest says all that a tag does, and more. */}}
{{- define "storage-exporter.image" -}}
{{- $registry := dig "imageRegistry" "" (.Values.global | default dict) | default .Values.image.registry -}}
{{- $name := ternary (printf "%s/%s" $registry .Values.image.repository) .Values.image.repository (ne $registry "") -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $name .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* A YAML list, empty for none. */}}
{{- define "storage-exporter.pullSecrets" -}}
{{- $secrets := list -}}
{{- range concat (dig "imagePullSecrets" list (.Values.global | default dict)) .Values.imagePullSecrets | uniq -}}
{{- $secrets = append $secrets (dict "name" .) -}}
{{- end -}}
{{- with $secrets -}}
{{- toYaml . -}}
{{- end -}}
{{- end -}}
