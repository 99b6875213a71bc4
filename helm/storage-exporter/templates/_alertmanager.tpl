{{/*
An AlertmanagerConfig out of rules/alertmanager/alertmanager.yaml: its route for our alerts and its inhibitions in the
words of the operator, receivers of the values. Left out are routes to the receivers of certain teams, which are examples,
and the office hours, which have a place.
*/}}
{{- define "storage-exporter.alertmanager.spec" -}}
{{- $said := .Values.alertmanager.config -}}
{{- $source := .Files.Get "files/alertmanager/alertmanager.yaml" | fromYaml -}}
{{- if hasKey $source "Error" -}}
  {{- fail (printf "files/alertmanager/alertmanager.yaml: is not YAML: %s" $source.Error) -}}
{{- end -}}
{{- $names := list -}}
{{- range $said.receivers -}}
  {{- $names = append $names .name -}}
{{- end -}}
{{- if not $said.routes.critical -}}
  {{- fail "alertmanager.config.routes.critical: name the receiver of what pages, one of alertmanager.config.receivers" -}}
{{- end -}}
{{- range $severity, $name := $said.routes -}}
  {{- if and $name (not (has $name $names)) -}}
    {{- fail (printf "alertmanager.config.routes.%s: there is no receiver '%s' in alertmanager.config.receivers; there are: %s" $severity $name ($names | sortAlpha | join ", " | default "none")) -}}
  {{- end -}}
{{- end -}}
{{- $nobody := "storage-exporter-nobody" -}}
{{- $chosen := dict "storage-page" $said.routes.critical "storage-ticket" ($said.routes.warning | default $said.routes.critical) "storage-list" ($said.routes.info | default $nobody) "storage-watchdog" ($said.routes.watchdog | default $nobody) -}}
{{- $receivers := $said.receivers -}}
{{- if has $nobody (values $chosen) -}}
  {{- $receivers = append $receivers (dict "name" $nobody) -}}
{{- end -}}
{{- $route := include "storage-exporter.alertmanager.route" (dict "route" (first $source.route.routes) "chosen" $chosen) | fromYaml -}}
{{- $rules := list -}}
{{- range $source.inhibit_rules -}}
  {{- $from := include "storage-exporter.alertmanager.matchers" .source_matchers | fromYamlArray -}}
  {{- $to := include "storage-exporter.alertmanager.matchers" .target_matchers | fromYamlArray -}}
  {{- $rules = append $rules (dict "sourceMatch" $from "targetMatch" $to "equal" .equal) -}}
{{- end -}}
{{- /* A bare = is a type of its own in YAML 1.1, which Python's readers refuse. */ -}}
{{- regexReplaceAll "(?m)matchType: =$" (toYaml (dict "route" $route "inhibitRules" $rules "receivers" $receivers)) "matchType: \"=\"" -}}
{{- end }}

{{/* A route and those below it; nothing where its receiver is not among the chosen. Takes route and chosen. */}}
{{- define "storage-exporter.alertmanager.route" -}}
{{- $chosen := .chosen -}}
{{- $route := .route -}}
{{- if hasKey $chosen $route.receiver -}}
{{- $made := dict "receiver" (get $chosen $route.receiver) "matchers" (include "storage-exporter.alertmanager.matchers" $route.matchers | fromYamlArray) -}}
{{- range $theirs, $ours := dict "group_by" "groupBy" "group_wait" "groupWait" "group_interval" "groupInterval" "repeat_interval" "repeatInterval" "continue" "continue" -}}
  {{- if hasKey $route $theirs -}}
    {{- $_ := set $made $ours (get $route $theirs) -}}
  {{- end -}}
{{- end -}}
{{- $below := list -}}
{{- range $route.routes -}}
  {{- with include "storage-exporter.alertmanager.route" (dict "route" . "chosen" $chosen) | fromYaml -}}
    {{- $below = append $below . -}}
  {{- end -}}
{{- end -}}
{{- if $below -}}
  {{- $_ := set $made "routes" $below -}}
{{- end -}}
{{- toYaml $made -}}
{{- end -}}
{{- end }}

{{/* Matchers as Alertmanager writes them (severity=~"warning|info"), as the operator has them. */}}
{{- define "storage-exporter.alertmanager.matchers" -}}
{{- $made := list -}}
{{- range . -}}
  {{- $form := "^([A-Za-z_][A-Za-z0-9_]*)(=~|!~|!=|=)\"([^\"\\\\]*)\"$" -}}
  {{- if not (regexMatch $form .) -}}
    {{- fail (printf "files/alertmanager/alertmanager.yaml: the matcher %s is not like name=\"value\"" .) -}}
  {{- end -}}
  {{- $made = append $made (dict "name" (regexReplaceAll $form . "${1}") "matchType" (regexReplaceAll $form . "${2}") "value" (regexReplaceAll $form . "${3}")) -}}
{{- end -}}
{{- toYaml $made -}}
{{- end }}
