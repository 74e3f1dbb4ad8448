"""The virtual Raspberry Pi: boots an image in QEMU, talks to it by ssh, looks at its screen, and
takes its power away. Knows nothing of the product.

TCG, always: it says nothing about speed, and runs where there is no (working) KVM.
"""

import contextlib
import shlex
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

BOOT_S = 3600.0
"""Every instruction is translated, and the machine that does it may have other work."""
COMMAND_S = 1800.0
MODEL, REVISION = "Raspberry Pi 4 Model B Rev 1.1", "c03111"
QEMU = "qemu-system-aarch64"
SCREEN = "bochs-display,xres=800,yres=480"
"""As many pixels as the Raspberry Pi Touch Display has: every one is drawn by translated code."""


class PiError(RuntimeError):
    """The machine does not do what it should; the message says what it said."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Pi:
    """One machine: a disk that keeps what is written, and power that is on or off."""

    def __init__(self, image: Path, disk: Path, share: Path, log: Path) -> None:
        """`image`: what build-image.sh made. `disk`: the changes to it (made where missing).

        `share`: a folder that the guest sees, read-only, as /mnt/host. `log`: for its console.
        """
        self._image, self._disk, self._share, self._log = image, disk, share, log
        self._qemu: subprocess.Popen[bytes] | None = None
        self._line: subprocess.Popen[bytes] | None = None
        self._monitor = disk.with_suffix(".monitor")
        self._tree = disk.with_suffix(".dtb")
        self._control = disk.with_suffix(".ssh")
        self._ssh_port, self.gateway_port = free_port(), free_port()

    def power_on(self) -> None:
        """Boot, until ssh answers and /mnt/host is there."""
        if not self._disk.exists():
            make_disk(self._disk, self._image / "disk.ext4")
        if not self._tree.exists():
            self._make_tree()
        self._monitor.unlink(missing_ok=True)
        with self._log.open("ab") as log:
            command = [*self._command(), "-dtb", str(self._tree)]
            self._qemu = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._wait_for_ssh()
        self._hold_the_line()

    def _hold_the_line(self) -> None:
        """One connection for all commands: a handshake is much work for the guest."""
        self._control.unlink(missing_ok=True)
        devnull = subprocess.DEVNULL
        command = [*self.ssh_command(), "-M", "-N"]
        self._line = subprocess.Popen(command, stdin=devnull, stdout=devnull, stderr=devnull)
        while not self._control.exists() and self._line.poll() is None:
            time.sleep(0.1)

    def _hang_up(self) -> None:
        if self._line is not None:
            self._line.kill()
            self._line.wait()
            self._line = None
            self._control.unlink(missing_ok=True)

    def _command(self) -> list[str]:
        forwards = f"hostfwd=tcp:127.0.0.1:{self._ssh_port}-:22,"
        forwards += f"hostfwd=tcp:127.0.0.1:{self.gateway_port}-:5557"
        drive = f"file={self._disk},format=qcow2,if=none,id=disk,cache=writeback"
        share = f"local,path={self._share},mount_tag=host,security_model=none,readonly=on"
        kernel = "console=ttyAMA0 quiet audit=0 random.trust_cpu=on systemd.show_status=0"
        options = {
            "machine": "virt",
            "accel": "tcg,thread=single,tb-size=512",
            # The guest's clock counts its instructions: where this machine is busy, the guest's
            # time goes slower, and its own limits (starts, watchdogs) mean what they should.
            # One instruction a nanosecond.
            "icount": "shift=0",
            "cpu": "cortex-a72",
            "smp": "1",  # more would only share one thread
            "m": "2048",
            "kernel": str(self._image / "vmlinuz"),
            "initrd": str(self._image / "initrd.img"),
            "append": f"{kernel} vt.global_cursor_default=0",
            "drive": drive,
            "nic": f"user,model=virtio-net-pci,restrict=on,{forwards}",
            "virtfs": share,
            "display": "none",
            "serial": f"file:{self._log}.serial",
            "monitor": f"unix:{self._monitor},server,nowait",
        }
        flags = [part for name, value in options.items() for part in (f"-{name}", value)]
        devices = ["virtio-blk-pci,drive=disk", "virtio-rng-pci", SCREEN]
        for device in devices:
            flags += ["-device", device]
        return [QEMU, "-no-reboot", *flags]

    def _make_tree(self) -> None:
        """QEMU's own device tree, saying that it is a Pi 4 (gpiozero looks there).

        Without the board's GPIO chip, so that the simulated one becomes /dev/gpiochip0.
        """
        tree = str(self._tree)
        quietly([*self._command(), "-machine", f"dumpdtb={tree}"])
        quietly(["fdtput", "-c", tree, "/system"])
        quietly(["fdtput", "-t", "x", tree, "/system", "linux,revision", REVISION])
        quietly(["fdtput", "-t", "s", tree, "/", "model", MODEL])
        quietly(["fdtput", "-r", tree, "/gpio-keys", "/pl061@9030000"])

    def _wait_for_ssh(self) -> None:
        give_up_s = time.monotonic() + BOOT_S
        mount = "mount -t 9p -o trans=virtio,version=9p2000.L,ro host /mnt/host"
        while time.monotonic() < give_up_s:
            if self._qemu is None or self._qemu.poll() is not None:
                raise PiError(f"QEMU ended: {self._log.read_text()[-2000:]}")
            if self.ssh("true", check=False, timeout_s=60).returncode == 0:
                self.ssh(f"mountpoint -q /mnt/host || {mount}")
                return
            time.sleep(1)
        raise PiError(f"it does not answer after {BOOT_S:.0f} s")

    def ssh(
        self, command: str, *, check: bool = True, timeout_s: float = COMMAND_S
    ) -> subprocess.CompletedProcess[str]:
        """Run `command` in the guest, as root. Raises PiError where it fails and `check` is set."""
        try:
            done = subprocess.run(
                [*self.ssh_command(), command], capture_output=True, text=True, timeout=timeout_s
            )
        except subprocess.TimeoutExpired as error:
            if check:
                raise PiError(f"no answer within {timeout_s:.0f} s: {command}") from error
            return subprocess.CompletedProcess([], 255, "", "")
        if check and done.returncode:
            raise PiError(f"{command}: exit code {done.returncode}: {done.stdout}{done.stderr}")
        return done

    def ssh_command(self) -> list[str]:
        options = "StrictHostKeyChecking=no UserKnownHostsFile=/dev/null LogLevel=ERROR"
        options += " ConnectTimeout=30 BatchMode=yes ServerAliveInterval=30 ServerAliveCountMax=20"
        options += f" ControlPath={self._control}"
        flags = [part for option in options.split() for part in ("-o", option)]
        identity = ["-i", str(self._image / "id_vpi"), "-p", str(self._ssh_port)]
        return ["ssh", *flags, *identity, "root@127.0.0.1"]

    def says(self, command: str) -> str:
        """What a command prints."""
        return self.ssh(command).stdout.strip()

    def write(self, path: str, text: str) -> None:
        """Write a file in the guest."""
        self.ssh(f"printf %s {shlex.quote(text)} > {path}")

    def screendump(self, path: Path) -> None:
        """What the HDMI screen shows now, as a PNG."""
        path.unlink(missing_ok=True)
        self.tell(f"screendump {path.resolve()} -f png")
        give_up_s = time.monotonic() + COMMAND_S
        while not (path.exists() and path.stat().st_size) and time.monotonic() < give_up_s:
            time.sleep(0.5)

    def tell(self, command: str) -> str:
        """A command to QEMU's monitor, and its answer."""
        done = subprocess.run(
            ["socat", "-T3", "-", f"UNIX-CONNECT:{self._monitor}"],
            input=command + "\n",
            capture_output=True,
            text=True,
        )
        return done.stdout

    def power_off(self) -> None:
        """As a person would: an orderly shutdown, then the plug."""
        if self._qemu is not None:
            self.ssh("systemctl poweroff", check=False, timeout_s=60)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._qemu.wait(BOOT_S)
            self.cut_power()

    def await_off(self, limit_s: float) -> None:
        """Wait until it has switched itself off. Raises PiError where it does not."""
        assert self._qemu is not None
        try:
            self._qemu.wait(limit_s)
        except subprocess.TimeoutExpired as error:
            raise PiError(f"it is still on after {limit_s:.0f} s") from error
        self.cut_power()

    def cut_power(self) -> None:
        """Pull the plug: what the guest had not written is lost."""
        self._hang_up()
        if self._qemu is not None:
            self._qemu.kill()
            self._qemu.wait()
            self._qemu = None


def make_disk(disk: Path, base: Path) -> None:
    """A disk that keeps what differs from `base` (a raw or qcow2 file)."""
    kind = "qcow2" if base.suffix == ".qcow2" else "raw"
    command = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", kind]
    quietly([*command, "-b", str(base.resolve()), str(disk)])


def quietly(command: Sequence[str]) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise PiError(f"{command[0]}: {done.stderr}")
