{{- define "kvorum.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* At most 40 characters: the names of pods, services and claims are made of it. */}}
{{- define "kvorum.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "kvorum.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "kvorum.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "kvorum.node" -}}{{ include "kvorum.fullname" . }}-node{{- end -}}
{{- define "kvorum.sentinel" -}}{{ include "kvorum.fullname" . }}-sentinel{{- end -}}
{{- define "kvorum.node.headless" -}}{{ include "kvorum.node" . }}-headless{{- end -}}
{{- define "kvorum.sentinel.headless" -}}{{ include "kvorum.sentinel" . }}-headless{{- end -}}
{{- define "kvorum.group" -}}{{ default (include "kvorum.fullname" .) .Values.group.name }}{{- end -}}
{{- define "kvorum.node.domain" -}}{{ include "kvorum.node.headless" . }}.{{ .Release.Namespace }}.svc.{{ .Values.clusterDomain }}{{- end -}}
{{- define "kvorum.sentinel.domain" -}}{{ include "kvorum.sentinel.headless" . }}.{{ .Release.Namespace }}.svc.{{ .Values.clusterDomain }}{{- end -}}

{{/* What never changes from version to version: selectors and claims. */}}
{{- define "kvorum.selector" -}}
app.kubernetes.io/name: {{ include "kvorum.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "kvorum.labels" -}}
{{ include "kvorum.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "kvorum.annotations" -}}
{{- with .Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "kvorum.image" -}}
{{- $registry := default (default "" .Values.image.registry) (default dict .Values.global).imageRegistry -}}
{{- $name := .Values.image.repository -}}
{{- if $registry -}}{{- $name = printf "%s/%s" $registry $name -}}{{- end -}}
{{- if .Values.image.digest -}}{{ $name }}@{{ .Values.image.digest }}{{- else -}}{{ $name }}:{{ default .Chart.AppVersion .Values.image.tag }}{{- end -}}
{{- end -}}

{{- define "kvorum.pullSecrets" -}}
{{- $all := concat (default list (default dict .Values.global).imagePullSecrets) (default list .Values.image.pullSecrets) -}}
{{- if $all }}
imagePullSecrets:
  {{- range $all }}
  - name: {{ if kindIs "map" . }}{{ .name }}{{ else }}{{ . }}{{ end }}
  {{- end }}
{{- end }}
{{- end -}}

{{- define "kvorum.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}{{ default (include "kvorum.node" .) .Values.serviceAccount.name }}{{- else -}}{{ default "default" .Values.serviceAccount.name }}{{- end -}}
{{- end -}}

{{- define "kvorum.pdb.apiVersion" -}}
{{- if .Values.apiVersions.pdb -}}{{ .Values.apiVersions.pdb }}
{{- else if semverCompare ">=1.21-0" .Capabilities.KubeVersion.Version -}}policy/v1
{{- else -}}policy/v1beta1
{{- end -}}
{{- end -}}

{{/* Pods of both sets: where they run. .set is node or sentinel of the values, .component its name. */}}
{{- define "kvorum.placement" -}}
{{- $set := .set -}}
{{- with $set.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $set.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $set.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $set.schedulerName }}
schedulerName: {{ . }}
{{- end }}
{{- if $set.affinity }}
affinity:
  {{- toYaml $set.affinity | nindent 2 }}
{{- else if eq $set.antiAffinity "hard" }}
affinity:
  podAntiAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      - topologyKey: kubernetes.io/hostname
        labelSelector:
          matchLabels:
            {{- include "kvorum.selector" .root | nindent 12 }}
            app.kubernetes.io/component: {{ .component }}
{{- else if eq $set.antiAffinity "soft" }}
affinity:
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels:
              {{- include "kvorum.selector" .root | nindent 14 }}
              app.kubernetes.io/component: {{ .component }}
{{- end }}
topologySpreadConstraints:
{{- if $set.topologySpreadConstraints }}
  {{- toYaml $set.topologySpreadConstraints | nindent 2 }}
{{- else }}
  - maxSkew: 1
    topologyKey: topology.kubernetes.io/zone
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "kvorum.selector" .root | nindent 8 }}
        app.kubernetes.io/component: {{ .component }}
{{- end }}
{{- end -}}

{{/* A probe by HTTP: .probe of the values, .path, .port. */}}
{{- define "kvorum.probe" -}}
httpGet:
  path: {{ .path }}
  port: {{ .port }}
{{ omit .probe "enabled" | toYaml }}
{{- end -}}

{{- define "kvorum.claim" -}}
{{- $p := .persistence -}}
- metadata:
    name: data
    labels:
      {{- include "kvorum.selector" .root | nindent 6 }}
      app.kubernetes.io/component: {{ .component }}
    {{- with $p.annotations }}
    annotations:
      {{- toYaml . | nindent 6 }}
    {{- end }}
  spec:
    accessModes: {{ toYaml $p.accessModes | nindent 6 }}
    {{- if eq $p.storageClass "-" }}
    storageClassName: ""
    {{- else if $p.storageClass }}
    storageClassName: {{ $p.storageClass }}
    {{- end }}
    resources:
      requests:
        storage: {{ $p.size }}
{{- end -}}

{{/* Files of configuration, as maps: what is hashed for the pods' annotations is these. */}}
{{- define "kvorum.node.files" -}}
kvnode.conf: |
  # Data node. What differs from pod to pod stands on the command line.
  port {{ .Values.node.port }}
  dir /data
  state-dir /data/state
  # Fenced from the start, until its group's record or the sentinels say what it is: no pod is primary by its number.
  ha-group {{ include "kvorum.group" . }}
  shutdown-timeout {{ .Values.node.shutdownTimeout }}
  save {{ if .Values.node.save }}{{ .Values.node.save }}{{ else }}""{{ end }}
  http-bind 0.0.0.0
  http-port {{ .Values.node.httpPort }}
  {{- if .Values.auth.existingSecret }}
  from-file /etc/kvorum/auth/password requirepass
  from-file /etc/kvorum/auth/password masterauth
  {{- else }}
  protected-mode no
  {{- end }}
  {{- with .Values.node.config }}
  {{- tpl . $ | nindent 2 }}
  {{- end }}
agent.conf: |
  # Sidecar of a data node: its role as the pod's label, probes, configuration from the directory.
  group {{ include "kvorum.group" . }}
  {{- range $i := until (int .Values.sentinel.replicas) }}
  directory-sentinel {{ include "kvorum.sentinel" $ }}-{{ $i }}.{{ include "kvorum.sentinel.domain" $ }} {{ $.Values.sentinel.port }}
  {{- end }}
  directory-group {{ include "kvorum.group" . }}
  node 127.0.0.1 {{ .Values.node.port }}
  state-dir /data/state
  unixsocket /run/kvorum/agent.sock
  http-bind 0.0.0.0
  http-port {{ .Values.agent.httpPort }}
  ready-max-lag {{ .Values.agent.readyMaxLag }}
  kube on
  kube-label {{ .Values.agent.label.key }}
  kube-label-primary {{ .Values.agent.label.primary }}
  kube-label-replica {{ .Values.agent.label.replica }}
  kube-annotation {{ .Values.agent.label.annotation }}
  {{- range $i := until (int (max .Values.node.maxReplicas .Values.node.replicas)) }}
  kube-pods {{ include "kvorum.node" $ }}-{{ $i }}
  {{- end }}
  {{- if .Values.auth.existingSecret }}
  directory-password-file /etc/kvorum/auth/password
  node-password-file /etc/kvorum/auth/password
  {{- if .Values.auth.sentinels }}
  sentinel-password-file /etc/kvorum/auth/password
  {{- end }}
  {{- end }}
  {{- with .Values.agent.config }}
  {{- tpl . $ | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "kvorum.sentinel.files" -}}
{{- $group := include "kvorum.group" . -}}
kvorum-sentinel.conf: |
  port {{ .Values.sentinel.port }}
  state-dir /data/state
  http-bind 0.0.0.0
  http-port {{ .Values.sentinel.httpPort }}
  sentinel resolve-hostnames yes
  sentinel announce-hostnames yes
  # Where to look first, not who is primary: the nodes wait, and the sentinels form the group when all of them are there.
  sentinel monitor {{ $group }} {{ include "kvorum.node" . }}-0.{{ include "kvorum.node.domain" . }} {{ .Values.node.port }} {{ add1 (div (int .Values.sentinel.replicas) 2) }}
  {{- range $i := untilStep 1 (int .Values.node.replicas) 1 }}
  sentinel known-replica {{ $group }} {{ include "kvorum.node" $ }}-{{ $i }}.{{ include "kvorum.node.domain" $ }} {{ $.Values.node.port }}
  {{- end }}
  sentinel mode {{ $group }} {{ .Values.group.mode }}
  {{- if .Values.group.syncAcks }}
  sentinel sync-acks {{ $group }} {{ .Values.group.syncAcks }}
  {{- end }}
  {{- if .Values.group.profile }}
  sentinel profile {{ $group }} {{ .Values.group.profile }}
  {{- else }}
  sentinel down-after-milliseconds {{ $group }} {{ .Values.group.downAfter }}
  {{- end }}
  sentinel voters {{ $group }} {{ .Values.sentinel.replicas }}
  sentinel failover-timeout {{ $group }} {{ .Values.group.failoverTimeout }}
  sentinel member-drop-after {{ $group }} {{ .Values.group.memberDropAfter }}
  sentinel directory {{ $group }} {{ $group }}
  {{- if .Values.auth.existingSecret }}
  from-file /etc/kvorum/auth/password sentinel auth-pass {{ $group }}
  {{- if .Values.auth.sentinels }}
  from-file /etc/kvorum/auth/password requirepass
  from-file /etc/kvorum/auth/password sentinel sentinel-pass
  {{- end }}
  {{- end }}
  {{- with .Values.sentinel.config }}
  {{- tpl . $ | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* The one key of the secret that is used, under one name. */}}
{{- define "kvorum.authVolume" -}}
{{- if .Values.auth.existingSecret }}
- name: auth
  secret:
    secretName: {{ tpl .Values.auth.existingSecret . }}
    defaultMode: 0440
    items:
      - key: {{ .Values.auth.passwordKey }}
        path: password
{{- end }}
{{- end -}}
{{/* Where kvorumctl finds its passwords, so that it runs by `kubectl exec` as it stands. */}}
{{- define "kvorum.ctlEnv" -}}
{{- if .Values.auth.existingSecret }}
{{- if .Values.auth.sentinels }}
- {name: KVORUM_PASSWORD_FILE, value: /etc/kvorum/auth/password}
{{- end }}
- {name: KVORUM_NODE_PASSWORD_FILE, value: /etc/kvorum/auth/password}
{{- end }}
{{- end -}}
{{- define "kvorum.authMount" -}}
{{- if .Values.auth.existingSecret }}
- name: auth
  mountPath: /etc/kvorum/auth
  readOnly: true
{{- end }}
{{- end -}}
