#!/usr/bin/env bash
# Build the virtual Raspberry Pi: an aarch64 Debian 12 as Raspberry Pi OS Lite would be, without the
# product, and what QEMU needs to boot it.
#
#   OUT/disk.ext4           the system, with the Debian packages that install.sh asks for
#   OUT/vmlinuz             Debian's own kernel
#   OUT/initrd.img          busybox: loads virtio_blk and ext4, switches root
#   OUT/id_vpi              ssh key of this image
#   OUT/base.tar            the bare Debian; used again where it is there
#   OUT/wheelhouse/         the product's Python packages for the guest
#
# Needs root, Debian 12, and the apt and pip registries. usage: build-image.sh OUT
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
project=$(cd "$here/../.." && pwd)
. "$project/deploy/locked.sh"
out=$(realpath -m "$1")
work=$out/work root=$out/work/root suite=bookworm
python=${PYTHON:-python3}
packages=systemd,systemd-sysv,udev,dbus,kmod,iproute2,procps,openssh-server,ca-certificates,curl
packages+=,python3,python3-venv,python3-pyaudio,libportaudio2,libgl1,libglib2.0-0,alsa-utils,gpiod,polkitd

step() { printf '[%4d s] %s\n' $SECONDS "$*"; }

host_packages() {
  local wanted=(qemu-system-arm ipxe-qemu seabios qemu-utils qemu-user-static binfmt-support arch-test mmdebstrap e2fsprogs
    cpio kmod openssh-client socat device-tree-compiler make gcc xz-utils linux-headers-amd64
    linux-source-6.1 gcc-aarch64-linux-gnu gcc-12-aarch64-linux-gnu espeak-ng)
  if ! dpkg-query -W "${wanted[@]}" >/dev/null 2>&1; then
    step "host packages"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${wanted[@]}" \
      >"$out/apt.log" 2>&1 || { tail "$out/apt.log"; exit 1; }
  fi
  # binfmt_misc may not be mounted, and then the package could not register.
  [ -e /proc/sys/fs/binfmt_misc/register ] || mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
  [ -e /proc/sys/fs/binfmt_misc/qemu-aarch64 ] || update-binfmts --enable qemu-aarch64
}

# Packages of the guest's architecture, without touching this machine's dpkg.
guest_apt() {
  apt-get -qq -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o "Dir::State::Lists=$work/lists" \
    -o "Dir::State::Status=$work/status" -o "Dir::Cache=$work/cache" -o Dir::Etc::SourceParts=/nonexistent \
    -o "Dir::Etc::SourceList=$work/sources.list" -o APT::Sandbox::User=root "$@"
}

fetch_kernel() {
  step "kernel $version"
  awk '/^URIs/{u=$2} /^Suites/{for(i=2;i<=NF;i++)
    print "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]",u,$i,"main"}' \
    /etc/apt/sources.list.d/debian.sources >"$work/sources.list"
  : >"$work/status"
  guest_apt update
  (cd "$work/deb" && guest_apt download "linux-image-$version" "linux-headers-$version" \
    v4l2loopback-dkms busybox-static)
}

# Debian's kernel has snd-aloop and bochs as modules, but neither GPIO_SIM nor IRQ_SIM, which it
# needs: both build out of tree in seconds. v4l2loopback likewise.
build_modules() {
  step "modules gpio-sim and v4l2loopback"
  local m=$work/modules name
  mkdir -p "$m/gpio-sim"
  tar -xJf /usr/src/linux-source-6.1.tar.xz -C "$m" --occurrence=1 linux-source-6.1/drivers/gpio/gpio-sim.c \
    linux-source-6.1/drivers/gpio/gpiolib.h linux-source-6.1/kernel/irq/irq_sim.c
  mv "$m"/linux-source-6.1/drivers/gpio/* "$m"/linux-source-6.1/kernel/irq/irq_sim.c "$m/gpio-sim/"
  # irq_to_desc() is not exported to modules; irq_get_irq_data() is.
  sed -i -e 's/irq_to_desc(irqnum)/irq_data_to_desc(irq_get_irq_data(irqnum))/' \
    -e 's,#include <linux/irq.h>,&\n#include <linux/irqdesc.h>\n#include <linux/irqdomain.h>\n#include <linux/module.h>,' \
    "$m/gpio-sim/irq_sim.c"
  echo 'MODULE_LICENSE("GPL");' >>"$m/gpio-sim/irq_sim.c"
  printf 'obj-m := gpio-sim.o irq-sim.o\nirq-sim-y := irq_sim.o\n' >"$m/gpio-sim/Makefile"
  dpkg-deb -x "$work"/deb/v4l2loopback-dkms_*.deb "$m/dkms"
  ln -s "$m"/dkms/usr/src/v4l2loopback-* "$m/v4l2loopback"
  dpkg-deb -x "$work"/deb/linux-headers-*.deb "$m/headers"
  mkdir -p "$m/headers/usr/lib"   # the build tools are this machine's
  ln -sfn /usr/lib/linux-kbuild-6.1 "$m/headers/usr/lib/linux-kbuild-6.1"
  for name in gpio-sim v4l2loopback; do
    make -s -C "$m/headers/usr/src/linux-headers-$version" ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu- \
      M="$(readlink -f "$m/$name")" modules >"$work/$name.log" 2>&1 || { cat "$work/$name.log"; exit 1; }
  done
}

make_base() {
  [ -s "$out/base.tar" ] && return
  step "Debian $suite"
  mmdebstrap --quiet --architectures=arm64 --variant=minbase --include="$packages" \
    --aptopt='Apt::Install-Recommends "false"' --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/fonts/*' "$suite" "$out/base.tar.new" --format=tar \
    /etc/apt/sources.list.d/debian.sources >"$work/mmdebstrap.log" 2>&1 ||
    { tail -30 "$work/mmdebstrap.log"; exit 1; }
  mv "$out/base.tar.new" "$out/base.tar"
}

unpack() {
  step "unpack, with the kernel's modules"
  tar -C "$root" --numeric-owner -xf "$out/base.tar"
  dpkg-deb -x "$work/deb/linux-image-$version"_*.deb "$work/kernel"
  cp "$work/kernel/boot/vmlinuz-$version" "$out/vmlinuz"
  local to=$root/lib/modules/$version
  mkdir -p "$root/lib/modules"
  cp -a "$work/kernel/lib/modules/$version" "$to"
  # What a virtual machine never needs.
  (cd "$to/kernel" && rm -rf drivers/net/{ethernet,wireless} drivers/infiniband \
    drivers/gpu/drm/{amd,i915,nouveau,radeon,gma500,vmwgfx,mgag200,ast,qxl,msm,etnaviv,tegra} \
    drivers/{scsi,iio,staging,isdn,hwmon,mtd,ata,md} sound/{pci,soc,usb} \
    fs/{ocfs2,ceph,xfs,btrfs,f2fs,nfs,nfsd,smb,cifs,gfs2,jfs,reiserfs,afs,ubifs,nilfs2} \
    net/{netfilter,ipv4,ipv6,mac80211,bluetooth,sctp,tipc,openvswitch,batman-adv,ceph} \
    drivers/media/{usb,pci,tuners,dvb-frontends,i2c})
  install -D -t "$to/updates" "$work"/modules/gpio-sim/{gpio-sim,irq-sim}.ko \
    "$work"/modules/v4l2loopback/v4l2loopback.ko
  depmod -b "$root" "$version"
}

configure() {
  step "configuration"
  echo pi >"$root/etc/hostname"
  printf '127.0.0.1 localhost pi\n' >"$root/etc/hosts"
  printf '/dev/vda / ext4 rw,noatime 0 1\n' >"$root/etc/fstab"
  mkdir -p "$root/etc/systemd/network" "$root/root/.ssh" "$root/mnt/host"
  printf '[Match]\nName=en* eth*\n[Network]\nAddress=10.0.2.15/24\nGateway=10.0.2.2\nLinkLocalAddressing=no\n' \
    >"$root/etc/systemd/network/10-user.network"
  [ -e "$out/id_vpi" ] || ssh-keygen -q -t ed25519 -N '' -C vpi -f "$out/id_vpi"
  install -m 600 "$out/id_vpi.pub" "$root/root/.ssh/authorized_keys"
  rm -f "$root"/etc/ssh/ssh_host_*
  ssh-keygen -q -t ed25519 -N '' -f "$root/etc/ssh/ssh_host_ed25519_key"
  printf 'UseDNS no\nHostKey /etc/ssh/ssh_host_ed25519_key\nUsePAM no\nMaxSessions 30\n' \
    >"$root/etc/ssh/sshd_config.d/vpi.conf"
  cp -a "$here"/guest/. "$root/"
  chown -R root:root "$root/usr/local/sbin/vpi-hardware" "$root/etc/systemd/system/vpi-hardware.service"
  systemctl -q --root="$root" enable systemd-networkd.service ssh.service vpi-hardware.service
  # Of no use here, and slow where every instruction is translated.
  systemctl -q --root="$root" mask apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer \
    e2scrub_reap.service fstrim.timer dpkg-db-backup.timer systemd-pstore.service \
    serial-getty@ttyAMA0.service systemd-networkd-wait-online.service systemd-rfkill.socket
  rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/*
  tr -d - </proc/sys/kernel/random/uuid >"$root/etc/machine-id"   # a set id: no first-boot work
}

make_initrd() {
  step "initrd"
  local i=$work/initrd order module
  mkdir -p "$i"/{bin,mods,proc,sys,dev,new}
  dpkg-deb -x "$work"/deb/busybox-static_*.deb "$work/busybox"
  cp "$work"/busybox/bin/busybox "$i/bin/busybox"
  order=$(for module in virtio_pci virtio_mmio virtio_blk crc32c_generic ext4; do
    modprobe -d "$root" -S "$version" --show-depends "$module" | awk '$1=="insmod"{print $2}'
  done | awk '!seen[$0]++')
  { echo '#!/bin/busybox sh'
    echo "b=/bin/busybox; \$b mount -t proc p /proc; \$b mount -t sysfs s /sys; \$b mount -t devtmpfs d /dev 2>/dev/null"
    for module in $order; do cp "$module" "$i/mods/"; echo "\$b insmod /mods/$(basename "$module")"; done
    echo "n=0; while [ ! -b /dev/vda ] && [ \$n -lt 100 ]; do \$b usleep 50000; n=\$((n+1)); done"
    echo "\$b mount -t ext4 -o rw,noatime /dev/vda /new || exec \$b sh"
    echo "\$b mount --move /dev /new/dev; \$b umount /proc; \$b umount /sys"
    echo "exec \$b switch_root /new /sbin/init"
  } >"$i/init"
  chmod 755 "$i/init"
  (cd "$i" && find . | cpio -o -H newc --quiet | gzip -1) >"$out/initrd.img"
}

make_disk() {
  step "disk"
  local megabytes=$(($(du -sm "$root" | cut -f1) * 115 / 100 + 3000))
  rm -f "$out/disk.ext4"
  mke2fs -q -t ext4 -m 0 -d "$root" "$out/disk.new" "${megabytes}M" >/dev/null
  mv "$out/disk.new" "$out/disk.ext4"
}

# As `pip download` on the board itself would fill it, by this machine's pip for the guest's platform.
fill_wheelhouse() {
  local to=$out/wheelhouse tags=() glibc
  step "wheelhouse"
  for glibc in 36 35 34 31 28 27 26 24 17; do tags+=(--platform "manylinux_2_${glibc}_aarch64"); done
  tags+=(--platform manylinux2014_aarch64)
  mkdir -p "$to"
  # PyAudio comes from Debian. pip decides by this machine's architecture what lgpio's marker means.
  locked "$project/requirements-edge.lock" '!/^pyaudio==/' |
    sed "s/ and platform_machine == 'aarch64'//" >"$work/requirements"
  "$python" -m pip download -q -d "$to" --no-deps --require-hashes --implementation cp --python-version 3.11 \
    "${tags[@]}" -r "$work/requirements"
}

mkdir -p "$out"
rm -rf "$work"
mkdir -p "$root" "$work"/{deb,modules,lists/partial,cache/archives/partial}
host_packages
headers=$(basename "$(find /usr/src -maxdepth 1 -name 'linux-headers-6.1.*-common' | sort -V | tail -1)" -common)
version=${headers#linux-headers-}-arm64
fill_wheelhouse
fetch_kernel
build_modules
make_base
unpack
configure
make_initrd
make_disk
rm -rf "$work"
step "done"
