{{/* What the schema cannot say. The rules about `config` are the server's own (docs/cli.md): it would refuse to start. */}}
{{- define "kubesentiment.check" -}}
{{- include "kubesentiment.checkConfig" . }}
{{- if and .Values.serviceMonitor.enabled .Values.podMonitor.enabled }}
{{- fail "serviceMonitor.enabled and podMonitor.enabled are both true: every pod would be scraped twice" }}
{{- end }}
{{- $budget := .Values.podDisruptionBudget }}
{{- if and $budget.enabled (eq (kindIs "invalid" $budget.maxUnavailable) (kindIs "invalid" $budget.minAvailable)) }}
{{- fail "podDisruptionBudget: expected one of maxUnavailable and minAvailable (null takes the default away), found both or none" }}
{{- end }}
{{- if and (index .Values.config "otlp-endpoint") .Values.networkPolicy.enabled (not .Values.networkPolicy.egress) }}
{{- fail "config.otlp-endpoint is set but networkPolicy.egress lets nothing out: expected a rule for the collector" }}
{{- end }}
{{- if .Values.autoscaling.enabled }}
{{- $scale := .Values.autoscaling }}
{{- if lt (int64 $scale.maxReplicas) (int64 $scale.minReplicas) }}
{{- fail (printf "autoscaling.maxReplicas (%d) is below autoscaling.minReplicas (%d)" (int64 $scale.maxReplicas) (int64 $scale.minReplicas)) }}
{{- end }}
{{- if not (or $scale.targetQueueTokens $scale.targetCPUUtilizationPercentage) }}
{{- fail "autoscaling: targetQueueTokens and targetCPUUtilizationPercentage are both 0: there is nothing to scale on" }}
{{- end }}
{{- end }}
{{- include "kubesentiment.checkReferences" . }}
{{- end }}

{{/* Durations and sizes, whose ranges the schema cannot say. Expects (list CONFIG WHAT LEAST MOST NAME..). */}}
{{- define "kubesentiment.checkRange" -}}
{{- $config := index . 0 }}
{{- $what := index . 1 }}
{{- $least := index . 2 }}
{{- $most := index . 3 }}
{{- $number := ternary "kubesentiment.milliseconds" "kubesentiment.bytes" (eq $what "duration") }}
{{- range $name := slice . 4 }}
{{- if hasKey $config $name }}
{{- $value := index $config $name }}
{{- $given := include $number $value | int64 }}
{{- if or (lt $given (include $number $least | int64)) (gt $given (include $number $most | int64)) }}
{{- fail (printf "config: %s: expected a %s from %s to %s, found %s" $name $what $least $most (toJson $value)) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "kubesentiment.checkConfig" -}}
{{- include "kubesentiment.checkRange" (list .Values.config "duration" "1ms" "24h" "header-timeout" "body-timeout" "idle-timeout" "default-deadline" "stall-timeout") }}
{{- include "kubesentiment.checkRange" (list .Values.config "duration" "0" "1h" "drain-delay" "drain-timeout") }}
{{- include "kubesentiment.checkRange" (list .Values.config "size" "1KiB" "16MiB" "max-header-bytes") }}
{{- include "kubesentiment.checkRange" (list .Values.config "size" "1" "1024GiB" "max-body-bytes") }}
{{- $defaults := dict "backend" "onnx" "canary-backend" "none" "canary-share" 0 "shadow-backend" "none" "shadow-share" 0
  "max-queue-tokens" 131072 "max-batch-tokens" 65536 "max-text-chars" 10000 "max-body-bytes" "8MiB" }}
{{- $config := merge (deepCopy .Values.config) $defaults }}
{{- $queue := int64 (index $config "max-queue-tokens") }}
{{- $batch := int64 (index $config "max-batch-tokens") }}
{{- if lt $queue $batch }}
{{- fail (printf "config: max-queue-tokens (%d) is below max-batch-tokens (%d): a batch of that size could never be admitted" $queue $batch) }}
{{- end }}
{{- $body := include "kubesentiment.bytes" (index $config "max-body-bytes") | int64 }}
{{- $chars := int64 (index $config "max-text-chars") }}
{{- $needed := add (mul 24 $chars) 1024 }}
{{- if lt $body $needed }}
{{- fail (printf "config: max-body-bytes (%d) is below what max-text-chars (%d) may need: %d bytes" $body $chars $needed) }}
{{- end }}
{{- range $role := list "canary" "shadow" }}
{{- $second := index $config (print $role "-backend") }}
{{- $share := index $config (print $role "-share") }}
{{- if and (eq $second "none") $share }}
{{- fail (printf "config: %s-share is %v but %s-backend is none: there is nobody to take it" $role $share $role) }}
{{- end }}
{{- if eq $second $config.backend }}
{{- fail (printf "config: %s-backend is %s, as backend is: expected another one" $role $second) }}
{{- end }}
{{- end }}
{{- $backends := print $config.backend "," (index $config "allowed-backends") "," (index $config "canary-backend") "," (index $config "shadow-backend") }}
{{- if and (eq (toString $config.precision) "int8") (not (contains "onnx" $backends)) }}
{{- fail "config: precision is int8 but backend is pytorch, which has fp32 alone" }}
{{- end }}
{{- if and (contains "pytorch" $backends) (ne .Values.image.variant "full") (not .Values.image.tag) (not .Values.image.digest) }}
{{- fail "config: a backend is pytorch, which is not in the image `runtime`: expected image.variant full" }}
{{- end }}
{{- if and (eq (toString $config.precision) "fp32") (eq .Values.model.from "default") (ne .Values.image.variant "full") (not .Values.image.tag) (not .Values.image.digest) }}
{{- fail "config: precision is fp32, which the package of the image `runtime` does not hold: expected image.variant full, or a model of your own" }}
{{- end }}
{{- end }}

{{/* Every namespace of a cluster has a ServiceAccount `default`; where none is seen, there is no cluster to look in (helm template). */}}
{{- define "kubesentiment.checkReferences" -}}
{{- if and .Values.checkReferences (lookup "v1" "ServiceAccount" .Release.Namespace "default") }}
{{- with .Values.apiKey.existingSecret }}
{{- $secret := lookup "v1" "Secret" $.Release.Namespace . }}
{{- if not $secret }}
{{- fail (printf "apiKey.existingSecret: expected a Secret %q in the namespace %s, found none" . $.Release.Namespace) }}
{{- else if not (hasKey (default dict $secret.data) $.Values.apiKey.key) }}
{{- fail (printf "apiKey.key: expected an entry %q in the Secret %q, found %s" $.Values.apiKey.key . (keys (default dict $secret.data) | sortAlpha | join ", " | default "none")) }}
{{- end }}
{{- end }}
{{- if eq .Values.model.from "persistentVolumeClaim" }}
{{- $claim := .Values.model.persistentVolumeClaim.claimName }}
{{- if not (lookup "v1" "PersistentVolumeClaim" .Release.Namespace $claim) }}
{{- fail (printf "model.persistentVolumeClaim.claimName: expected a claim %q in the namespace %s, found none" $claim .Release.Namespace) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
