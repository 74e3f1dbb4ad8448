#!/usr/bin/env bash
# Speech and music out of Debian packages, for the speech gate: downloaded and unpacked, not installed.
# Their terms are in each package's usr/share/doc; nothing of them goes into the product.
set -euo pipefail
folder=$(realpath -m "${1:-training/data/sounds}")
packages=(
    asterisk-core-sounds-{en,fr,it,ru}-wav ktuberling-data
    asterisk-moh-opsound-wav frozen-bubble-data lincity-ng-data wesnoth-1.16-music
    extremetuxracer-data singularity-music warzone2100-music
)
mkdir -p "$folder"
cd "$folder"
for package in "${packages[@]}"; do
    [ -e "$package" ] && continue
    apt-get download -qq "$package"
    dpkg -x "${package}"_*.deb "$package.part"
    rm "${package}"_*.deb
    mv "$package.part" "$package"
done
