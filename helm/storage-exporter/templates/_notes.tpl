{{/*
What NOTES.txt says, by subject: each a text of its own, or nothing. Lines end before column 80, but for commands.
*/}}

{{/* A title and a paragraph. dict "title" "x" "text" "y" [ "commands" list ] */}}
{{- define "storage-exporter.notes.item" -}}
* {{ .title }}
{{ wrap 77 .text | indent 2 }}
{{- range .commands }}
    {{ . }}
{{- end }}
{{- end -}}

{{/* kubectl in our namespace. */}}
{{- define "storage-exporter.notes.kubectl" -}}
kubectl -n {{ include "storage-exporter.namespace" . }}
{{- end -}}

{{- define "storage-exporter.notes.workload" -}}
{{ ternary "sts" "deploy" (eq (include "storage-exporter.workload" .) "statefulset") }}/{{ include "storage-exporter.fullname" . }}
{{- end -}}

{{/* A command of the program, in a pod that runs. dict "root" . "command" "x" */}}
{{- define "storage-exporter.notes.program" -}}
{{ include "storage-exporter.notes.kubectl" .root }} exec {{ include "storage-exporter.notes.workload" .root }} -c storage-exporter -- python -m exporter {{ .command }} --config /etc/storage-exporter/config/config.yaml
{{- end -}}

{{/* A pod gets its credentials when it is made. */}}
{{- define "storage-exporter.notes.restart" -}}
{{- $name := include "storage-exporter.notes.workload" . -}}
{{ include "storage-exporter.notes.kubectl" . }} rollout restart {{ $name }}{{ if and (eq .Values.mode "shards") (eq (int .Values.shards.sets) 2) }} {{ $name }}-b{{ end }}
{{- end -}}

{{- define "storage-exporter.notes.about" -}}
{{- $what := printf "%d replicas, of which one at a time reads AWS" (int .Values.replicas) -}}
{{- if eq .Values.mode "shards" -}}
{{- $what = printf "%d shards%s" (int .Values.shards.total) (ternary ", each with a second replica" "" (eq (int .Values.shards.sets) 2)) -}}
{{- else if eq (int .Values.replicas) 1 -}}
{{- $what = "one replica" -}}
{{- else if eq (int .Values.replicas) 0 -}}
{{- $what = "no replica, so nothing is read" -}}
{{- end -}}
{{ wrap 79 (printf "storage-exporter %s is the release %s in namespace %s: %s." .Chart.AppVersion .Release.Name (include "storage-exporter.namespace" .) $what) }}
{{- end -}}

{{/* --- credentials */}}

{{- define "storage-exporter.notes.identity" -}}
{{- $account := include "storage-exporter.serviceAccountName" . -}}
{{- $namespace := include "storage-exporter.namespace" . -}}
{{- $kubectl := include "storage-exporter.notes.kubectl" . -}}
{{- $restart := include "storage-exporter.notes.restart" . -}}
{{- $role := .Values.aws.roleArn | default "arn:aws:iam::ACCOUNT:role/storage-exporter" -}}
{{- if eq .Values.aws.identity "podIdentity" -}}
{{- if .Values.serviceAccount.create -}}
{{- $commands := list -}}
{{- if not .Values.aws.roleArn -}}
{{- $commands = list "aws iam create-role --role-name storage-exporter --assume-role-policy-document '{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"Service\":\"pods.eks.amazonaws.com\"},\"Action\":[\"sts:AssumeRole\",\"sts:TagSession\"]}]}'" -}}
{{- end -}}
{{- $commands = concat $commands (list
  (printf "aws eks create-pod-identity-association --cluster-name CLUSTER --namespace %s --service-account %s --role-arn %s" $namespace $account $role)
  $restart) -}}
{{- include "storage-exporter.notes.item" (dict
  "title" "Credentials: the Pod Identity association"
  "text" "The cluster needs the add-on eks-pod-identity-agent; the role trusts pods.eks.amazonaws.com with sts:AssumeRole and sts:TagSession. A pod made before the association never sees it, hence the restart."
  "commands" $commands) -}}
{{- else -}}
{{- include "storage-exporter.notes.item" (dict
  "title" (printf "Credentials: the Pod Identity association of %s" $account)
  "text" "One service account has one role. If there is an association, give its role the policy below; if not, make one. Then make the pods anew: one made before the association never sees it."
  "commands" (list
    (printf "aws eks list-pod-identity-associations --cluster-name CLUSTER --namespace %s --service-account %s" $namespace $account)
    (printf "aws eks create-pod-identity-association --cluster-name CLUSTER --namespace %s --service-account %s --role-arn %s" $namespace $account $role)
    $restart)) -}}
{{- end -}}
{{- else if eq .Values.aws.identity "irsa" -}}
{{- $trust := printf "The role trusts the cluster's OIDC provider for system:serviceaccount:%s:%s." $namespace $account -}}
{{- if .Values.serviceAccount.create -}}
{{- include "storage-exporter.notes.item" (dict "title" "Credentials: the role's trust (IRSA)" "text" $trust "commands" (list
  (printf "aws iam get-role --role-name %s --query Role.AssumeRolePolicyDocument" (splitList "/" $role | last)))) -}}
{{- else -}}
{{- include "storage-exporter.notes.item" (dict
  "title" (printf "Credentials: the annotation on %s (IRSA)" $account)
  "text" (printf "%s The service account is not the chart's, so the annotation is yours to write; pods made before it do not see it." $trust)
  "commands" (list
    (printf "%s annotate serviceaccount %s eks.amazonaws.com/role-arn=%s" $kubectl $account $role)
    $restart)) -}}
{{- end -}}
{{- else if eq .Values.aws.identity "secret" -}}
{{- $keys := printf "--from-file=%s=FILE --from-file=%s=FILE" .Values.aws.existingSecret.accessKeyIdKey .Values.aws.existingSecret.secretAccessKeyKey -}}
{{- with .Values.aws.existingSecret.sessionTokenKey -}}
{{- $keys = printf "%s --from-file=%s=FILE" $keys . -}}
{{- end -}}
{{- include "storage-exporter.notes.item" (dict
  "title" (printf "Credentials: the Secret %s" .Values.aws.existingSecret.name)
  "text" "Pods do not start without it. Files, so that no key stands in a shell's history. New keys need new pods."
  "commands" (list (printf "%s create secret generic %s %s" $kubectl .Values.aws.existingSecret.name $keys) $restart)) -}}
{{- else -}}
{{- include "storage-exporter.notes.item" (dict
  "title" "Credentials: whatever the SDK finds"
  "text" "aws.identity is none, so it may be the node's role, which every pod of the node may use. Pod Identity gives the exporter a role of its own (aws.identity: podIdentity).") -}}
{{- end -}}
{{- end -}}

{{- define "storage-exporter.notes.policy" -}}
{{- $role := .Values.aws.roleArn | default "ROLE" | splitList "/" | last -}}
{{- if and (eq .Values.aws.identity "podIdentity") .Values.serviceAccount.create (not .Values.aws.roleArn) -}}
{{- $role = "storage-exporter" -}}
{{- end -}}
{{- $put := printf "aws iam put-role-policy --role-name %s" $role -}}
{{- if eq .Values.aws.identity "secret" -}}
{{- $put = "aws iam put-user-policy --user-name USER" -}}
{{- end -}}
{{- include "storage-exporter.notes.item" (dict
  "title" "What it may do: the policy"
  "text" "It only reads, and what it allows follows from the configuration. The first command needs a pod that runs; the second none, but knows the defaults only."
  "commands" (list
    (printf "%s > policy.json" (include "storage-exporter.notes.program" (dict "root" . "command" "policy")))
    (printf "docker run --rm %s policy > policy.json" (include "storage-exporter.image" .))
    (printf "%s --policy-name storage-exporter --policy-document file://policy.json" $put))) -}}
{{- end -}}

{{/* Neither static keys nor the node say which region is meant. */}}
{{- define "storage-exporter.notes.region" -}}
{{- $injected := or (eq .Values.aws.identity "podIdentity") (eq .Values.aws.identity "irsa") -}}
{{- if not (or .Values.aws.region $injected .Values.existingConfigMap.name) -}}
{{- include "storage-exporter.notes.item" (dict
  "title" "The region"
  "text" (printf "aws.identity %s puts no region into the pods. Set aws.region, and config.scopes for more than one." .Values.aws.identity)) -}}
{{- end -}}
{{- end -}}

{{- define "storage-exporter.notes.shared" -}}
{{- if not .Values.serviceAccount.create -}}
{{- $role := or (eq .Values.aws.identity "podIdentity") (eq .Values.aws.identity "irsa") -}}
{{- $others := list -}}
{{- if .Values.rbac.create -}}{{- $others = append $others "read what our ClusterRole reads" -}}{{- end -}}
{{- if $role -}}{{- $others = append $others "do what the policy allows" -}}{{- end -}}
{{- $text := ternary "The exporter may do all that its role may, writing among it." "" $role -}}
{{- with $others -}}
{{- $text = printf "%s Every other pod on it may %s." $text (join ", and " .) -}}
{{- end -}}
{{- include "storage-exporter.notes.item" (dict
  "title" (printf "The service account %s is not the exporter's own" .Values.serviceAccount.name)
  "text" (trim (printf "%s serviceAccount.create: true gives it one%s of its own." $text (ternary ", and so a role," "" $role)))) -}}
{{- end -}}
{{- end -}}

{{- define "storage-exporter.notes.rbac" -}}
{{- if and (not .Values.rbac.create) (include "storage-exporter.speaksToKubernetes" .) -}}
{{- include "storage-exporter.notes.item" (dict
  "title" "Roles in Kubernetes"
  "text" "rbac.create is false, and the exporter reads claims or holds a Lease. Bind it a role that may. What is refused is named here:"
  "commands" (list (include "storage-exporter.notes.program" (dict "root" . "command" "check --connect")))) -}}
{{- end -}}
{{- end -}}

{{/* --- series */}}

{{- define "storage-exporter.notes.secretFiles" -}}
{{- with .Values.secretFiles -}}
{{- include "storage-exporter.notes.item" (dict
  "title" (printf "Secrets: %s" (join ", " .))
  "text" "Pods do not start without them. Their keys are files in /etc/storage-exporter/secrets/<name>/."
  "commands" (list (printf "%s get secret %s" (include "storage-exporter.notes.kubectl" $) (join " " .)))) -}}
{{- end -}}
{{- end -}}

{{- define "storage-exporter.notes.series" -}}
{{- $config := include "storage-exporter.config" . | fromYaml -}}
{{- if .Values.existingConfigMap.name -}}
{{- $elected := gt (include "storage-exporter.replicasPerOrdinal" . | int) 1 -}}
{{- include "storage-exporter.notes.item" (dict
  "title" (printf "The ConfigMap %s, key %s" .Values.existingConfigMap.name .Values.existingConfigMap.key)
  "text" (printf "Nothing is added to it, so it says: web.listen \":%d\"; kubernetes.leader_election %v; kubernetes.lease.name %s%s. This names every mistake in it:" (int .Values.port) $elected (include "storage-exporter.fullname" .) (ternary (printf "; shards.total %d" (int .Values.shards.total)) "" (eq .Values.mode "shards")))
  "commands" (list (include "storage-exporter.notes.program" (dict "root" . "command" "check --connect")))) -}}
{{- else if include "storage-exporter.pushes" . -}}
{{- $push := $config.delivery.push -}}
{{- $tenant := printf "as tenant %v" $push.tenant -}}
{{- if not $push.tenant -}}
{{- $tenant = "without a tenant, which Mimir answers with 401 where it has tenants (config.delivery.push.tenant)" -}}
{{- end -}}
{{- $who := "" -}}
{{- if not $push.auth -}}
{{- $who = " It signs in nowhere: if the receiver asks for a password or token, name a Secret in secretFiles and its file in config.delivery.push.auth." -}}
{{- end -}}
{{- include "storage-exporter.notes.item" (dict
  "title" "Series are pushed"
  "text" (printf "To %s, %s.%s Whether it takes them:" $push.url $tenant $who)
  "commands" (list (include "storage-exporter.notes.program" (dict "root" . "command" "check --connect")))) -}}
{{- else -}}
{{- include "storage-exporter.notes.scrape" . -}}
{{- end -}}
{{- end -}}

{{- define "storage-exporter.notes.scrape" -}}
{{- $by := .Values.scrape.by -}}
{{- if eq $by "none" -}}
{{- include "storage-exporter.notes.item" (dict
  "title" "Nobody scrapes"
  "text" (printf "scrape.by is none. Scrape port %d of the pods, path /metrics, with honor_labels: true, and drop pod and instance from aws_* and kubernetes_*, or each takeover makes the series anew (README, \"Scraping by other means\")." (int .Values.port))) -}}
{{- else if eq $by "annotations" -}}
{{- include "storage-exporter.notes.item" (dict
  "title" "Scraped by the annotations prometheus.io/scrape"
  "text" "The scraper's job needs honor_labels: true, and must drop pod and instance from aws_* and kubernetes_*, or each takeover makes the series anew (README, \"Scraping by other means\").") -}}
{{- else if not .Values.scrape.labels -}}
{{- include "storage-exporter.notes.item" (dict
  "title" (printf "The %s has no label of yours" (ternary "ServiceMonitor" "PodMonitor" (eq $by "serviceMonitor")))
  "text" (printf "kube-prometheus-stack takes only what has the label release of its own release: scrape.labels.release. Alloy takes all, unless told otherwise. What your operator wants:")
  "commands" (list (printf "kubectl get prometheus -A -o jsonpath='{..%sSelector}'" $by))) -}}
{{- end -}}
{{- end -}}

{{- define "storage-exporter.notes.cluster" -}}
{{- if not (or .Values.existingConfigMap.name (.Values.config | default dict).cluster) -}}
{{- include "storage-exporter.notes.item" (dict
  "title" "The cluster's name"
  "text" "config.cluster is empty, so series have no label cluster. Where kubelet's series have one, set the same: alerts on claims join the two.") -}}
{{- end -}}
{{- end -}}

{{- define "storage-exporter.notes.budget" -}}
{{- $budget := (.Values.config | default dict).budget | default dict -}}
{{- if not (or .Values.existingConfigMap.name (include "storage-exporter.gives" (dict "section" $budget "key" "dollars_per_month"))) -}}
{{- include "storage-exporter.notes.item" (dict
  "title" "No budget for CloudWatch"
  "text" "config.budget.dollars_per_month is not set, so nothing holds the bill back. What it will be:"
  "commands" (list (include "storage-exporter.notes.program" (dict "root" . "command" "plan")))) -}}
{{- end -}}
{{- end -}}

{{- define "storage-exporter.notes.network" -}}
{{- $policy := .Values.networkPolicy -}}
{{- if and $policy.enabled (eq $policy.flavor "kubernetes") (eq .Values.aws.identity "podIdentity") -}}
{{- include "storage-exporter.notes.item" (dict
  "title" "Network policy, flavor kubernetes"
  "text" "Cilium takes the Pod Identity agent for the node and drops what goes there, silently: credentials hang. With Cilium set networkPolicy.flavor: cilium. Is it there?"
  "commands" (list "kubectl get daemonset -A -l k8s-app=cilium")) -}}
{{- end -}}
{{- end -}}

{{/* --- rules */}}

{{- define "storage-exporter.notes.mimir" -}}
{{- $said := .Values.rules.mimir -}}
{{- $namespace := $said.namespace | default (include "storage-exporter.namespace" .) -}}
{{- $mimir := eq $said.evaluatedBy "mimir" -}}
{{- $title := printf "PromQL rules: %s" $said.delivery -}}
{{- if eq $said.delivery "none" -}}
{{- include "storage-exporter.notes.item" (dict "title" $title "text" "Nobody evaluates them, so nothing alerts. Set rules.mimir.delivery to prometheusRule, configMap or sync.") -}}
{{- else if eq $said.delivery "prometheusRule" -}}
{{- $what := "The Prometheus operator evaluates those its ruleSelector matches. kube-prometheus-stack wants the label release of its own release: rules.mimir.labels.release. What yours wants:" -}}
{{- $commands := list "kubectl get prometheus -A -o jsonpath='{..ruleSelector}'" -}}
{{- if $mimir -}}
{{- $what = printf "Alloy's mimir.rules.kubernetes brings them to Mimir: it must run, watch namespace %s, and select storage-exporter.io/rules=promql%s. They are:" $namespace (ternary "" " or a label of rules.mimir.labels" (empty $said.labels)) -}}
{{- $commands = list (printf "kubectl -n %s get prometheusrules -l storage-exporter.io/rules=promql,app.kubernetes.io/instance=%s" $namespace .Release.Name) -}}
{{- else if include "storage-exporter.pushes" . -}}
{{- $what = printf "%s The series are pushed elsewhere, though: unless that Prometheus has them too, set rules.mimir.evaluatedBy: mimir, or delivery: sync." (trimSuffix " What yours wants:" $what) -}}
{{- else if $said.labels -}}
{{- $what = "The Prometheus operator evaluates them if its ruleSelector matches:" -}}
{{- end -}}
{{- include "storage-exporter.notes.item" (dict "title" $title "text" $what "commands" $commands) -}}
{{- else if eq $said.delivery "configMap" -}}
{{- include "storage-exporter.notes.item" (dict "title" $title "text" (printf "A sidecar must bring the ConfigMaps of namespace %s to whoever evaluates, by the label storage-exporter.io/rules=promql. A ruler that keeps rules in object storage reads no files: use sync there." $namespace)) -}}
{{- else -}}
{{- include "storage-exporter.notes.sync" (dict "root" . "title" $title "language" "mimir") -}}
{{- end -}}
{{- end -}}

{{- define "storage-exporter.notes.loki" -}}
{{- $said := .Values.rules.loki -}}
{{- $namespace := $said.namespace | default (include "storage-exporter.namespace" .) -}}
{{- $title := printf "LogQL rules: %s" $said.delivery -}}
{{- if and (eq $said.delivery "none") .Values.sources.logs -}}
{{- include "storage-exporter.notes.item" (dict "title" $title "text" "Alerts on logs are not evaluated. With Loki set rules.loki.delivery to prometheusRule (Alloy), configMap (Loki's sidecar) or sync (its ruler's API).") -}}
{{- else if eq $said.delivery "prometheusRule" -}}
{{- include "storage-exporter.notes.item" (dict
  "title" $title
  "text" (printf "Alloy's loki.rules.kubernetes must watch namespace %s and select storage-exporter.io/rules=logql. Two others must leave that label out, for they take LogQL for PromQL: the operator's admission webhook (objectSelector), and whoever evaluates PrometheusRules. Is the webhook there?" $namespace)
  "commands" (list "kubectl get validatingwebhookconfigurations -o name | grep -i prometheus")) -}}
{{- else if eq $said.delivery "configMap" -}}
{{- include "storage-exporter.notes.item" (dict "title" $title "text" (printf "Loki's sidecar takes ConfigMaps with the label loki_rule, of its own namespace unless told otherwise (ours are in %s), and writes them to %s. Loki reads files only with ruler storage local; with S3 it ignores them: use sync there." $namespace $said.folder)) -}}
{{- else if eq $said.delivery "sync" -}}
{{- include "storage-exporter.notes.sync" (dict "root" . "title" $title "language" "loki") -}}
{{- end -}}
{{- end -}}

{{/* dict "root" . "title" "x" "language" "mimir" */}}
{{- define "storage-exporter.notes.sync" -}}
{{- $root := .root -}}
{{- $config := include "storage-exporter.config" $root | fromYaml -}}
{{- $ruler := dig "rules" .language (dict) $config | default dict -}}
{{- $where := printf "To %s" ($ruler.url | default "the ruler that the ConfigMap names") -}}
{{- $tenant := "" -}}
{{- if $ruler.tenant -}}
{{- $tenant = printf ", tenant %v" $ruler.tenant -}}
{{- else if $ruler.url -}}
{{- $tenant = printf ", without a tenant (config.rules.%s.tenant)" .language -}}
{{- end -}}
{{- include "storage-exporter.notes.item" (dict
  "title" .title
  "text" (printf "%s%s, by the Job %s-rules-sync of each install and upgrade; it stays only where it failed. What differs now:" $where $tenant (include "storage-exporter.fullname" $root))
  "commands" (list (include "storage-exporter.notes.program" (dict "root" $root "command" (printf "rules diff --only %s" .language))))) -}}
{{- end -}}

{{- define "storage-exporter.notes.alertmanager" -}}
{{- if .Values.alertmanager.config.enabled -}}
{{- include "storage-exporter.notes.item" (dict
  "title" "AlertmanagerConfig"
  "text" "The Alertmanager object must select it, and have alertmanagerConfigMatcherStrategy.type: None. With OnNamespace, the default, it matches only alerts of our namespace, and none of AWS has it:"
  "commands" (list "kubectl get alertmanager -A -o jsonpath='{..alertmanagerConfigMatcherStrategy}'")) -}}
{{- else if and (eq .Values.rules.mimir.evaluatedBy "mimir") (ne .Values.rules.mimir.delivery "none") -}}
{{- $name := printf "%s-alertmanager-example" (include "storage-exporter.fullname" .) -}}
{{- $commands := list -}}
{{- if .Values.alertmanager.example -}}
{{- $commands = list (printf "%s get configmap %s -o yaml" (include "storage-exporter.notes.kubectl" .) $name) -}}
{{- end -}}
{{- include "storage-exporter.notes.item" (dict
  "title" "Who is told"
  "text" (printf "Mimir's Alertmanager tells nobody until the tenant's configuration is uploaded (mimirtool alertmanager load). %s" (ternary "One to start from:" "alertmanager.example: true makes one to start from." .Values.alertmanager.example))
  "commands" $commands) -}}
{{- end -}}
{{- end -}}

{{- define "storage-exporter.notes.dashboards" -}}
{{- if .Values.dashboards.enabled -}}
{{- $namespace := .Values.dashboards.namespace | default (include "storage-exporter.namespace" .) -}}
{{- $labels := list -}}
{{- range $key, $value := .Values.dashboards.labels -}}
{{- $labels = append $labels (printf "%s=%s" $key $value) -}}
{{- end -}}
{{- $text := printf "Grafana's sidecar takes ConfigMaps with the label %s; it must look into namespace %s (sidecar.dashboards.searchNamespace)." (join "," $labels) $namespace -}}
{{- if not $labels -}}
{{- $text = "The ConfigMaps have no label of yours (dashboards.labels), so Grafana's sidecar does not find them." -}}
{{- end -}}
{{- if .Values.dashboards.operator.enabled -}}
{{- $text = printf "%s GrafanaDashboard objects are for %s%s." $text (ternary (printf "Grafana objects with the labels %s" (toJson .Values.dashboards.operator.instanceSelector)) "every Grafana object" (gt (len .Values.dashboards.operator.instanceSelector) 0)) (ternary "" ", of the same namespace" .Values.dashboards.operator.allowCrossNamespaceImport) -}}
{{- end -}}
{{- include "storage-exporter.notes.item" (dict "title" "Dashboards" "text" $text) -}}
{{- end -}}
{{- end -}}

{{/* --- what is blind */}}

{{- define "storage-exporter.notes.blind" -}}
{{- $path := "files/sources.yaml" -}}
{{- $sources := .Files.Get $path | fromYaml -}}
{{- if or (hasKey $sources "Error") (not $sources) -}}
{{- fail (printf "%s: is not in the chart, or not YAML; run `make chart`" $path) -}}
{{- end -}}
{{- $why := dict
  "ebsCsiNvme" "The EBS CSI driver's node metrics (its chart's node.enableMetrics) are not scraped"
  "kubeStateMetrics" "kube-state-metrics is not scraped"
  "kubelet" "The kubelets' volume metrics are not scraped"
  "logs" "Loki does not have the logs" -}}
{{- $items := list -}}
{{- range $source := keys .Values.sources | sortAlpha -}}
{{- if not (get $.Values.sources $source) -}}
{{- $found := get $sources $source | default dict -}}
{{- $text := printf "%s (sources.%s)." (get $why $source) $source -}}
{{- with $found.blind -}}
{{- $text = printf "%s %d alerts see nothing: %s." $text (len .) (join ", " .) -}}
{{- end -}}
{{- with $found.partly -}}
{{- $text = printf "%s %d see less: %s." $text (len .) (join ", " .) -}}
{{- end -}}
{{- $items = append $items (include "storage-exporter.notes.item" (dict "title" (printf "Without %s" $source) "text" $text)) -}}
{{- end -}}
{{- end -}}
{{- join "\n\n" $items -}}
{{- end -}}

{{- define "storage-exporter.notes.kinds" -}}
{{- $kinds := list -}}
{{- $rules := or (eq .Values.rules.mimir.delivery "prometheusRule") (eq .Values.rules.loki.delivery "prometheusRule") -}}
{{- if $rules -}}{{- $kinds = append $kinds "prometheusrules.monitoring.coreos.com" -}}{{- end -}}
{{- if not (include "storage-exporter.pushes" .) -}}
{{- if eq .Values.scrape.by "serviceMonitor" -}}{{- $kinds = append $kinds "servicemonitors.monitoring.coreos.com" -}}{{- end -}}
{{- if eq .Values.scrape.by "podMonitor" -}}{{- $kinds = append $kinds "podmonitors.monitoring.coreos.com" -}}{{- end -}}
{{- end -}}
{{- if .Values.alertmanager.config.enabled -}}{{- $kinds = append $kinds "alertmanagerconfigs.monitoring.coreos.com" -}}{{- end -}}
{{- if and .Values.dashboards.enabled .Values.dashboards.operator.enabled -}}{{- $kinds = append $kinds "grafanadashboards.grafana.integreatly.org" -}}{{- end -}}
{{- if and .Values.networkPolicy.enabled (eq .Values.networkPolicy.flavor "cilium") -}}{{- $kinds = append $kinds "ciliumnetworkpolicies.cilium.io" -}}{{- end -}}
{{- if $kinds -}}
{{- include "storage-exporter.notes.item" (dict
  "title" "Kinds that others define"
  "text" "The cluster must know them:"
  "commands" (list (printf "kubectl get crd %s" (join " " $kinds)))) -}}
{{- end -}}
{{- end -}}

{{/* How curl is told of a server with TLS, and maybe users. */}}
{{- define "storage-exporter.notes.scheme" -}}
{{- $config := include "storage-exporter.config" . | fromYaml -}}
{{ ternary "k https://" " " (not (empty (dig "web" "config_file" "" $config))) }}
{{- end -}}

{{- define "storage-exporter.notes.look" -}}
{{- $kubectl := include "storage-exporter.notes.kubectl" . -}}
Is it well?

    {{ $kubectl }} rollout status {{ include "storage-exporter.notes.workload" . }}
    {{ $kubectl }} port-forward {{ include "storage-exporter.notes.workload" . }} {{ .Values.port }} &
    curl -s{{ include "storage-exporter.notes.scheme" . }}localhost:{{ .Values.port }}/-/ready
    {{- if .Values.test.enabled }}
    helm test {{ .Release.Name }} -n {{ .Release.Namespace }}
    {{- end }}
{{- end -}}
