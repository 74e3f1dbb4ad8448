#!/usr/bin/env bash
# Set up what `make run` (no argument), `make test` (dev) or `make test-web` (web) needs, and log each step:
# Debian packages through apt, a virtual environment in .venv, the package in it.
# A second run finds everything there and is done in a moment.
set -euo pipefail
cd "$(dirname "$0")/.."
kind=${1:-run}
python=${PYTHON:-python3}
venv=.venv
. deploy/locked.sh

device_packages=(gcc portaudio19-dev libgl1 libglib2.0-0 curl ca-certificates)
dev_packages=(pulseaudio pulseaudio-utils libasound2-plugins xvfb openbox xdotool gstreamer1.0-tools
  gstreamer1.0-plugins-base espeak-ng iproute2 libzmq3-dev shellcheck mosquitto openssl)
# Debian's own Python comes without venv and without the headers that PyAudio is built with.
case $(command -v "$python" || true) in
  ''|/usr/bin/*) device_packages+=(python3 python3-venv python3-dev) ;;
esac

log() { printf 'set-up: %s\n' "$*"; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif [ -t 0 ]; then sudo "$@"
  else sudo -n "$@"; fi
}

may_be_root() {
  [ "$(id -u)" = 0 ] || { command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; }
}

missing_packages() {
  for package in "$@"; do
    dpkg-query -W -f='${Status}\n' "$package" 2>/dev/null | grep -q 'ok installed' ||
      # Debian 13 and Ubuntu 24.04 renamed it for 64-bit time.
      dpkg-query -W -f='${Status}\n' "${package}t64" 2>/dev/null | grep -q 'ok installed' ||
      printf '%s\n' "$package"
  done
}

install_packages() {
  command -v apt-get >/dev/null || { log "apt-get not found; these packages are needed: $*"; return; }
  mapfile -t missing < <(missing_packages "$@")
  [ ${#missing[@]} -gt 0 ] || return 0
  # A new system's apt has no package lists yet.
  local command="apt-get update && apt-get install -y ${missing[*]}"
  if ! may_be_root; then
    log "these packages are missing; as root: $command"
    exit 1
  fi
  log "1 of 3: apt-get install ${missing[*]}"
  if ! apt_get update || ! apt_get install -y --no-install-recommends "${missing[@]}"; then
    log "could not install them; as root: $command"
    exit 1
  fi
}

# Progress is for a terminal; a log has the steps alone.
apt_get() {
  if [ -t 1 ]; then as_root env DEBIAN_FRONTEND=noninteractive apt-get "$@"
  else as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq "$@" >/dev/null; fi
}

pip_install() {
  local quiet=(-q)
  [ ! -t 1 ] || quiet=()
  $venv/bin/python -m pip install --disable-pip-version-check "${quiet[@]}" "$@"
}

make_venv() {
  # An environment of a moved checkout, or one that was left half made, does not work.
  [ "$(cat $venv/.made-in 2>/dev/null)" = "$PWD" ] && return
  rm -rf $venv
  log "2 of 3: $venv, with $($python --version)"
  # On a Raspberry Pi picamera2 and lgpio belong to apt: the environment must see them.
  if /usr/bin/python3 -c 'import picamera2' 2>/dev/null; then
    /usr/bin/python3 -m venv --system-site-packages $venv
  else
    $python -m venv $venv
  fi
  printf '%s' "$PWD" >$venv/.made-in
}

install_python() {  # install_python NAME: what requirements-NAME.lock pins, when it has changed
  local lock=requirements-$1.lock stamp=$venv/.done-$1 sum
  sum=$(cat pyproject.toml "$lock" | sha256sum)
  [ "$(cat "$stamp" 2>/dev/null)" = "$sum" ] && return
  log "3 of 3: the Python packages of $lock; PyAudio and python_speech_features are built here"
  install_locked "$lock" nothing pip_install
  pip_install --no-deps --no-build-isolation -e .
  printf '%s' "$sum" >"$stamp"
}

if [ "$kind" = web ]; then
  install_packages chromium fonts-inter prometheus nginx-light caddy
  $venv/bin/python -c 'import playwright' 2>/dev/null || pip_install playwright
  [ -e build/web/node_modules/axe-core ] ||
    npm install --prefix build/web --no-audit --no-fund --silent axe-core
elif [ "$kind" = dev ]; then
  install_packages "${device_packages[@]}" "${dev_packages[@]}"
  make_venv
  install_python dev
else
  install_packages "${device_packages[@]}"
  make_venv
  install_python edge
fi
