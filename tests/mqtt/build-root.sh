#!/usr/bin/env bash
# Build a Debian 13 with Home Assistant in OUT: root, mmdebstrap, the apt and pip registries; four minutes.
#
#   OUT/root       the system; Home Assistant is /ha in it, its settings are laid out by each test
#   OUT/.complete  written last; a second run finds it and is done
#
# usage: build-root.sh OUT
set -euo pipefail
out=$(realpath -m "$1") root=$out/root
readonly home_assistant=homeassistant==2026.2.3
# What its parts mqtt and frontend ask for; without a frontend it starts in recovery mode.
readonly parts=(paho-mqtt==2.1.0 home-assistant-frontend==20260128.6)
packages=python3,python3-venv,ca-certificates,gcc,python3-dev,libc6-dev,libffi-dev

step() { printf '[%4d s] %s\n' $SECONDS "$*"; }

[ "$(cat "$out/.complete" 2>/dev/null)" != "$home_assistant" ] || exit 0
[ "$(id -u)" = 0 ] || { echo "build-root: root is needed" >&2; exit 1; }
command -v mmdebstrap >/dev/null ||
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends mmdebstrap >/dev/null

step "Debian 13"
rm -rf "$root"
mkdir -p "$out"
mirror=$(awk '/^URIs/ { print $2; exit }' /etc/apt/sources.list.d/debian.sources)
mmdebstrap --quiet --variant=apt --include=$packages trixie "$root" "$mirror"

# The system reaches the registries as this machine does.
for file in /etc/resolv.conf /etc/hosts /etc/pip.conf /etc/ssl/certs/ca-certificates.crt; do
  [ ! -e $file ] || cp $file "$root$file"
done

step "Home Assistant"
# In a mount namespace of its own: nothing stays mounted, whatever ends this.
# shellcheck disable=SC2016
unshare --mount sh -euc '
  root=$1; shift
  for folder in proc dev; do mount --rbind /$folder "$root/$folder"; done
  unset PIP_FIND_LINKS
  chroot "$root" python3 -m venv /ha
  chroot "$root" /ha/bin/pip install -q --no-compile --prefer-binary "$@"
' sh "$root" "$home_assistant" "${parts[@]}"
echo "$home_assistant" >"$out/.complete"
step "done"
