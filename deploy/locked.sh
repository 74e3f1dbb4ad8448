# shellcheck shell=bash
# Sourced by setup.sh, install.sh and build-image.sh: install what a lock file names, every file against its hash.

# install_locked LOCK LEFT_OUT PIP_INSTALL...: LEFT_OUT is a pattern of the names that come from elsewhere. What
# has no wheel is built with the list's own setuptools, so pip fetches nothing whose hash is not known.
install_locked() {
  local lock=$1 left_out=$2; shift 2
  "$@" --require-hashes -r <(locked "$lock" '/^setuptools==/')
  "$@" --require-hashes --no-build-isolation --use-pep517 -r <(locked "$lock" "!/^($left_out)==/")
}

# The entries of a lock file whose first line meets an awk condition; the lines of hashes belong to them.
locked() { awk "/^[^ #]/ { wanted = $2 } wanted" "$1"; }
