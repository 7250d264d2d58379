{{- define "kubesentiment.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 53 | trimSuffix "-" }}
{{- end }}

{{/* Of all objects: release and chart, or the release alone where it has the chart's name in it. */}}
{{- define "kubesentiment.fullname" -}}
{{- $name := include "kubesentiment.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 53 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 53 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "kubesentiment.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "kubesentiment.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "kubesentiment.selectorLabels" -}}
app.kubernetes.io/name: {{ include "kubesentiment.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* The pod of `helm test` must not get the Service's traffic, so its name is another one. */}}
{{- define "kubesentiment.testLabels" -}}
app.kubernetes.io/name: {{ include "kubesentiment.name" . }}-test
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "kubesentiment.commonLabels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "kubesentiment.labels" -}}
{{ include "kubesentiment.selectorLabels" . }}
{{ include "kubesentiment.commonLabels" . }}
{{- end }}

{{- define "kubesentiment.image" -}}
{{- $ending := ternary "-full" "" (eq .Values.image.variant "full") }}
{{- $tag := default (print .Chart.AppVersion $ending) .Values.image.tag }}
{{- printf "%s:%s" .Values.image.repository $tag }}
{{- with .Values.image.digest }}@{{ . }}{{ end }}
{{- end }}

{{- define "kubesentiment.port" -}}
{{- regexFind "[0-9]+$" .Values.config.listen }}
{{- end }}

{{/* A duration of the server's as milliseconds: 250ms, 5s, 2m, 1h, or 0. */}}
{{- define "kubesentiment.milliseconds" -}}
{{- $factors := dict "" 0 "ms" 1 "s" 1000 "m" 60000 "h" 3600000 }}
{{- mul (regexFind "^[0-9]+" .) (get $factors (regexFind "[a-z]+$" .)) }}
{{- end }}

{{/* A size of the server's as bytes: a number, or 32KiB, 8MiB, 1GiB. */}}
{{- define "kubesentiment.bytes" -}}
{{- if kindIs "string" . }}
{{- $factors := dict "" 1 "KiB" 1024 "MiB" 1048576 "GiB" 1073741824 }}
{{- mul (regexFind "^[0-9]+" .) (get $factors (regexFind "[a-zA-Z]+$" .)) }}
{{- else }}
{{- int64 . }}
{{- end }}
{{- end }}

{{/* The server ends by itself within delay and timeout; five seconds more are for what it does not count. */}}
{{- define "kubesentiment.gracePeriodSeconds" -}}
{{- $delay := include "kubesentiment.milliseconds" (index .Values.config "drain-delay") }}
{{- $timeout := include "kubesentiment.milliseconds" (index .Values.config "drain-timeout") }}
{{- add (div (add $delay $timeout 999) 1000) 5 }}
{{- end }}

{{- define "kubesentiment.configPath" -}}/etc/kubesentiment/config{{- end }}
{{- define "kubesentiment.keyPath" -}}/etc/kubesentiment/key{{- end }}

{{/* Where the user's own package lies in the server's container. */}}
{{- define "kubesentiment.modelPath" -}}
{{- printf "/model/%s" .Values.model.path | trimSuffix "/" }}
{{- end }}

{{- define "kubesentiment.monitorEndpoint" -}}
path: /metrics
port: http
interval: {{ .monitor.interval }}
scrapeTimeout: {{ .monitor.scrapeTimeout }}
{{- if and (index .root.Values.config "protect-metrics") .root.Values.apiKey.existingSecret }}
authorization:
  type: Bearer
  credentials:
    name: {{ .root.Values.apiKey.existingSecret }}
    key: {{ .root.Values.apiKey.key }}
{{- end }}
{{- with .monitor.relabelings }}
relabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .monitor.metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
