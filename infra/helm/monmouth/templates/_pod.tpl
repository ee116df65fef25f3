{{- define "monmouth.name" -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{- define "monmouth.labels" -}}
app.kubernetes.io/name: monmouth
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "monmouth.allLabels" -}}
{{ include "monmouth.labels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{/* Files of ops and alerts: by name, none where the values say nothing. */}}
{{- define "monmouth.files" -}}
{{- range $name, $text := dict "objectives.toml" .Values.ops.objectives "rules.toml" .Values.alerts.rules "channels.toml" .Values.alerts.channels }}
{{- with $text }}
{{ $name }}: {{ . | quote }}
{{- end }}
{{- end }}
{{- end }}

{{/* All that the pods of all programs have in common. Takes root, component, args, resources, grace, spread; claimed: whether state
     is a claim of its own; ports: by name, none for what runs once; keys, keysIfThere: files of the Secret that it needs, of which
     the master key comes with the agents' own; more: Secrets in place of keys.more; files: whether it reads those of
     "monmouth.files", as ops and alerts do, which get no secret of stores, chain or receivers of records. */}}
{{- define "monmouth.pod" -}}
metadata:
  labels:
    {{- include "monmouth.allLabels" . | nindent 4 }}
  annotations:
    checksum/settings: {{ include (print .root.Template.BasePath "/settings.yaml") .root | sha256sum }}
    {{- if .files }}
    checksum/files: {{ include "monmouth.files" .root | sha256sum }}
    {{- end }}
    {{- if .ports }}
    prometheus.io/scrape: "true"
    prometheus.io/port: "9090"
    {{- end }}
spec:
  serviceAccountName: {{ include "monmouth.name" .root }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ .grace }}
  {{- if not .ports }}
  restartPolicy: OnFailure
  {{- end }}
  {{- with .root.Values.image.pullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . }}
    {{- end }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 10001
    runAsGroup: 10001
    fsGroup: 10001
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile:
      type: RuntimeDefault
  {{- if .spread }}
  topologySpreadConstraints:
    {{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
    - maxSkew: 1
      topologyKey: {{ $key }}
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "monmouth.labels" $ | nindent 10 }}
    {{- end }}
  {{- end }}
  initContainers:
    # A mounted Secret can be read by its group; the programs take keys that their own user alone can read.
    - name: keys
      {{- include "monmouth.container" . | nindent 6 }}
      command: ["/bin/sh", "-c", "for file in /run/mounted/*; do [ ! -f $file ] || install -m 0600 $file /run/keys/; done"]
      resources:
        requests: {cpu: 10m, memory: 16Mi}
        limits: {memory: 64Mi}
      volumeMounts:
        - {name: mounted, mountPath: /run/mounted, readOnly: true}
        - {name: keys, mountPath: /run/keys}
  containers:
    - name: {{ .component | trunc 60 }}
      {{- include "monmouth.container" . | nindent 6 }}
      args:
        {{- toYaml .args | nindent 8 }}
      envFrom:
        - configMapRef:
            name: {{ include "monmouth.name" .root }}
      env:
        - name: MONMOUTH_KAFKA__INSTANCE_ID
          valueFrom:
            fieldRef:
              fieldPath: metadata.name
        {{- if .files }}
        {{- $operations := .root.Values }}
        {{- range $setting, $file := dict "SLO" "objectives" "RULES" "rules" "CHANNELS" "channels" }}
        {{- if or (get $operations.ops $file) (get $operations.alerts $file) }}
        - name: MONMOUTH_OPS__{{ $setting }}_FILE
          value: /etc/monmouth/{{ $file }}.toml
        {{- end }}
        {{- end }}
        {{- end }}
        {{- $operates := .files }}
        {{- range $name, $from := .root.Values.secretEnvironment }}
        {{- if not (and $operates (regexMatch "^MONMOUTH_(CASSANDRA|CHAIN|RAG|SECURITY|WEBHOOK)__" $name)) }}
        - name: {{ $name }}
          valueFrom:
            secretKeyRef:
              name: {{ $from.secret }}
              key: {{ $from.key }}
        {{- end }}
        {{- end }}
      {{- if .ports }}
      ports:
        {{- range $name, $port := .ports }}
        - name: {{ $name }}
          containerPort: {{ $port }}
        {{- end }}
      startupProbe:
        httpGet: {path: /startupz, port: metrics}
        periodSeconds: 5
        timeoutSeconds: 4
        failureThreshold: 60
      livenessProbe:
        httpGet: {path: /livez, port: metrics}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 3
      readinessProbe:
        httpGet: {path: /readyz, port: metrics}
        periodSeconds: 5
        timeoutSeconds: 4
        failureThreshold: 2
      {{- end }}
      resources:
        {{- toYaml .resources | nindent 8 }}
      volumeMounts:
        - {name: state, mountPath: /var/lib/monmouth}
        {{- if has "master.key" .keys }}
        - {name: agents, mountPath: /var/lib/monmouth-keys}
        {{- end }}
        - {name: keys, mountPath: /run/keys, readOnly: true}
        - {name: scratch, mountPath: /tmp}
        {{- if and .files (include "monmouth.files" .root) }}
        - {name: files, mountPath: /etc/monmouth, readOnly: true}
        {{- end }}
  volumes:
    - name: mounted
      projected:
        defaultMode: 0440
        sources:
          {{- $secret := .root.Values.keys.secret }}
          {{- range .keys }}
          - secret: {name: {{ $secret }}, items: [{key: {{ . }}, path: {{ . }}}]}
          {{- end }}
          {{- range .keysIfThere }}
          - secret: {name: {{ $secret }}, items: [{key: {{ . }}, path: {{ . }}}], optional: true}
          {{- end }}
          {{- range hasKey . "more" | ternary .more .root.Values.keys.more }}
          - secret: {name: {{ . }}}
          {{- end }}
    - name: keys
      emptyDir: {medium: Memory, sizeLimit: 1Mi}
    {{- if has "master.key" .keys }}
    - name: agents
      persistentVolumeClaim:
        claimName: {{ .root.Values.keys.claim }}
    {{- end }}
    - name: scratch
      emptyDir: {sizeLimit: 256Mi}
    {{- if and .files (include "monmouth.files" .root) }}
    - name: files
      configMap: {name: {{ include "monmouth.name" .root }}-files}
    {{- end }}
    {{- if not .claimed }}
    - name: state
      emptyDir: {sizeLimit: 256Mi}
    {{- end }}
{{- end }}

{{/* What every container of the image has. */}}
{{- define "monmouth.container" -}}
image: {{ printf "%s@%s" .root.Values.image.repository .root.Values.image.digest }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  runAsNonRoot: true
  capabilities:
    drop: [ALL]
{{- end }}

{{- define "monmouth.claim" -}}
- metadata:
    name: state
  spec:
    accessModes: [ReadWriteOnce]
    {{- with .storageClass }}
    storageClassName: {{ . }}
    {{- end }}
    resources:
      requests:
        storage: {{ .storage }}
{{- end }}
