{{/*
Values that each pass the schema and do not go together. One line each: the key, what is wrong, what to write instead.
*/}}

{{- define "storage-exporter.refuse" -}}
{{- include "storage-exporter.refuse.sections" . -}}
{{- include "storage-exporter.refuse.derived" . -}}
{{- include "storage-exporter.refuse.config" . -}}
{{- include "storage-exporter.refuse.identity" . -}}
{{- include "storage-exporter.refuse.workload" . -}}
{{- end -}}

{{/* Whether a section of the configuration gives a key: dict "section" map "key" "x". A key without a value gives none. */}}
{{- define "storage-exporter.gives" -}}
{{- $section := .section | default dict -}}
{{- if and (hasKey $section .key) (not (kindIs "invalid" (get $section .key))) -}}true{{- end -}}
{{- end -}}

{{/* The sections that templates look into are such. What stands in their place may be a secret, so it is not shown. */}}
{{- define "storage-exporter.refuse.sections" -}}
{{- $config := .Values.config | default dict -}}
{{- range list "web" "identity" "shards" "kubernetes" "delivery" -}}
{{- if and (include "storage-exporter.gives" (dict "section" $config "key" .)) (not (kindIs "map" (get $config .))) -}}
{{- fail (printf "config.%s is a %s, but keys with values belong there; write it as config.%s.KEY" . (get $config . | kindOf) .) -}}
{{- end -}}
{{- end -}}
{{- $kubernetes := $config.kubernetes | default dict -}}
{{- if and (include "storage-exporter.gives" (dict "section" $kubernetes "key" "lease")) (not (kindIs "map" $kubernetes.lease)) -}}
{{- fail (printf "config.kubernetes.lease is a %s, but keys with values belong there; write it as config.kubernetes.lease.KEY" (kindOf $kubernetes.lease)) -}}
{{- end -}}
{{- if and (include "storage-exporter.gives" (dict "section" $config "key" "covered")) (not (kindIs "slice" $config.covered)) -}}
{{- fail (printf "config.covered is a %s, but a list belongs there; write config.covered: [ebs-nvme], or sources.ebsCsiNvme: true" (kindOf $config.covered)) -}}
{{- end -}}
{{- end -}}

{{/* What the chart writes itself is said once. */}}
{{- define "storage-exporter.refuse.derived" -}}
{{- $values := .Values -}}
{{- $config := .Values.config | default dict -}}
{{- $kubernetes := $config.kubernetes | default dict -}}
{{- if include "storage-exporter.gives" (dict "section" $config.web "key" "listen") -}}
{{- fail (printf "config.web.listen is given, but the chart writes it from port (now %v); remove it, and set port" $values.port) -}}
{{- end -}}
{{- if include "storage-exporter.gives" (dict "section" $config.identity "key" "provider") -}}
{{- fail (printf "config.identity.provider is given, but the chart writes it from aws.identity (now %s); remove it, and set aws.identity to podIdentity, irsa, secret or none" $values.aws.identity) -}}
{{- end -}}
{{- if include "storage-exporter.gives" (dict "section" $config.identity "key" "role") -}}
{{- fail (printf "config.identity.role is given, but the chart writes it from aws.roleArn; remove it, and set aws.roleArn: %v" $config.identity.role) -}}
{{- end -}}
{{- if $config.shards -}}
{{- fail (printf "config.shards is given, but the chart writes it from mode (now %s) and shards.total; remove it, and set mode: shards and shards.total" $values.mode) -}}
{{- end -}}
{{- if include "storage-exporter.gives" (dict "section" $kubernetes "key" "leader_election") -}}
{{- fail (printf "config.kubernetes.leader_election is given, but the chart writes it: true where there is a second replica; remove it, and set %s" (ternary "shards.sets" "replicas" (eq $values.mode "shards"))) -}}
{{- end -}}
{{- if include "storage-exporter.gives" (dict "section" $kubernetes.lease "key" "name") -}}
{{- fail (printf "config.kubernetes.lease.name is given, but the Lease has the full name (now %s); remove it, and set fullnameOverride for another" (include "storage-exporter.fullname" .)) -}}
{{- end -}}
{{- end -}}

{{/* Rules between keys of the configuration that the program has too; here they speak before the rollout. */}}
{{- define "storage-exporter.refuse.config" -}}
{{- $config := .Values.config | default dict -}}
{{- if and $config .Values.existingConfigMap.name -}}
{{- fail (printf "config and existingConfigMap.name (%s) are both given, and the exporter reads one; move config into that ConfigMap, or set existingConfigMap.name: \"\"" .Values.existingConfigMap.name) -}}
{{- end -}}
{{- $kubernetes := $config.kubernetes | default dict -}}
{{- range list "pods" "csi_drivers" -}}
{{- if and (eq (toString $kubernetes.enabled) "false") (eq (toString (get $kubernetes .)) "true") -}}
{{- fail (printf "config.kubernetes.%s is true, but config.kubernetes.enabled is false; set config.kubernetes.enabled: true, or remove %s" . .) -}}
{{- end -}}
{{- end -}}
{{- $delivery := $config.delivery | default dict -}}
{{- if eq (toString $delivery.mode) "push" -}}
{{- if not $config.cluster -}}
{{- fail "config.cluster is empty, but config.delivery.mode is push, where it tells clusters apart; set config.cluster to the cluster's name" -}}
{{- end -}}
{{- if not (dig "push" "url" "" (dict "push" ($delivery.push | default dict))) -}}
{{- fail "config.delivery.push.url is empty, but config.delivery.mode is push; set it to the receiver's address, such as http://mimir-distributor:8080/api/v1/push" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "storage-exporter.refuse.identity" -}}
{{- $aws := .Values.aws -}}
{{- $account := .Values.serviceAccount -}}
{{- $annotation := "eks.amazonaws.com/role-arn" -}}
{{- if and (eq $aws.identity "irsa") (not $aws.roleArn) -}}
{{- fail "aws.roleArn is empty, but aws.identity is irsa; set it to the role's ARN, such as arn:aws:iam::123456789012:role/storage-exporter" -}}
{{- end -}}
{{- if and (eq $aws.identity "secret") (not $aws.existingSecret.name) -}}
{{- fail "aws.existingSecret.name is empty, but aws.identity is secret; set it to the Secret that holds the keys" -}}
{{- end -}}
{{- if and (ne $aws.identity "secret") $aws.existingSecret.name -}}
{{- fail (printf "aws.existingSecret.name is %s, but aws.identity is %s, which reads no Secret; set aws.identity: secret, or remove the name" $aws.existingSecret.name $aws.identity) -}}
{{- end -}}
{{- if hasKey ($account.annotations | default dict) $annotation -}}
{{- $arn := get $account.annotations $annotation -}}
{{- if eq $aws.identity "irsa" -}}
{{- fail (printf "serviceAccount.annotations has %s, which the chart writes; remove it, and set aws.roleArn: %v" $annotation $arn) -}}
{{- end -}}
{{- fail (printf "serviceAccount.annotations has %s, but aws.identity is %s, and IRSA would win; remove it, or set aws.identity: irsa and aws.roleArn: %v" $annotation $aws.identity $arn) -}}
{{- end -}}
{{- if not (or $account.create $account.name) -}}
{{- fail "serviceAccount.name is empty, but serviceAccount.create is false; set it to the account that exists, or set serviceAccount.create: true" -}}
{{- end -}}
{{- if and (not $account.create) $account.annotations -}}
{{- fail (printf "serviceAccount.annotations are given, but serviceAccount.create is false, so nobody writes them; annotate %s yourself, and remove them" $account.name) -}}
{{- end -}}
{{- if and .Values.rbac.existingClusterRole (not .Values.rbac.create) -}}
{{- fail (printf "rbac.existingClusterRole is %s, but rbac.create is false, so nothing binds it; set rbac.create: true, or remove it and bind it yourself" .Values.rbac.existingClusterRole) -}}
{{- end -}}
{{- end -}}

{{- define "storage-exporter.refuse.workload" -}}
{{- $values := .Values -}}
{{- $name := include "storage-exporter.fullname" . -}}
{{- if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" $name) -}}
{{- fail (printf "the full name %s cannot be a Service's: it begins with a lower-case letter and has lower-case letters, digits and -; set fullnameOverride" $name) -}}
{{- end -}}
{{- if gt (int $values.shards.sets) 2 -}}
{{- fail (printf "shards.sets is %v, but one replica takes over for another; set it to 1 or 2, and shards.total for more exporters" $values.shards.sets) -}}
{{- end -}}
{{- if and (eq $values.mode "shards") (lt (int $values.shards.total) 1) -}}
{{- fail (printf "shards.total is %v, but mode is shards; set it to 1 or more" $values.shards.total) -}}
{{- end -}}
{{- $strategy := $values.updateStrategy | default dict -}}
{{- if eq (include "storage-exporter.workload" .) "statefulset" -}}
{{- $why := ternary "mode is shards" "persistence.enabled is true" (eq $values.mode "shards") -}}
{{- if or (eq (toString $strategy.type) "Recreate") (hasKey ($strategy.rollingUpdate | default dict) "maxSurge") -}}
{{- fail (printf "updateStrategy is a Deployment's (Recreate, maxSurge), but %s, which makes a StatefulSet; set updateStrategy: {}" $why) -}}
{{- end -}}
{{- else if eq (toString $strategy.type) "OnDelete" -}}
{{- fail "updateStrategy.type is OnDelete, which a Deployment does not have; set RollingUpdate or Recreate" -}}
{{- end -}}
{{- if and (eq $values.scrape.by "serviceMonitor") (not $values.service.enabled) (ne (toString (dig "delivery" "mode" "" (dict "delivery" (($values.config | default dict).delivery | default dict)))) "push") -}}
{{- fail "scrape.by is serviceMonitor, but service.enabled is false, so it finds nothing; set scrape.by: podMonitor, or service.enabled: true" -}}
{{- end -}}
{{- range $key := list "podLabels" "commonLabels" -}}
{{- range list "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/component" "storage-exporter.io/set" -}}
{{- if hasKey (get $values $key | default dict) . -}}
{{- fail (printf "%s has %s, which the chart's selectors need as it is; remove it, or use another key" $key .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
