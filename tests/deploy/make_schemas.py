#!/usr/bin/env python3
"""Writes the JSON schemas that kubeconform reads, strict ones: an unknown field is an error.

usage: make_schemas.py FOLDER SWAGGER.json CRD.yaml..
SWAGGER.json is Kubernetes' OpenAPI document; each CRD is a CustomResourceDefinition. One file a kind and version, named
as kubeconform asks for it: deployment-apps-v1.json.
"""

import json
import pathlib
import sys

import yaml

INT_OR_STRING = {"type": ["string", "integer"]}
QUANTITY = {"type": ["string", "number"]}


def strict(node, resolve):
    """A schema without references in which no property but the named ones may stand.

    resolve(name) gives what a reference becomes."""
    if "$ref" in node:
        return resolve(node["$ref"].rsplit("/", 1)[1])
    if node.get("x-kubernetes-int-or-string"):
        return INT_OR_STRING
    kept = {key: node[key] for key in ("type", "required", "enum") if key in node}
    if "items" in node:
        kept["items"] = strict(node["items"], resolve)
    if isinstance(node.get("additionalProperties"), dict):
        kept["additionalProperties"] = strict(node["additionalProperties"], resolve)
    if "properties" in node:
        kept["properties"] = {name: strict(child, resolve) for name, child in node["properties"].items()}
        for name, child in kept["properties"].items():
            if name not in node.get("required", []) and isinstance(child.get("type"), str):
                child["type"] = [child["type"], "null"]
        if not node.get("x-kubernetes-preserve-unknown-fields"):
            kept.setdefault("additionalProperties", False)
    return kept


def resolver(definitions, within=()):
    """What a reference of the OpenAPI document becomes: its definition, resolved. One that holds itself is open."""

    def resolve(name):
        if name.endswith("intstr.IntOrString"):
            return dict(INT_OR_STRING)
        if name.endswith("resource.Quantity"):
            return dict(QUANTITY)
        if name in within:
            return {}
        return strict(definitions[name], resolver(definitions, (*within, name)))

    return resolve


def built_in(swagger):
    """Yields (group, version, kind, schema) of each kind that the OpenAPI document has."""
    definitions = json.loads(pathlib.Path(swagger).read_text())["definitions"]
    resolve = resolver(definitions)
    for name, definition in definitions.items():
        kinds = definition.get("x-kubernetes-group-version-kind", [])
        if len(kinds) == 1:  # those with more are options of requests
            yield kinds[0]["group"], kinds[0]["version"], kinds[0]["kind"], resolve(name)


def custom(crd, metadata):
    """Yields the same of each version of a CustomResourceDefinition."""
    spec = yaml.safe_load(pathlib.Path(crd).read_text())["spec"]
    for version in spec["versions"]:
        schema = strict(version["schema"]["openAPIV3Schema"], None)
        schema["properties"]["metadata"] = metadata
        yield spec["group"], version["name"], spec["names"]["kind"], schema


def write(folder, group, version, kind, schema):
    if "kind" not in schema.get("properties", {}):
        return 0
    schema["properties"]["apiVersion"] = {"enum": [f"{group}/{version}" if group else version]}
    schema["properties"]["kind"] = {"enum": [kind]}
    name = "-".join(part for part in (kind.lower(), group.split(".")[0], version) if part)
    (folder / f"{name}.json").write_text(json.dumps(schema))
    return 1


def main():
    folder, swagger, *crds = sys.argv[1:]
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    written = 0
    metadata = {}
    for group, version, kind, schema in built_in(swagger):
        if kind == "ConfigMap":
            metadata = schema["properties"]["metadata"]
        written += write(folder, group, version, kind, schema)
    for crd in crds:
        for group, version, kind, schema in custom(crd, metadata):
            written += write(folder, group, version, kind, schema)
    print(f"{written} schemas in {folder}")


if __name__ == "__main__":
    main()
