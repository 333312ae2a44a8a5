"""An inventory as ansible-core itself reads it, in this process: what ours is held against."""

from typing import Any

NAMES = ["u", "v", "w"]
"""Variables of random inventories."""
PASSWORDS = {"dev": "horse battery", "prod": "correct staple"}
"""Of vaults, by label."""
ADDED = {
    "inventory_file",
    "inventory_dir",
    "inventory_hostname",
    "inventory_hostname_short",
    "group_names",
    "groups",
    "omit",
    "ansible_facts",
    "ansible_version",
    "ansible_playbook_python",
    "ansible_config_file",
    "playbook_dir",
}
"""What Ansible adds to each host's own variables."""


def plain(value: Any) -> Any:
    """A value of ours or theirs, as plain types; of a number or text the type counts."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    kind = next((kind for kind in (bool, int, float, str) if isinstance(value, kind)), None)
    return value if kind is None else kind(value)


class Ansible:
    """The same inventory, as ansible-core reads it."""

    def __init__(self, *sources: str) -> None:
        from ansible.inventory.manager import InventoryManager  # noqa: PLC0415
        from ansible.parsing.dataloader import DataLoader  # noqa: PLC0415
        from ansible.parsing.vault import VaultSecret  # noqa: PLC0415
        from ansible.plugins.loader import init_plugin_loader  # noqa: PLC0415
        from ansible.plugins.vars import host_group_vars  # noqa: PLC0415
        from ansible.vars.hostvars import HostVars  # noqa: PLC0415
        from ansible.vars.manager import VariableManager  # noqa: PLC0415

        if not Ansible.ready:
            init_plugin_loader([])
            Ansible.ready = True
        host_group_vars.FOUND.clear()
        loader = DataLoader()
        loader.set_vault_secrets([(label, VaultSecret(word.encode())) for label, word in PASSWORDS.items()])
        self.read = InventoryManager(loader, sources=list(sources))
        self._loader = loader
        self._variables = VariableManager(loader, self.read)
        HostVars(self.read, self._variables, loader)

    ready = False

    def hosts(self) -> list[str]:
        return [str(host.name) for host in self.read.get_hosts("all")]

    def members(self) -> dict[str, list[str]]:
        return {str(name): [str(host.name) for host in group.get_hosts()] for name, group in self.read.groups.items()}

    def variables(self, host: str) -> dict[str, Any]:
        found = self._variables.get_vars(host=self.read.get_host(host), include_hostvars=False)
        return {name: str(found[name]) for name in NAMES if name in found}

    def evaluate(self, host: str, template: str) -> Any:
        """What a template gives; an _Error where it gives nothing."""
        from ansible.errors import AnsibleError  # noqa: PLC0415
        from ansible.template import Templar, trust_as_template  # noqa: PLC0415

        values = self._variables.get_vars(host=self.read.get_host(host))
        try:
            return plain(Templar(self._loader, variables=values).template(trust_as_template(template)))
        except AnsibleError:
            return None

    def select(self, pattern: str) -> list[str] | None:
        from ansible.errors import AnsibleError  # noqa: PLC0415

        try:
            self.read.subset(pattern)
            return [str(host.name) for host in self.read.get_hosts("all")]
        except AnsibleError:
            return None
        finally:
            self.read.subset(None)

    def all_variables(self, host: str) -> dict[str, Any]:
        """All that the inventory says of a host, templates as they are."""
        found = self._variables.get_vars(host=self.read.get_host(host), include_hostvars=False)
        return {name: plain(value) for name, value in found.items() if name not in ADDED}
