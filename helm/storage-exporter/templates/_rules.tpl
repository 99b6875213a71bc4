{{/*
Rules as data: what exporter/ruler/overrides.py and render.py do, in the words of templates. The overrides stand in
config.rules, so that `storage-exporter rules sync` and these objects say the same; a test compares the two. Files never
go through tpl: what looks like a template in them is Alertmanager's.
*/}}

{{/*
The overrides of config.rules as YAML: disable, files, alerts, labels, runbook_url, grafana_url. Refuses what the program
would refuse, and variables of the environment, which are not known here.
*/}}
{{- define "storage-exporter.rules.overrides" -}}
{{- $section := (include "storage-exporter.config" . | fromYaml).rules | default dict -}}
{{- $said := pick $section "disable" "files" "alerts" "labels" "runbook_url" "grafana_url" | toJson -}}
{{- if regexMatch "(^|[^$])\\$\\{" $said -}}
  {{- fail "config.rules holds ${…} in what changes rules (disable, files, alerts, labels, runbook_url, grafana_url); the chart renders rules without the pod's environment: write the value itself" -}}
{{- end -}}
{{- $own := fromJson ($said | replace "$${" "${") -}}
{{- include "storage-exporter.rules.check" (dict "root" . "own" $own) -}}
{{- toYaml $own -}}
{{- end }}

{{/*
Fails for names that no rule, file or threshold has, for numbers that cannot be meant, for labels that would be lost.
*/}}
{{- define "storage-exporter.rules.check" -}}
{{- $root := .root -}}
{{- $own := .own -}}
{{- include "storage-exporter.rules.labels" (dict "labels" $own.labels "where" "config.rules.labels") -}}
{{- range $name, $other := $own.alerts -}}
  {{- include "storage-exporter.rules.labels" (dict "labels" ($other | default dict).labels "where" (printf "config.rules.alerts.%s.labels" $name)) -}}
{{- end -}}
{{- range $key := list "runbook_url" "grafana_url" -}}
  {{- if regexMatch "[#?]" (get $own $key | default "") -}}
    {{- fail (printf "config.rules.%s holds # or ?, where ours begins; give the address up to there" $key) -}}
  {{- end -}}
{{- end -}}
{{- if or $own.disable $own.files $own.alerts -}}
  {{- $alerts := dict -}}
  {{- $files := dict -}}
  {{- range $language := list "mimir" "loki" -}}
    {{- range $path, $bytes := $root.Files.Glob (printf "files/%s/*.yaml" $language) -}}
      {{- $name := base $path | trimSuffix ".yaml" -}}
      {{- $_ := set $files $name true -}}
      {{- $_ := set $files (printf "%s/%s" $language $name) true -}}
      {{- range regexFindAll "(?m)^ +- alert: \\S+$" (toString $bytes) -1 -}}
        {{- $_ := set $alerts (splitList "alert: " . | last) true -}}
      {{- end -}}
    {{- end -}}
  {{- end -}}
  {{- range $index, $name := $own.disable -}}
    {{- if not (hasKey $alerts $name) -}}
      {{- fail (printf "config.rules.disable[%d]: there is no alert '%s'" $index $name) -}}
    {{- end -}}
  {{- end -}}
  {{- range $name, $_ := $own.files -}}
    {{- if not (hasKey $files $name) -}}
      {{- fail (printf "config.rules.files: there is no file '%s'; there are: %s" $name (keys $files | sortAlpha | join ", ")) -}}
    {{- end -}}
  {{- end -}}
  {{- range $name, $other := $own.alerts -}}
    {{- if not (hasKey $alerts $name) -}}
      {{- fail (printf "config.rules.alerts: there is no alert '%s'" $name) -}}
    {{- end -}}
  {{- end -}}
  {{- $table := dict -}}
  {{- range $name, $other := $own.alerts -}}
    {{- if ($other | default dict).thresholds -}}
      {{- if not $table -}}
        {{- $table = include "storage-exporter.rules.read" (dict "root" $root "path" "files/thresholds.yaml") | fromYaml -}}
      {{- end -}}
      {{- $known := get $table $name | default dict -}}
      {{- range $threshold, $number := $other.thresholds -}}
        {{- $where := printf "config.rules.alerts.%s.thresholds.%s" $name $threshold -}}
        {{- if not (hasKey $known $threshold) -}}
          {{- $has := $known | empty | ternary "it has none" (printf "it has: %s" (keys $known | sortAlpha | join ", ")) -}}
          {{- fail (printf "%s: there is no threshold '%s' of %s; %s" $where $threshold $name $has) -}}
        {{- end -}}
        {{- $shipped := get $known $threshold -}}
        {{- if not (kindIs "float64" $number) -}}
          {{- fail (printf "%s: %s is not a number; write it without quotes" $where (toJson $number)) -}}
        {{- end -}}
        {{- if and (ge (float64 $shipped.value) 0.0) (lt (float64 $number) 0.0) -}}
          {{- fail (printf "%s: %v is below 0, which it never is (%s; %v as shipped)" $where $number $shipped.meaning $shipped.value) -}}
        {{- end -}}
        {{- if and (eq $shipped.unit "ratio") (le (float64 $shipped.value) 1.0) (gt (float64 $number) 1.0) -}}
          {{- fail (printf "%s: %v is over 1, and it is a ratio: 0.9 for 90 %% (%s)" $where $number $shipped.meaning) -}}
        {{- end -}}
      {{- end -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- end }}

{{/*
Labels that the rules set themselves, or by which they tell one resource from another, are no one else's; exporter/config/
rules.py says why, and a test holds the two lists together. Takes labels and where.
*/}}
{{- define "storage-exporter.rules.labels" -}}
{{- $where := .where -}}
{{- $held := list "alertname" "project" "component" "reason" "severity"
  "cluster" "account_id" "region" "availability_zone"
  "volume_id" "instance_id" "file_system_id" "bucket" "key_id"
  "replication_group_id" "cache_cluster_id" "cache_node_id" "serverless_cache"
  "namespace" "persistentvolumeclaim" "workload" "node" "storageclass"
  "bucket_component" "file_system_name"
-}}
{{- range $name, $_ := .labels -}}
  {{- if has $name $held -}}
    {{- fail (printf "%s.%s: the rules set this label or tell resources apart by it; choose another label" $where $name) -}}
  {{- end -}}
{{- end -}}
{{- end }}

{{/*
A YAML file of the chart, as it stands. Helm's fromYaml gives a map with the key Error for what it cannot read, which would
render as no rules at all. Takes root and path.
*/}}
{{- define "storage-exporter.rules.read" -}}
{{- $text := .root.Files.Get .path -}}
{{- $data := fromYaml $text -}}
{{- if hasKey $data "Error" -}}
  {{- fail (printf "%s: is not YAML: %s" .path $data.Error) -}}
{{- end -}}
{{- if not $data -}}
  {{- fail (printf "%s: is empty or not in the chart" .path) -}}
{{- end -}}
{{- $text -}}
{{- end }}

{{/*
The rules of one file as YAML with one key, groups; nothing where the overrides leave nothing of it. Takes root, path,
overrides (a map) and mimir (whether groups that page get a query_offset).
*/}}
{{- define "storage-exporter.rules.groups" -}}
{{- $own := .overrides -}}
{{- $path := .path -}}
{{- $mimir := .mimir -}}
{{- $data := .root.Files.Get $path | fromYaml -}}
{{- if hasKey $data "Error" -}}
  {{- fail (printf "%s: is not YAML: %s" $path $data.Error) -}}
{{- end -}}
{{- if not (and (kindIs "slice" $data.groups) $data.groups) -}}
  {{- fail (printf "%s: holds no groups of rules" $path) -}}
{{- end -}}
{{- $groups := list -}}
{{- range $group := $data.groups -}}
  {{- if not $group.rules -}}
    {{- fail (printf "%s: %s has no rules" $path $group.name) -}}
  {{- end -}}
  {{- $rules := list -}}
  {{- $pages := false -}}
  {{- range $rule := $group.rules -}}
    {{- if not (and $rule.alert (has $rule.alert $own.disable)) -}}
      {{- $_ := set $rule "expr" (trim $rule.expr) -}}
      {{- if $rule.alert -}}
        {{- include "storage-exporter.rules.alert" (dict "rule" $rule "own" $own) -}}
        {{- $pages = or $pages (eq $rule.labels.severity "critical") -}}
      {{- end -}}
      {{- $rules = append $rules $rule -}}
    {{- end -}}
  {{- end -}}
  {{- if $rules -}}
    {{- $_ := set $group "rules" $rules -}}
    {{- if and $mimir $pages -}}
      {{- $_ := set $group "query_offset" "1s" -}}
    {{- end -}}
    {{- $groups = append $groups $group -}}
  {{- end -}}
{{- end -}}
{{- if $groups -}}
{{- toYaml (dict "groups" $groups) -}}
{{- end -}}
{{- end }}

{{/* Changes one alert as the overrides want it, in place; gives no text. Takes rule and own. */}}
{{- define "storage-exporter.rules.alert" -}}
{{- $rule := .rule -}}
{{- $own := .own -}}
{{- $other := get ($own.alerts | default dict) $rule.alert | default dict -}}
{{- range $name, $number := $other.thresholds -}}
  {{- $named := printf "(?m)(^|[^\\w.)\\]])(?:-?[0-9.]+(?:[eE][+-]?[0-9]+)?)([ ]*# %s)$" (regexQuoteMeta $name) -}}
  {{- $_ := set $rule "expr" (regexReplaceAll $named $rule.expr (printf "${1}%s${2}" (include "storage-exporter.rules.number" $number))) -}}
{{- end -}}
{{- range $key := list "for" "keep_firing_for" -}}
  {{- if hasKey $other $key -}}
    {{- $span := include "storage-exporter.rules.span" (dict "value" (get $other $key) "where" (printf "config.rules.alerts.%s.%s" $rule.alert $key)) -}}
    {{- if $span -}}
      {{- $_ := set $rule $key $span -}}
    {{- else -}}
      {{- $_ := unset $rule $key -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- if or $own.labels $other.labels $other.severity -}}
  {{- $labels := mergeOverwrite (dict) ($rule.labels | default dict) ($own.labels | default dict) ($other.labels | default dict) -}}
  {{- with $other.severity -}}
    {{- if not (has . (list "critical" "warning" "info" "none")) -}}
      {{- fail (printf "config.rules.alerts.%s.severity: '%v' is not one of critical, warning, info, none" $rule.alert .) -}}
    {{- end -}}
    {{- $_ := set $labels "severity" . -}}
  {{- end -}}
  {{- $_ := set $rule "labels" $labels -}}
{{- end -}}
{{- $runbooks := "https://github.com/officeless/storage-exporter/blob/main/rules/README.md" -}}
{{- if and $own.runbook_url (hasPrefix $runbooks (get $rule.annotations "runbook_url")) -}}
  {{- $_ := set $rule.annotations "runbook_url" (printf "%s%s" $own.runbook_url (trimPrefix $runbooks $rule.annotations.runbook_url)) -}}
{{- end -}}
{{- if and $own.grafana_url (hasPrefix "/" (get $rule.annotations "dashboard_url")) -}}
  {{- $_ := set $rule.annotations "dashboard_url" (printf "%s%s" (regexReplaceAll "/+$" $own.grafana_url "") $rule.annotations.dashboard_url) -}}
{{- end -}}
{{- end }}

{{/* A number as exporter/ruler/thresholds.py spells it: all digits from 0.0001 to 1e16, else with an exponent. */}}
{{- define "storage-exporter.rules.number" -}}
{{- $number := float64 . -}}
{{- $size := $number -}}
{{- if lt $number 0.0 -}}{{- $size = mulf $number -1.0 -}}{{- end -}}
{{- if and (ne $size 0.0) (or (lt $size 0.0001) (ge $size 1e16)) -}}
{{- printf "%v" $number -}}
{{- else -}}
{{- toJson $number -}}
{{- end -}}
{{- end }}

{{/* Seconds of a duration of the configuration (600, 10m, 1h30m). Takes value and where. */}}
{{- define "storage-exporter.seconds" -}}
{{- $text := kindIs "float64" .value | ternary (toJson .value) (toString .value) -}}
{{- if not (and $text (regexMatch "^([0-9]{1,9}d)?([0-9]{1,9}h)?([0-9]{1,9}m)?([0-9]{1,9}s)?$|^[0-9]{1,9}$" $text)) -}}
  {{- fail (printf "%s: '%s' is not a duration; write it like 30s, 5m, 1h, 1d or as a whole number of seconds" .where $text) -}}
{{- end -}}
{{- if regexMatch "^[0-9]+$" $text -}}
  {{- atoi $text -}}
{{- else -}}
  {{- $seconds := 0 -}}
  {{- range $unit, $size := dict "d" 86400 "h" 3600 "m" 60 "s" 1 -}}
    {{- with regexFind (printf "[0-9]+%s" $unit) $text -}}
      {{- $seconds = add $seconds (mul (trimSuffix $unit . | atoi) $size) -}}
    {{- end -}}
  {{- end -}}
  {{- $seconds -}}
{{- end -}}
{{- end }}

{{/* How long a rule waits, in the largest unit that divides it; nothing for 0. Takes value and where. */}}
{{- define "storage-exporter.rules.span" -}}
{{- $seconds := include "storage-exporter.seconds" . | atoi -}}
{{- if gt $seconds 2592000 -}}
  {{- fail (printf "%s: '%v' is out of range; give a duration from 0s to 30d" .where .value) -}}
{{- end -}}
{{- if not $seconds -}}
{{- else if eq (mod $seconds 86400) 0 -}}
{{- div $seconds 86400 }}d
{{- else if eq (mod $seconds 3600) 0 -}}
{{- div $seconds 3600 }}h
{{- else if eq (mod $seconds 60) 0 -}}
{{- div $seconds 60 }}m
{{- else -}}
{{- $seconds }}s
{{- end -}}
{{- end }}

{{/*
Each rendered file of one language. Takes root, language (mimir or loki), overrides, and form (prometheusrule or
configmap). What names, labels and groups are is said in exporter/ruler/render.py.
*/}}
{{- define "storage-exporter.rules.objects" -}}
{{- $root := .root -}}
{{- $language := .language -}}
{{- $form := .form -}}
{{- $own := .overrides -}}
{{- $said := get $root.Values.rules $language -}}
{{- $mimir := and (eq $language "mimir") (eq $said.evaluatedBy "mimir") -}}
{{- $dialect := dict "storage-exporter.io/rules" (eq $language "loki" | ternary "logql" "promql") -}}
{{- $labels := dict -}}
{{- $annotations := $said.annotations | default dict -}}
{{- if eq $form "configmap" -}}
  {{- if eq $language "loki" -}}
    {{- $labels = dict "loki_rule" "" -}}
    {{- $annotations = mergeOverwrite (dict) $annotations (dict "k8s-sidecar-target-directory" $said.folder) -}}
  {{- else if $mimir -}}
    {{- $labels = dict "mimir_rules" "1" -}}
  {{- end -}}
{{- end -}}
{{- $labels = mergeOverwrite (dict) $labels ($said.labels | default dict) $dialect -}}
{{- $found := false -}}
{{- range $path, $_ := $root.Files.Glob (printf "files/%s/*.yaml" $language) -}}
{{- $file := base $path | trimSuffix ".yaml" -}}
{{- $chosen := $own.files | default dict -}}
{{- $both := printf "%s/%s" $language $file -}}
{{- if ne (toString (hasKey $chosen $both | ternary (get $chosen $both) (get $chosen $file))) "false" -}}
{{- $groups := include "storage-exporter.rules.groups" (dict "root" $root "path" $path "overrides" $own "mimir" $mimir) -}}
{{- if $groups -}}
{{- $found = true -}}
{{- $name := printf "%s-%s%s" (include "storage-exporter.fullname" $root) (eq $language "loki" | ternary "logs-" "") $file }}
---
apiVersion: {{ eq $form "configmap" | ternary "v1" "monitoring.coreos.com/v1" }}
kind: {{ eq $form "configmap" | ternary "ConfigMap" "PrometheusRule" }}
{{ include "storage-exporter.metadata" (dict "root" $root "name" $name "namespace" $said.namespace "labels" $labels "annotations" $annotations) }}
{{- if eq $form "configmap" }}
data:
  {{ $name }}.yaml: |
    {{- $groups | nindent 4 }}
{{- else }}
spec:
  {{- $groups | nindent 2 }}
{{- end }}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if not $found -}}
  {{- fail (printf "rules.%s.delivery is %s, and there are no rules for it; look at config.rules.disable and config.rules.files, or set it to none" $language $said.delivery) -}}
{{- end -}}
{{- end }}
