#!/usr/bin/env bash
# Make requirements-edge.lock and requirements-dev.lock from pyproject.toml: every package at one version
# per Python and architecture, with the hashes of its files. Needs PyPI, and no other index.
#
#   deploy/lock.sh [--upgrade]     without --upgrade the versions that still fit stay
set -euo pipefail
cd "$(dirname "$0")/.."
readonly uv_version=0.13.9

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check "uv==$uv_version" packaging
uv() { "$work/venv/bin/uv" --no-config "$@"; }

# What is built is built with the setuptools of the list, so that nothing is fetched beside it.
sed -n 's/^requires = \["\(.*\)"\]$/\1/p' pyproject.toml >"$work/build.in"
# uv takes a package's upper bound of Python for none, and pip would refuse what it locks.
echo "backports-strenum<1.3; python_version >= '3.11'" >"$work/constraints"

lock() {  # lock FILE EXTRA ARGUMENT...
  local file=$1 extra=$2; shift 2
  printf 'lock: %s\n' "$file"
  uv pip compile -q --universal --python-version 3.10 --no-python-downloads --generate-hashes --no-annotate \
    --default-index https://pypi.org/simple --custom-compile-command "make lock" \
    -c "$work/constraints" --extra device --extra mqtt --extra web ${extra:+--extra "$extra"} "$@" -o "$file" pyproject.toml "$work/build.in" >/dev/null
}

lock requirements-edge.lock '' "$@"
lock requirements-dev.lock dev -c requirements-edge.lock "$@"
"$work/venv/bin/python" deploy/check_lock.py requirements-edge.lock requirements-dev.lock
