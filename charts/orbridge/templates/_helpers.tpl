{{- define "orbridge.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "orbridge.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "orbridge.labels" -}}
{{ include "orbridge.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "orbridge.image" -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}

{{- define "orbridge.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{ default (include "orbridge.fullname" .) .Values.serviceAccount.name }}
{{- else -}}
{{ default "default" .Values.serviceAccount.name }}
{{- end -}}
{{- end -}}

{{/* What the bridge reads: the given configuration, and where this pod listens and stores. */}}
{{- define "orbridge.config" -}}
{{- range list "listen" "store" -}}
{{- if hasKey $.Values.config . -}}
{{- fail (printf "config.%s: the chart sets it, expected no such key" .) -}}
{{- end -}}
{{- end -}}
{{- $fixed := dict "listen" "0.0.0.0:8080" "store" "sqlite:/var/lib/orbridge/orbridge.db" -}}
{{- toYaml (merge $fixed .Values.config) -}}
{{- end -}}

{{- define "orbridge.container" -}}
image: {{ include "orbridge.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- with .Values.extraEnv }}
env:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumeMounts:
  - {name: config, mountPath: /etc/orbridge, readOnly: true}
  - {name: secrets, mountPath: /run/secrets/orbridge, readOnly: true}
  - {name: store, mountPath: /var/lib/orbridge}
{{- end -}}
