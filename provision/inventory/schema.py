"""The JSON Schema of an inventory, for editors: made from the roles' models and the connection variables.

The law: what the schema refuses, `load` refuses too; not the other way round. Settings may be spread over levels, so
nothing is required in any one of them. Draft 2020-12, as pydantic writes it.
"""

from collections.abc import Iterable
from typing import Any

from provision import role
from provision.inventory import connection

CUSTOM_TAGS = ["!secret scalar", "!vault scalar", "!unsafe scalar"]
"""What yaml-language-server's setting `yaml.customTags` has to be told."""
_TEXT = {"type": "string"}
_SECRET = {"type": "string", "description": "A secret: use the tag !secret."}
_BOOLEAN = {"anyOf": [{"type": "boolean"}, {"enum": ["yes", "no", "on", "off", "true", "false", 0, 1]}]}
_PORT = {"anyOf": [{"type": "integer", "minimum": 1, "maximum": 65535}, {"type": "string", "pattern": "^[0-9]{1,5}$"}]}
_CONNECTION: dict[str, dict[str, Any]] = {
    "ansible_host": _TEXT | {"description": "What to connect to: a name, an address or a Host of ssh_config."},
    "ansible_port": _PORT | {"description": "SSH port; ssh_config's when absent."},
    "ansible_user": _TEXT | {"description": "Login user; ssh_config's when absent."},
    "ansible_password": _SECRET,
    "ansible_connection": {"enum": list(connection.CONNECTIONS), "description": "openssh is the ssh program."},
    "ansible_ssh_private_key_file": _TEXT | {"description": "Relative to the inventory; ~ is your home."},
    "ansible_ssh_args": _TEXT | {"description": "Options for ssh, before those of ansible_ssh_common_args."},
    "ansible_ssh_common_args": _TEXT | {"description": "Options for ssh, as in -o ProxyJump=bastion."},
    "ansible_become": _BOOLEAN | {"description": "Become root through sudo."},
    "ansible_become_password": _SECRET,
    "ansible_become_method": {"const": "sudo"},
    "ansible_become_user": {"const": "root"},
    "ansible_python_interpreter": _TEXT | {"description": "Path of a python3 >= 3.6 on the host."},
    "ansible_timeout": {"type": ["number", "string"], "description": "Seconds to connect and log in."},
    "ansible_group_priority": {"type": "integer", "description": "Between groups of one depth the higher wins."},
}


TEMPLATE = {"type": "string", "pattern": r"\{\{|\{%"}


def schema(roles: Iterable[role.Role], *, variables: bool = False) -> dict[str, Any]:
    """The schema of an inventory in which these roles can be set; with `variables`, of a file in group_vars/ or
    host_vars/."""
    definitions = _definitions(roles)
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:provision:{'variables' if variables else 'inventory'}",
        "title": "Variables of a group or host" if variables else "Inventory of provision",
        "description": f"In yaml-language-server, set yaml.customTags to {CUSTOM_TAGS}.",
        "x-yaml-custom-tags": CUSTOM_TAGS,
    }
    if variables:
        return head | {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/variables"}], "$defs": definitions}
    return head | {
        "type": "object",
        "properties": {"rollout": {"type": "object"}},
        "additionalProperties": {"$ref": "#/$defs/group"},
        "$defs": definitions,
    }


def _definitions(roles: Iterable[role.Role]) -> dict[str, Any]:
    definitions: dict[str, Any] = {}
    settings = {known.name: _settings(known, definitions) for known in roles}
    nothing = {"type": "null"}
    definitions["variables"] = {
        "type": "object",
        "properties": {
            **{name: _or_template(found) for name, found in _CONNECTION.items()},
            "roles": _or_template(
                {
                    "type": "array",
                    "uniqueItems": True,
                    "items": {"enum": sorted(settings)},
                    "description": "The roles that a host gets, in order.",
                }
            ),
            "rollout": {"description": "How a run goes through the fleet.", "type": "object"},
            **settings,
        },
    }
    definitions["group"] = {
        "type": ["object", "null"],
        "additionalProperties": False,
        "properties": {
            "hosts": _keyed({"anyOf": [nothing, {"$ref": "#/$defs/variables"}]}),
            "children": _keyed({"$ref": "#/$defs/group"}),
            "vars": {"anyOf": [nothing, {"$ref": "#/$defs/variables"}]},
        },
    }
    return definitions


def _keyed(values: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [{"type": ["null", "string"]}, {"type": "object", "additionalProperties": values}]}


def _settings(known: role.Role, definitions: dict[str, Any]) -> dict[str, Any]:
    """A role's settings as a reference; its definitions get the role's name in front, so that no two collide."""
    role.document(known.settings)
    template = f"#/$defs/{known.name}.{{model}}"
    made = known.settings.model_json_schema(ref_template=template)
    for name, inner in made.pop("$defs", {}).items():
        definitions[f"{known.name}.{name}"] = _optional(inner)
    made["title"] = known.name
    if known.doc:
        made["description"] = known.doc.partition("\n")[0]
    definitions[known.name] = _optional(made)
    return {"anyOf": [{"type": "null"}, {"$ref": f"#/$defs/{known.name}"}, TEMPLATE]}


def _optional(made: dict[str, Any]) -> dict[str, Any]:
    return dict(_templated({key: value for key, value in made.items() if key != "required"}))


def _templated(made: Any) -> Any:
    """The same schema, with a template in the place of any value."""
    if not isinstance(made, dict):
        return made
    found = dict(made)
    for key, inner in made.items():
        if key == "properties":
            found[key] = {name: _or_template(value) for name, value in inner.items()}
        elif key in ("items", "additionalProperties") and isinstance(inner, dict):
            found[key] = _or_template(inner)
        elif key == "anyOf":
            found[key] = [_templated(value) for value in inner]
    return found


def _or_template(made: dict[str, Any]) -> dict[str, Any]:
    about = {key: value for key, value in made.items() if key in ("description", "title", "default")}
    rest = _templated({key: value for key, value in made.items() if key not in about})
    return about | {"anyOf": [*(rest["anyOf"] if set(rest) == {"anyOf"} else [rest]), TEMPLATE]}
