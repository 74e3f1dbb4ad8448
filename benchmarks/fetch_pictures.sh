#!/usr/bin/env bash
# Pictures of places and things without people, to count false boxes in: out of Debian packages and a wheel, unpacked,
# not installed. Their terms are in each package's usr/share/doc; nothing of them goes into the product.
set -euo pipefail
folder=$(realpath -m "${1:-training/data/pictures}")
packages=(gnome-backgrounds lomiri-wallpapers-16.04 lomiri-wallpapers-20.04 mate-backgrounds plasma-workspace-wallpapers opencv-doc)
mkdir -p "$folder"
cd "$folder"
for package in "${packages[@]}"; do
    [ -e "$package" ] && continue
    apt-get download -qq "$package"
    dpkg -x "${package}"_*.deb "$package.part"
    rm "${package}"_*.deb
    mv "$package.part" "$package"
done
if [ ! -e scikit-image ]; then
    python3 -m pip download -q --no-deps --only-binary :all: --python-version 3.7 scikit-image==0.16.2
    python3 -m zipfile -e scikit_image-*.whl scikit-image
    rm scikit_image-*.whl
fi
