"""What is known of a host, as the agent found it (agent/facts/) and as roles see it.

`None` means absent or not known; a role that needs it says so. The values come from a host, so they are validated
here, and nothing in them is trusted further than that.
"""

from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, PlainValidator

Network = IPv4Network | IPv6Network


def _network(value: Any) -> Network:
    """A host may have 20,000 routes: of each text one kind of network is tried."""
    if isinstance(value, str):
        return IPv6Network(value) if ":" in value else IPv4Network(value)
    if isinstance(value, Network):
        return value
    raise ValueError("no network")


class _Facts(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


class Os(_Facts):
    """/etc/os-release."""

    id: str
    """debian, ubuntu, …"""
    version_id: str = ""
    codename: str = ""
    name: str = ""


class Route(_Facts):
    """One route of any table; a default route is 0.0.0.0/0 or ::/0."""

    network: Annotated[Network, PlainValidator(_network)]
    interface: str

    @property
    def told(self) -> str:
        """In words."""
        return f"the route to {self.network}" + (f" by interface {self.interface}" if self.interface else "")


class Address(_Facts):
    """One address of an interface, with its prefix."""

    address: IPv4Interface | IPv6Interface
    interface: str

    @property
    def network(self) -> Network:
        """The network that it is of."""
        return self.address.network

    @property
    def told(self) -> str:
        """In words."""
        return f"{self.address} of interface {self.interface}"


class PciDevice(_Facts):
    """One NVIDIA device on the PCI bus."""

    address: str
    """0000:17:00.0"""
    device: str
    """The PCI device id, four hexadecimal digits."""
    device_class: str
    """The PCI class, four hexadecimal digits: 0300 VGA, 0302 3D controller, 0680 bridge (NVSwitch)."""


class Nvidia(_Facts):
    """NVIDIA hardware and driver, as far as the kernel and the file system tell."""

    pci: tuple[PciDevice, ...] = ()
    driver_loaded: str | None = None
    """Version of the loaded kernel module: /sys/module/nvidia/version."""
    driver_on_disk: str | None = None
    """Version of the module that the next boot would load."""
    library: str | None = None
    """Version in the name of libnvidia-ml.so.<version>, as the dynamic linker finds it."""
    programs: str | None = None
    """The folder of the driver's nvidia-smi where that is on no usual PATH, as /usr/local/nvidia/bin."""
    nvml: dict[str, Any] | None = None
    """What the driver answers (agent/gpu/nvml_program.py); only where facts are all that is wanted."""

    @property
    def gpus(self) -> tuple[PciDevice, ...]:
        """The devices that are GPUs: PCI classes 0300 and 0302."""
        return tuple(device for device in self.pci if device.device_class in ("0300", "0302"))


class Dgx(_Facts):
    """/etc/dgx-release."""

    name: str = ""
    platform: str = ""
    version: str = ""


class Unit(_Facts):
    """docker.service as systemd would read it: the unit file and its drop-ins, in the order they apply.

    The command line and the environment files are those without our own drop-ins (50-provision, zz-provision).
    """

    path: str
    masked: bool = False
    """Linked to /dev/null, or empty: it cannot be started."""
    exec_start: tuple[str, ...] = ()
    """The last ExecStart, split as systemd does; `$DOCKER_OPTS` stays as it is."""
    exec_start_from: str = ""
    """The file that this ExecStart stands in."""
    variables: dict[str, tuple[str, ...]] = {}
    """The words of each variable in `exec_start` that the unit's environment sets: kubespray's DOCKER_DNS_OPTIONS, …"""
    environment_files: tuple[str, ...] = ()
    drop_ins: tuple[str, ...] = ()

    @property
    def reads_default_file(self) -> bool:
        """Does the daemon get DOCKER_OPTS of /etc/default/docker?"""
        if "DOCKER_OPTS" in self.variables:  # of another file, or of the unit itself
            return False
        names = {name.lstrip("-") for name in self.environment_files}
        return "/etc/default/docker" in names and any(
            "$DOCKER_OPTS" in w or "${DOCKER_OPTS}" in w for w in self.exec_start
        )


class Docker(_Facts):
    """The engine, installed or to be installed."""

    packages: dict[str, str] = {}
    """Installed packages that are, or conflict with, an engine: name to version."""
    snap: bool = False
    version: str | None = None
    """The engine's version without the packaging: 20.10.24, 1.12.6."""
    daemon: str | None = None
    """Path of dockerd."""
    unit: Unit | None = None
    sysv: bool = False
    """Is there an /etc/init.d/docker?"""
    upstart: bool = False
    """Is there an /etc/init/docker.conf?"""
    pid: int | None = None
    command_line: tuple[str, ...] | None = None
    """The running daemon's own command line."""
    default_options: tuple[str, ...] = ()
    """DOCKER_OPTS in /etc/default/docker, split; whether anything reads it is another matter."""
    default_problem: str | None = None
    """Why /etc/default/docker cannot be edited safely (curly quotes, shell code), or None."""
    config: str = "/etc/docker/daemon.json"
    """daemon.json, or the file that the daemon is told to read in its place (--config-file)."""
    configured: dict[str, Any] = {}
    """daemon.json, without values that may hold a secret (proxies); empty when absent."""
    written: dict[str, tuple[str, ...]] = {}
    """Keys of daemon.json that we wrote, and the roles that asked for them: a run of these roles may take them out."""
    config_problem: str | None = None
    """Why daemon.json cannot be read as a JSON object, or None."""


class Facts(_Facts):
    """One host."""

    hostname: str = ""
    os: Os
    architecture: str
    """As dpkg names it: amd64, arm64."""
    kernel: str = ""
    init: Literal["systemd", "upstart", "sysv"]
    """What manages services now; `sysv` also where there is no init at all (a container)."""
    python: str = ""
    apt_version: str | None = None
    boot_id: str = ""
    can_raise_limits: bool = True
    """Has the host CAP_SYS_RESOURCE? Without it no container may have a limit above `memlock_hard`."""
    memlock_hard: int = -1
    """Bytes; -1 is unlimited."""
    dmi_vendor: str = ""
    dmi_product: str = ""
    dgx: Dgx | None = None
    nvidia: Nvidia = Nvidia()
    docker: Docker = Docker()
    routes: tuple[Route, ...] = ()
    addresses: tuple[Address, ...] = ()
    resolvers: tuple[IPv4Address | IPv6Address, ...] = ()
    ssh_client: IPv4Address | IPv6Address | None = None
    """Where this session comes from."""
    time: float | None = None
    """The host's clock when this was gathered: seconds since the epoch."""

    @property
    def connected(self) -> tuple[Address | Route, ...]:
        """What the host reaches: its interfaces' own networks, then its routes."""
        return (*self.addresses, *self.routes)

    @property
    def nvidia_machine(self) -> bool:
        """Is this a machine of NVIDIA's own, which has GPUs even when none can be seen?"""
        return self.dgx is not None or "NVIDIA" in self.dmi_vendor.upper() or self.dmi_product.upper().startswith("DGX")
