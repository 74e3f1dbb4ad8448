#!/usr/bin/env bash
# Undo deploy/install.sh: services, files, user. Settings and keys stay, unless --purge is given.
#
#   deploy/uninstall.sh [--purge]
#
# Debian packages stay, because other programs may use them by now.
set -euo pipefail

readonly opt=/opt/emotion-edge
readonly settings=/etc/emotion-edge
readonly shared=/usr/local/lib
readonly state=/var/lib/emotion-edge

purge=''
case ${1:-} in
  '') ;;
  --purge) purge=yes ;;
  *) echo "uninstall: unknown argument $1; usage: deploy/uninstall.sh [--purge]" >&2; exit 2 ;;
esac
if [ "$(id -u)" != 0 ]; then echo "uninstall: this needs root: sudo deploy/uninstall.sh" >&2; exit 1; fi

log() { printf 'uninstall: %s\n' "$*"; }

remove() {
  local path
  for path in "$@"; do
    if [ -e "$path" ] || [ -L "$path" ]; then
      log "remove $path"
      rm -rf "$path"
    fi
  done
}

remove_services() {
  local name
  for name in hub camera face audio fusion display gateway mqtt web recorder; do
    systemctl -q disable --now "emotion-edge@$name.service" 2>/dev/null || true
  done
  systemctl -q disable --now emotion-edge.target 2>/dev/null || true
  remove $shared/systemd/system/emotion-edge* $shared/tmpfiles.d/emotion-edge.conf \
    $shared/sysusers.d/emotion-edge.conf /etc/udev/rules.d/60-emotion-edge.rules \
    /etc/xdg/autostart/emotion-edge-display.desktop
  rmdir --ignore-fail-on-non-empty $shared/systemd/system $shared/systemd $shared/tmpfiles.d $shared/sysusers.d \
    2>/dev/null || true
  if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    systemctl reset-failed 'emotion-edge*' 2>/dev/null || true
    udevadm control --reload 2>/dev/null || true
  fi
}

# What the user owned would belong to the next user with its number.
remove_user() {
  local group
  if [ -d $settings/keys ]; then chown -R root:root $settings/keys; fi
  if [ -d $state ]; then chown -R root:root $state; fi
  if getent passwd emotion-edge >/dev/null; then
    log "remove the user emotion-edge"
    userdel emotion-edge
  fi
  for group in emotion-edge emotion-edge-keys; do
    if getent group $group >/dev/null; then groupdel $group; fi
  done
  if [ -e $opt/groups ]; then
    while read -r group; do
      if getent group "$group" >/dev/null; then log "remove the group $group"; groupdel "$group"; fi
    done <$opt/groups
  fi
}

# What an MQTT broker keeps would be a ghost in Home Assistant.
forget_at_broker() {
  local credentials
  if grep -Eiqs '^[^#]*mqtts?://' $settings/config.toml; then
    log "remove this device from the MQTT broker"
    credentials=$(mktemp -d)
    systemd_password "$credentials/mqtt-password"
    CREDENTIALS_DIRECTORY=$credentials $opt/current/venv/bin/emotion-edge mqtt forget ||
      log "it stays there: publish empty retained messages to its topics by hand"
    rm -rf "$credentials"
  fi
}

# The one that systemd keeps, if it does (LoadCredential), into the file $1.
systemd_password() {
  if [ -e /etc/credstore.encrypted/mqtt-password ]; then
    (umask 077 && systemd-creds decrypt /etc/credstore.encrypted/mqtt-password - >"$1") || true
  elif [ -e /etc/credstore/mqtt-password ]; then
    install -m 600 /etc/credstore/mqtt-password "$1"
  fi
}

remove_services
[ -z "$purge" ] || forget_at_broker
remove /run/emotion-edge
remove_user
remove $opt
# The rule of docs/boards.md, which lets that user switch the computer off.
remove /etc/polkit-1/rules.d/50-emotion-edge-poweroff.rules \
  /etc/polkit-1/localauthority/50-local.d/50-emotion-edge-poweroff.pkla
if [ "$(readlink /usr/local/bin/emotion-edge)" = $opt/current/venv/bin/emotion-edge ]; then
  remove /usr/local/bin/emotion-edge
fi
if [ -n "$purge" ]; then
  remove $settings $state /etc/systemd/system/emotion-edge@*.service.d
else
  for path in $settings $state; do
    if [ -d "$path" ]; then log "$path stays; --purge would remove it, too"; fi
  done
fi
log "done"
