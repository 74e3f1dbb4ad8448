#!/usr/bin/env bash
# Install what `export` is read with: R and Chromium through apt (root), the rest in build/readers
# through pip. py-feat brings PyTorch; the first time takes some minutes.
set -euo pipefail
cd "$(dirname "$0")/../.."
packages=(r-base-core chromium libfuse2 faketime strace e2fsprogs)
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
venv=build/readers
stamp=$(cat pyproject.toml tests/readers/requirements.txt | sha256sum)
[ "$(cat $venv/.done 2>/dev/null)" = "$stamp" ] && exit
python3 -m venv $venv
$venv/bin/pip install -q --disable-pip-version-check -r tests/readers/requirements.txt -e .
printf '%s' "$stamp" >$venv/.done
