{{/*
The pod of the exporter, and that of hooks (the test, the Jobs), which has the same environment, volumes and mounts: what
they see is what the exporter sees.
*/}}

{{/*
A YAML list. What extraEnv names is left out of ours: a name twice is refused by server-side apply.
AWS_EC2_METADATA_DISABLED: a broken identity must not turn into the node's role, which may see more.
*/}}
{{- define "storage-exporter.env" -}}
{{- $env := list -}}
{{- range $name, $path := dict "POD_NAME" "metadata.name" "POD_NAMESPACE" "metadata.namespace" "POD_UID" "metadata.uid" -}}
{{- $env = append $env (dict "name" $name "valueFrom" (dict "fieldRef" (dict "fieldPath" $path))) -}}
{{- end -}}
{{- with .Values.aws -}}
{{- $env = append $env (dict "name" "AWS_EC2_METADATA_DISABLED" "value" (ternary "false" "true" (eq .identity "none"))) -}}
{{- if .region -}}
{{- $env = append $env (dict "name" "AWS_REGION" "value" .region) -}}
{{- $env = append $env (dict "name" "AWS_DEFAULT_REGION" "value" .region) -}}
{{- end -}}
{{- if .stsRegional -}}
{{- $env = append $env (dict "name" "AWS_STS_REGIONAL_ENDPOINTS" "value" "regional") -}}
{{- end -}}
{{- if .fips -}}
{{- $env = append $env (dict "name" "AWS_USE_FIPS_ENDPOINT" "value" "true") -}}
{{- end -}}
{{- if eq .identity "secret" -}}
{{- $secret := .existingSecret -}}
{{- range $name, $key := dict "AWS_ACCESS_KEY_ID" $secret.accessKeyIdKey "AWS_SECRET_ACCESS_KEY" $secret.secretAccessKeyKey "AWS_SESSION_TOKEN" $secret.sessionTokenKey -}}
{{- if $key -}}
{{- $env = append $env (dict "name" $name "valueFrom" (dict "secretKeyRef" (dict "name" $secret.name "key" $key))) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $theirs := dict -}}
{{- range .Values.extraEnv -}}
{{- $_ := set $theirs .name true -}}
{{- end -}}
{{- $left := list -}}
{{- range $env -}}
{{- if not (hasKey $theirs .name) -}}
{{- $left = append $left . -}}
{{- end -}}
{{- end -}}
{{- concat $left (.Values.extraEnv | default list) | toYaml -}}
{{- end -}}

{{/* A YAML list. `data` is a claim's where the exporter has persistence; the test and the Jobs have an empty one. */}}
{{- define "storage-exporter.volumes" -}}
{{- $map := .Values.existingConfigMap.name | default (printf "%s-config" (include "storage-exporter.fullname" .)) -}}
{{- $key := ternary .Values.existingConfigMap.key "config.yaml" (ne .Values.existingConfigMap.name "") -}}
- name: config
  configMap:
    name: {{ $map | quote }}
    items:
      - key: {{ $key | quote }}
        path: config.yaml
- name: data
  emptyDir:
    sizeLimit: {{ .Values.dataVolume.sizeLimit | quote }}
- name: tmp
  emptyDir:
    sizeLimit: {{ .Values.tmpVolume.sizeLimit | quote }}
{{- range $index, $name := .Values.secretFiles }}
- name: secret-{{ $index }}
  secret:
    secretName: {{ $name | quote }}
    defaultMode: 288 # 0440, which YAML 1.2 takes for a decimal
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* A YAML list. No subPath: such a mount never sees a change. */}}
{{- define "storage-exporter.volumeMounts" -}}
- name: config
  mountPath: /etc/storage-exporter/config
  readOnly: true
- name: data
  mountPath: /var/lib/storage-exporter
- name: tmp
  mountPath: /tmp
{{- range $index, $name := .Values.secretFiles }}
- name: secret-{{ $index }}
  mountPath: {{ printf "/etc/storage-exporter/secrets/%s" $name | quote }}
  readOnly: true
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "storage-exporter.podSecurityContext" -}}
{{- toYaml .Values.podSecurityContext -}}
{{- end -}}

{{/*
One probe, as YAML: dict "root" . "path" "/-/ready" "probe" .Values.readinessProbe. With a web configuration file the
chart cannot know whether TLS or a password is asked for, so only the port is looked at.
*/}}
{{- define "storage-exporter.probe" -}}
{{- $config := include "storage-exporter.config" .root | fromYaml -}}
{{- if dig "web" "config_file" "" $config -}}
tcpSocket:
  port: metrics
{{- else -}}
httpGet:
  path: {{ .path }}
  port: metrics
{{- end }}
{{ toYaml .probe }}
{{- end -}}

{{/* Constraints as the user gives them; one without a selector is about our own pods, of one revision where that can be. */}}
{{- define "storage-exporter.topologySpreadConstraints" -}}
{{- $constraints := list -}}
{{- $root := . -}}
{{- range .Values.topologySpreadConstraints -}}
{{- $constraint := deepCopy . -}}
{{- if not (hasKey $constraint "labelSelector") -}}
{{- $_ := set $constraint "labelSelector" (dict "matchLabels" (include "storage-exporter.selectorLabels" $root | fromYaml)) -}}
{{- if and (eq (include "storage-exporter.workload" $root) "deployment") (not (hasKey $constraint "matchLabelKeys")) -}}
{{- $_ := set $constraint "matchLabelKeys" (list "pod-template-hash") -}}
{{- end -}}
{{- end -}}
{{- $constraints = append $constraints $constraint -}}
{{- end -}}
{{- toYaml $constraints -}}
{{- end -}}

{{/*
The pod template, metadata and spec: dict "root" . ["set" "a"]. The labels that say which chart it is are not among its
own: another chart with the same image rolls no pod.
*/}}
{{- define "storage-exporter.podTemplate" -}}
{{- $root := .root -}}
{{- $values := $root.Values -}}
{{- $labels := include "storage-exporter.selectorLabels" $root | fromYaml -}}
{{- with .set -}}
{{- $_ := set $labels "storage-exporter.io/set" . -}}
{{- end -}}
{{- $labels = merge $labels ($values.podLabels | default dict) ($values.commonLabels | default dict) -}}
{{- $annotations := dict "kubectl.kubernetes.io/default-container" "storage-exporter" -}}
{{- if not $values.existingConfigMap.name -}}
{{- $_ := set $annotations "checksum/config" (include "storage-exporter.config" $root | sha256sum) -}}
{{- end -}}
{{- if and (eq $values.scrape.by "annotations") (not (include "storage-exporter.pushes" $root)) -}}
{{- $_ := set $annotations "prometheus.io/scrape" "true" -}}
{{- $_ := set $annotations "prometheus.io/port" ($values.port | toString) -}}
{{- $_ := set $annotations "prometheus.io/path" "/metrics" -}}
{{- end -}}
{{- $annotations = merge dict ($values.podAnnotations | default dict) $annotations ($values.commonAnnotations | default dict) -}}
metadata:
  labels:
    {{- toYaml $labels | nindent 4 }}
  annotations:
    {{- toYaml $annotations | nindent 4 }}
spec:
  serviceAccountName: {{ include "storage-exporter.serviceAccountName" $root | quote }}
  automountServiceAccountToken: {{ eq (include "storage-exporter.speaksToKubernetes" $root) "true" }}
  enableServiceLinks: false
  {{- with include "storage-exporter.pullSecrets" $root }}
  imagePullSecrets:
    {{- . | nindent 4 }}
  {{- end }}
  {{- with $values.priorityClassName }}
  priorityClassName: {{ . | quote }}
  {{- end }}
  securityContext:
    {{- include "storage-exporter.podSecurityContext" $root | nindent 4 }}
  terminationGracePeriodSeconds: {{ $values.terminationGracePeriodSeconds | int }}
  {{- with $values.extraInitContainers }}
  initContainers:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: storage-exporter
      image: {{ include "storage-exporter.image" $root | quote }}
      imagePullPolicy: {{ $values.image.pullPolicy }}
      args:
        - run
        - --config
        - /etc/storage-exporter/config/config.yaml
        {{- with $values.extraArgs }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      env:
        {{- include "storage-exporter.env" $root | nindent 8 }}
      {{- with $values.extraEnvFrom }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      ports:
        - name: metrics
          containerPort: {{ $values.port | int }}
          protocol: TCP
      startupProbe:
        {{- include "storage-exporter.probe" (dict "root" $root "path" "/-/healthy" "probe" $values.startupProbe) | nindent 8 }}
      livenessProbe:
        {{- include "storage-exporter.probe" (dict "root" $root "path" "/-/healthy" "probe" $values.livenessProbe) | nindent 8 }}
      readinessProbe:
        {{- include "storage-exporter.probe" (dict "root" $root "path" "/-/ready" "probe" $values.readinessProbe) | nindent 8 }}
      resources:
        {{- toYaml $values.resources | nindent 8 }}
      securityContext:
        {{- toYaml $values.securityContext | nindent 8 }}
      volumeMounts:
        {{- include "storage-exporter.volumeMounts" $root | nindent 8 }}
    {{- with $values.extraContainers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  volumes:
    {{- $volumes := list }}
    {{- range include "storage-exporter.volumes" $root | fromYamlArray }}
    {{- if not (and $values.persistence.enabled (eq .name "data")) }}
    {{- $volumes = append $volumes . }}
    {{- end }}
    {{- end }}
    {{- toYaml $volumes | nindent 4 }}
  {{- with $values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if $values.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- include "storage-exporter.topologySpreadConstraints" $root | nindent 4 }}
  {{- end }}
  {{- with $values.dnsPolicy }}
  dnsPolicy: {{ . }}
  {{- end }}
  {{- with $values.dnsConfig }}
  dnsConfig:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/*
The spec of a hook's pod: dict "root" . "args" list. It speaks to no Kubernetes API, and none of the user's containers
stand beside: with a sidecar it would never end. Of affinity only that of nodes, for there are no replicas to keep apart.
*/}}
{{- define "storage-exporter.hookSpec" -}}
{{- $root := .root -}}
restartPolicy: Never
serviceAccountName: {{ include "storage-exporter.serviceAccountName" $root | quote }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with include "storage-exporter.pullSecrets" $root }}
imagePullSecrets:
  {{- . | nindent 2 }}
{{- end }}
securityContext:
  {{- include "storage-exporter.podSecurityContext" $root | nindent 2 }}
containers:
  - name: storage-exporter
    image: {{ include "storage-exporter.image" $root | quote }}
    imagePullPolicy: {{ $root.Values.image.pullPolicy }}
    args:
      {{- toYaml .args | nindent 6 }}
    env:
      {{- include "storage-exporter.env" $root | nindent 6 }}
    {{- with $root.Values.extraEnvFrom }}
    envFrom:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    resources:
      {{- toYaml $root.Values.resources | nindent 6 }}
    securityContext:
      {{- toYaml $root.Values.securityContext | nindent 6 }}
    volumeMounts:
      {{- include "storage-exporter.volumeMounts" $root | nindent 6 }}
volumes:
  {{- include "storage-exporter.volumes" $root | nindent 2 }}
{{- range $key := list "priorityClassName" "nodeSelector" "tolerations" "dnsPolicy" "dnsConfig" }}
{{- with get $root.Values $key }}
{{ toYaml (dict $key .) }}
{{- end }}
{{- end }}
{{- with $root.Values.affinity.nodeAffinity }}
affinity:
  nodeAffinity:
    {{- toYaml . | nindent 4 }}
{{- end }}
{{- end -}}

{{/*
Labels of a hook's pod, as YAML: dict "root" . "component" "x". Not the exporter's component, so that no Service, monitor or
budget takes it for one of its own; a network policy does, by name and instance.
*/}}
{{- define "storage-exporter.hookLabels" -}}
{{- $component := dict "app.kubernetes.io/component" .component -}}
{{- merge $component (include "storage-exporter.labels" .root | fromYaml) (.root.Values.podLabels | default dict) | toYaml -}}
{{- end -}}
