{{/*
The exporter's configuration: what the user gives, and under it what follows from the other values. What both say is
refused here, as are values that do not go together.
*/}}

{{/* Replicas that do the same: those of mode leader, or the sets of mode shards. */}}
{{- define "storage-exporter.replicasPerOrdinal" -}}
{{- if eq .Values.mode "shards" -}}{{ int .Values.shards.sets }}{{- else -}}{{ int .Values.replicas }}{{- end -}}
{{- end -}}

{{/* Whether a Lease may be held: where there is a second replica, or a ConfigMap that is not ours may say so. */}}
{{- define "storage-exporter.leaderElected" -}}
{{- if or .Values.existingConfigMap.name (gt (include "storage-exporter.replicasPerOrdinal" . | int) 1) -}}true{{- end -}}
{{- end -}}

{{/* What the chart says in the configuration, as YAML. */}}
{{- define "storage-exporter.derived" -}}
{{- $identity := dict "provider" (get (dict "podIdentity" "pod-identity" "irsa" "irsa" "secret" "static" "none" "auto") .Values.aws.identity) -}}
{{- with .Values.aws.roleArn -}}
{{- $_ := set $identity "role" . -}}
{{- end -}}
{{- $elected := gt (include "storage-exporter.replicasPerOrdinal" . | int) 1 -}}
{{- $kubernetes := dict "leader_election" $elected "lease" (dict "name" (include "storage-exporter.fullname" .)) -}}
{{- $derived := dict "web" (dict "listen" (printf ":%d" (int .Values.port))) "identity" $identity "kubernetes" $kubernetes -}}
{{- if eq .Values.mode "shards" -}}
{{- $_ := set $derived "shards" (dict "total" (int .Values.shards.total)) -}}
{{- end -}}
{{- toYaml $derived -}}
{{- end -}}

{{/*
The effective configuration, as YAML. With a ConfigMap that is not ours it is what the chart would have written for an
empty `config`: other templates ask it what is read and how it is delivered.
*/}}
{{- define "storage-exporter.config" -}}
{{- include "storage-exporter.refuse" . -}}
{{- $config := dict -}}
{{- range $key, $value := .Values.config | default dict -}}
{{- if not (kindIs "invalid" $value) -}}
{{- $_ := set $config $key (deepCopy $value) -}}
{{- end -}}
{{- end -}}
{{- if .Values.sources.ebsCsiNvme -}}
{{- $_ := set $config "covered" (append (get $config "covered" | default list) "ebs-nvme" | uniq) -}}
{{- end -}}
{{- mustMerge $config (include "storage-exporter.derived" . | fromYaml) | toYaml -}}
{{- end -}}

{{/* Whether series are pushed, so that nobody scrapes. */}}
{{- define "storage-exporter.pushes" -}}
{{- $config := include "storage-exporter.config" . | fromYaml -}}
{{- if eq (dig "delivery" "mode" "scrape" $config | toString) "push" -}}true{{- end -}}
{{- end -}}

{{/* Whether claims are read of the cluster. A variable (`${READ}`) may say so too. */}}
{{- define "storage-exporter.joins" -}}
{{- $config := include "storage-exporter.config" . | fromYaml -}}
{{- if ne (dig "kubernetes" "enabled" "auto" $config | toString) "false" -}}true{{- end -}}
{{- end -}}

{{/* Whether a flag of the configuration is on. A variable (`${PODS}`) may turn it on, so it counts as on. */}}
{{- define "storage-exporter.on" -}}
{{- if or (eq (toString .) "true") (contains "${" (toString .)) -}}true{{- end -}}
{{- end -}}

{{/* Where the Lease stands. A variable (`${POD_NAMESPACE}`) is taken for the pod's own namespace. */}}
{{- define "storage-exporter.leaseNamespace" -}}
{{- $config := include "storage-exporter.config" . | fromYaml -}}
{{- $where := dig "kubernetes" "lease" "namespace" "" $config | default "" -}}
{{- if or (eq $where "") (contains "${" $where) -}}{{ include "storage-exporter.namespace" . }}{{- else -}}{{ $where }}{{- end -}}
{{- end -}}

{{/* A YAML list: one Lease, or one for each of several ordinals. */}}
{{- define "storage-exporter.leaseNames" -}}
{{- $name := include "storage-exporter.fullname" . -}}
{{- $names := list $name -}}
{{- if and (eq .Values.mode "shards") (gt (int .Values.shards.total) 1) -}}
{{- $names = list -}}
{{- range until (int .Values.shards.total) -}}
{{- $names = append $names (printf "%s-%d" $name .) -}}
{{- end -}}
{{- end -}}
{{- toYaml $names -}}
{{- end -}}

{{/* Whether pods speak to the Kubernetes API, and so need a token. */}}
{{- define "storage-exporter.speaksToKubernetes" -}}
{{- if or (include "storage-exporter.joins" .) (include "storage-exporter.leaderElected" .) -}}true{{- end -}}
{{- end -}}

{{/* deployment or statefulset. A Deployment whose pods share one claim would wait for itself in each update. */}}
{{- define "storage-exporter.workload" -}}
{{- if or (eq .Values.mode "shards") .Values.persistence.enabled -}}statefulset{{- else -}}deployment{{- end -}}
{{- end -}}
