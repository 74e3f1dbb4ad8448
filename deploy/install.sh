#!/usr/bin/env bash
# Install Emotion Edge as a service that starts with the machine: from a checkout, as root.
#
#   deploy/install.sh [--dry-run] [--wheelhouse DIR]
#
#   --dry-run          show what would be done, and do nothing
#   --wheelhouse DIR   take the Python packages from DIR, and nothing from any network
#
# For Raspberry Pi OS (Bookworm, Trixie; 64-bit, Lite or desktop) and Ubuntu 22.04 on a Jetson. A
# second run changes nothing; a run from a newer checkout is an upgrade, which is rolled back when the
# new release does not become healthy. deploy/uninstall.sh undoes all of it.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly opt=/opt/emotion-edge
readonly settings=/etc/emotion-edge
readonly shared=/usr/local/lib
readonly detector=face_detection_yunet_2023mar.onnx
readonly services=(hub camera face audio fusion gateway)
readonly healthy_timeout_s=300 stable_s=10 max_restarts=3
readonly needed_mb=1500
readonly models=(models_tflite/*.tflite models_tflite/*.json)
readonly parts=(edge "${models[@]}" pyproject.toml requirements-edge.lock)

. deploy/locked.sh

dry='' wheelhouse='' changed=''

log() { printf 'install: %s\n' "$*"; }
die() { printf 'install: %s\n' "$*" >&2; exit 1; }

# Everything that changes the machine goes through here: logged first, and with --dry-run not done.
act() {
  local what=$1; shift
  changed=yes
  log "$what"
  [ -n "$dry" ] || "$@"
}

arguments() {
  while [ $# -gt 0 ]; do
    case $1 in
      --dry-run) dry=yes ;;
      --wheelhouse)
        [ -d "${2:-}" ] || die "--wheelhouse needs a folder; ${2:-nothing} is not one"
        wheelhouse=$(realpath "$2"); shift ;;
      -h | --help) sed -n '2,12s/^# \{0,1\}//p' "$0"; exit 0 ;;
      *) echo "install: unknown argument $1; see --help" >&2; exit 2 ;;
    esac
    shift
  done
}

# ------------------------------------------------------------------ checks

check_machine() {
  [ -n "$dry" ] || [ "$(id -u)" = 0 ] || die "root is needed: sudo deploy/install.sh"
  command -v apt-get >/dev/null || die "apt-get not found; this is for Raspberry Pi OS and Ubuntu"
  command -v systemctl >/dev/null || die "systemctl not found; systemd is needed"
  case $(uname -m) in
    aarch64 | x86_64) ;;
    *) die "$(uname -m): the models' runtime exists for 64-bit systems only; flash the 64-bit image" ;;
  esac
  /usr/bin/python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null ||
    die "/usr/bin/python3 must be Python 3.10 or newer"
  log "$(board), $(system), Python $(/usr/bin/python3 -c 'import platform; print(platform.python_version())')"
  check_disk_space
}

board() {
  if [ -e /proc/device-tree/model ]; then tr -d '\0' </proc/device-tree/model; else uname -m; fi
}

system() (
  # shellcheck source=/dev/null
  . /etc/os-release
  case ${VERSION_CODENAME:-} in
    bookworm | trixie | jammy) echo "$PRETTY_NAME" ;;
    *) echo "${PRETTY_NAME:-an unknown system} (not tried there)" ;;
  esac
)

check_disk_space() {
  [ -e "$opt/releases/$release/.complete" ] && return
  local free_mb
  free_mb=$(df -Pm /opt | awk 'NR == 2 { print $4 }')
  [ "$free_mb" -ge $needed_mb ] || die "$free_mb MB are free on /opt, $needed_mb MB are needed"
}

is_running() { [ -d /run/systemd/system ]; }

# A desktop image starts into a display manager; then the display is a window of the user who logs in.
has_desktop() {
  [ "$(systemctl get-default 2>/dev/null)" = graphical.target ] &&
    [ -e /etc/systemd/system/display-manager.service ]
}

# A release is named after its version and its content: the same checkout is the same release.
name_release() {
  local version hash
  version=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' edge/__init__.py)
  hash=$(find "${parts[@]}" deploy systemd -type f ! -name '*.pyc' ! -name '*.onnx' -print0 | LC_ALL=C sort -z |
    xargs -0 sha256sum | sha256sum)
  release=$version-${hash:0:8}
}

# ------------------------------------------------------- Debian packages

# Debian 13 and Ubuntu 24.04 renamed some for 64-bit time.
is_installed() {
  [ -n "$(dpkg-query -W -f='${db:Status-Status}\n' "$1" "${1}t64" 2>/dev/null | grep -x installed || true)" ]
}

candidate() { LC_ALL=C apt-cache policy "$1" 2>/dev/null | awk '$1 == "Candidate:" && $2 != "(none)" { print $2 }'; }

wanted_packages() {
  printf '%s\n' python3-venv libportaudio2 libgl1 libglib2.0-0 curl ca-certificates
  # Older PyAudios do not work with Python 3.10; there it is built.
  if is_installed python3-pyaudio || dpkg --compare-versions "$(candidate python3-pyaudio)" ge 0.2.13; then
    echo python3-pyaudio
  else
    printf '%s\n' gcc python3-dev portaudio19-dev
  fi
  # Where they are they belong to the system, and the environment sees them.
  local package
  for package in python3-picamera2 python3-lgpio; do
    [ -z "$(candidate $package)" ] || echo $package
  done
}

# A new system's apt has no package lists yet, and a package without a candidate would not be wanted.
update_package_lists() {
  if [ -z "$wheelhouse" ] && ! LC_ALL=C apt-cache policy | grep ' Packages$' >/dev/null; then
    act "apt-get update" apt-get update -qq
  fi
}

install_packages() {
  local missing=() package
  update_package_lists
  while read -r package; do is_installed "$package" || missing+=("$package"); done < <(wanted_packages)
  [ ${#missing[@]} -gt 0 ] || return 0
  [ -z "$wheelhouse" ] || die "without a network these must be installed already: apt-get install ${missing[*]}"
  act "apt-get install ${missing[*]}" apt_get "${missing[@]}"
}

apt_get() {
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# ------------------------------------------------------------ the release

install_release() {
  [ -e "$opt/releases/$release/.complete" ] ||
    act "build release $release in $opt/releases" build_release
}

# A release is complete when it has its mark, which is written when all else is on the disk.
build_release() {
  local to=$opt/releases/$release
  rm -rf "$to"
  mkdir -p "$to"
  trap 'rm -rf "$opt/releases/$release"' EXIT
  cp -R systemd deploy "$to"
  /usr/bin/python3 -m venv --without-pip --system-site-packages "$to/venv"
  install_requirements "$to/venv"
  install_program "$to/venv"
  # The service may not write here, so what it imports is compiled now.
  LG_WD=$to "$to/venv/bin/python" deploy/compile.py
  rm -f "$to"/.lgd-nfy*   # lgpio's pipe
  chmod -R u=rwX,go=rX "$to"
  sync -f "$to"
  put "$to/.complete" 644 </dev/null
  trap - EXIT
}

# The pip that python3-venv brings, straight from its wheel: a release needs none of its own.
install_requirements() {
  local wheel sources=()
  [ -z "$wheelhouse" ] || sources=(--no-index --find-links "$wheelhouse")
  wheel=$(find /usr/share/python-wheels -name 'pip-*.whl' | sort -V | tail -1)
  log "Python packages, by hash; built here for want of a wheel: $(built | paste -sd,)"
  PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore \
    install_locked requirements-edge.lock "$(from_apt)" \
    "$1/bin/python" "$wheel/pip" install -q --no-compile "${sources[@]}"
}

# Packages of the system, which the environment sees, as a pattern; on Python 3.13 lgpio has no wheel.
from_apt() {
  local names=nothing name
  for name in pyaudio lgpio; do if is_installed python3-$name; then names+="|$name"; fi; done
  echo "$names"
}

built() {
  echo python_speech_features
  is_installed python3-pyaudio || echo PyAudio
}

# The program is Python as it lies here: there is nothing to build, and no builder to fetch for it.
install_program() {
  local to
  to=$("$1/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  cp -R edge "$to"
  mkdir "$to/models_tflite"
  cp "${models[@]}" "$to/models_tflite"
  add_detector "$to/models_tflite"
  put "$1/bin/emotion-edge" 755 <<EOF
#!$1/bin/python
from edge.__main__ import main

raise SystemExit(main())
EOF
}

# YuNet's weights: from the wheelhouse, this checkout, or their publisher. Without them it is Haar.
add_detector() {
  local from=models_tflite/$detector
  if [ -n "$wheelhouse" ]; then
    [ ! -e "$wheelhouse/$detector" ] || from=$wheelhouse/$detector
  else
    deploy/fetch-detector.sh
  fi
  [ -e "$from" ] || return 0
  deploy/fetch-detector.sh --check "$(realpath "$from")" ||
    die "$from: not YuNet's weights (its sha256 differs); delete it and run deploy/fetch-detector.sh"
  cp "$from" "$1"
}

# ------------------------------------------------- what lies elsewhere

# put FILE MODE: write standard input to FILE atomically, also when the power fails.
put() {
  local new=$1.new
  mkdir -p "$(dirname "$1")"
  cat >"$new"
  chmod "$2" "$new"
  sync "$new"
  mv "$new" "$1"
  sync "$(dirname "$1")"
}

# link TARGET FILE: the same for a symbolic link.
link() {
  rm -f "$2.new"
  ln -s "$1" "$2.new"
  mv -T "$2.new" "$2"
  sync "$(dirname "$2")"
}

# place FROM TO: a file of the release, where it is new or differs.
place() {
  cmp -s "$1" "$2" || act "write $2" put "$2" 644 <"$1"
}

place_files() {
  local from=$1 file
  while read -r file; do
    [ -e "$from/systemd/$file" ] || act "remove $file" rm "$shared/systemd/system/$file"
  done < <(cd $shared/systemd/system 2>/dev/null && find . -path './emotion-edge*' -type f | sed 's,^./,,')
  place "$from/systemd/sysusers.conf" $shared/sysusers.d/emotion-edge.conf
  place "$from/systemd/tmpfiles.conf" $shared/tmpfiles.d/emotion-edge.conf
  place "$from/systemd/udev.rules" /etc/udev/rules.d/60-emotion-edge.rules
  while read -r file; do
    place "$from/systemd/$file" "$shared/systemd/system/$file"
  done < <(cd "$from/systemd" && find emotion-edge* -type f | sort)
}

make_user() {
  if ! getent passwd emotion-edge >/dev/null || ! getent group emotion-edge-keys >/dev/null; then
    act "make the user emotion-edge and its groups" add_user
  fi
  if is_running && [ ! -d /run/emotion-edge ]; then
    act "make /run/emotion-edge" systemd-tmpfiles --create $shared/tmpfiles.d/emotion-edge.conf
  fi
}

# uninstall.sh removes the groups that were not there before.
add_user() {
  [ -e $opt/groups ] || missing_groups | put $opt/groups 644
  systemd-sysusers $shared/sysusers.d/emotion-edge.conf
}

missing_groups() {
  local group
  for group in audio gpio tty video; do
    getent group $group >/dev/null || echo $group
  done
}

make_settings() {
  if [ ! -e $settings/config.toml ]; then
    act "write $settings/config.toml, with the defaults" put $settings/config.toml 644 < <(first_settings)
  fi
  if [ "$(stat -c '%a %U %G' $settings/keys 2>/dev/null)" != "750 root emotion-edge-keys" ]; then
    act "make $settings/keys, which the service may read" make_keys_folder
  fi
  # The passwords of the web pages, where they are used.
  if [ "$(stat -c '%a %U %G' $settings/web 2>/dev/null)" != "750 root emotion-edge-keys" ]; then
    act "make $settings/web, which the service may read" \
      install -d -o root -g emotion-edge-keys -m 750 $settings/web
  fi
}

first_settings() {
  if has_desktop; then
    sed 's/^fullscreen = false/fullscreen = true/' deploy/config.example.toml
  else
    cat deploy/config.example.toml
  fi
}

# A user without access to the folder (--dry-run) cannot tell whether there is a key.
has_key() {
  [ -e $settings/keys/device.key ] || { [ -d $settings/keys ] && [ ! -x $settings/keys ]; }
}

# It was the service's before 0.2. The folder first: then nobody else can put a link into it.
make_keys_folder() {
  install -d -o root -g emotion-edge-keys -m 750 $settings/keys
  find $settings/keys -maxdepth 1 -type f -links 1 \
    -exec chown root:emotion-edge-keys {} + -exec chmod 640 {} +
}

# On a desktop the display is a window of the user who logs in.
make_window() {
  has_desktop || return 0
  place "$1/deploy/desktop/emotion-edge-display.desktop" /etc/xdg/autostart/emotion-edge-display.desktop
}

# The user who installs it watches it, records with it, and on a desktop has its window.
join_group() {
  local user=${SUDO_USER:-}
  if [ -n "$user" ] && ! id -nG "$user" | grep -qw emotion-edge; then
    act "add $user to the group emotion-edge, for the local bus from the next login on" \
      usermod -aG emotion-edge "$user"
  fi
}

# --------------------------------------------------------------- systemd

enabled_units() {
  echo emotion-edge.target
  printf 'emotion-edge@%s.service\n' "${services[@]}"
  has_desktop || echo emotion-edge@display.service
  # Optional: the user switched them on.
  local name
  for name in mqtt web recorder; do
    ! systemctl is-enabled -q "emotion-edge@$name.service" 2>/dev/null || echo "emotion-edge@$name.service"
  done
}

enable_units() {
  local unit
  while read -r unit; do
    systemctl is-enabled -q "$unit" 2>/dev/null || act "enable $unit" systemctl -q enable "$unit"
  done < <(enabled_units)
}

current() { if [ -e $opt/current ]; then basename "$(readlink $opt/current)"; fi; }

switch() { link "releases/$1" $opt/current; }

start() {
  systemctl daemon-reload
  { udevadm control --reload && udevadm trigger --subsystem-match=gpio; } 2>/dev/null || true   # no udev in a container
  systemctl reset-failed 'emotion-edge*' 2>/dev/null || true
  systemctl restart --no-block emotion-edge.target "$@"
}

running_units() { enabled_units | grep '@'; }

# Every unit ready, and still so a little later, without repeated crashes on the way.
wait_until_healthy() {
  local units deadline=$((SECONDS + healthy_timeout_s)) stable_since=''
  mapfile -t units < <(running_units)
  start "${units[@]}"
  while [ $SECONDS -lt $deadline ]; do
    if has_failed "${units[@]}"; then return 1; fi
    if systemctl is-active -q "${units[@]}" && all_active "${units[@]}"; then
      stable_since=${stable_since:-$SECONDS}
      if [ $((SECONDS - stable_since)) -ge $stable_s ]; then return 0; fi
    else
      stable_since=''
    fi
    sleep 1
  done
  log "not every process was ready within $healthy_timeout_s s"
  return 1
}

all_active() {
  [ "$(systemctl show -p ActiveState --value "$@" | grep -c '^active$')" = $# ]
}

has_failed() {
  local unit
  for unit in "$@"; do
    if systemctl is-failed -q "$unit" ||
      [ "$(systemctl show -p NRestarts --value "$unit")" -ge $max_restarts ]; then
      log "$unit does not work: $(journalctl -q -n 1 -o cat _SYSTEMD_UNIT="$unit")"
      return 0
    fi
  done
  return 1
}

switch_over() {
  local before
  before=$(current)
  if [ "$before" = "$release" ] && [ -z "$changed" ] && { ! is_running || are_active; }; then return; fi
  if [ "$before" != "$release" ]; then
    act "switch from ${before:-nothing} to $release" switch "$release"
  fi
  is_running || { log "systemd is not running here: it starts with the next boot"; return; }
  act "start it, and wait until it is healthy" true
  [ -z "$dry" ] || return 0
  wait_until_healthy || roll_back "$before"
}

are_active() {
  local units
  mapfile -t units < <(running_units)
  all_active "${units[@]}"
}

roll_back() {
  local before=$1
  if [ -z "$before" ] || [ "$before" = "$release" ]; then
    die "it is installed, and not healthy: see journalctl -u 'emotion-edge*', emotion-edge doctor"
  fi
  log "$release is not healthy: rolling back to $before"
  place_files "$opt/releases/$before"
  switch "$before"
  rm -rf "${opt:?}/releases/$release"
  wait_until_healthy || die "$before is not healthy either: see journalctl -u 'emotion-edge*'"
  die "$before runs again; settings and keys are as they were"
}

# After an upgrade from release $1 that one stays, to go back to; older ones go.
remove_old_releases() {
  local old
  if [ -z "$1" ] || [ "$1" = "$release" ]; then return; fi
  for old in "$opt"/releases/*; do
    case ${old##*/} in
      "$release" | "$1" | '*') ;;
      *) act "remove the old release ${old##*/}" rm -rf "$old" ;;
    esac
  done
}

arguments "$@"
name_release
check_machine
if [ -n "$dry" ]; then log "this is what would be done:"; fi
before=$(current)
install_packages
install_release
from=$opt/releases/$release
if [ -n "$dry" ]; then from=$PWD; fi
place_files "$from"
make_user
make_settings
make_window "$from"
join_group
if [ "$(readlink /usr/local/bin/emotion-edge)" != $opt/current/venv/bin/emotion-edge ]; then
  act "link /usr/local/bin/emotion-edge" link $opt/current/venv/bin/emotion-edge /usr/local/bin/emotion-edge
fi
if ! has_key; then
  act "make the device's key" "$opt/releases/$release/venv/bin/emotion-edge" keys make
fi
enable_units
[ -n "$dry" ] || sync -f /etc
switch_over
remove_old_releases "$before"
if [ -z "$changed" ]; then log "nothing to do: $release is installed and runs"; fi
if [ -z "$dry" ]; then /usr/local/bin/emotion-edge doctor || true; fi
