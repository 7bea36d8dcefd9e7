"""Checks docs/openapi.yaml: its routes are those of the router, and its examples fit the schemas.

It also checks that references are right, that every body has an example and every part is used.

Usage: check.py DOCUMENT ROUTER

Prints one line for each difference, and exits with 1 if there are any.
"""

import re
import sys
from pathlib import Path

import yaml
from openapi_schema_validator import OAS31Validator

METHODS = ("get", "put", "post", "delete", "head", "options", "patch")
POLICIES = {
    "Open": "open",
    "Read": "read",
    "Write": "write",
    "OwnNode": "own-node",
    "Peer": "peer",
}


def arguments(text, start):
    """Returns the arguments of the call whose first argument begins at `start`."""
    found, depth, begin, at, in_string = [], 0, start, start, False
    while True:
        char = text[at]
        if char == '"':
            in_string = not in_string
        elif in_string:
            pass
        elif char in "([{":
            depth += 1
        elif char in ")]}" and depth > 0:
            depth -= 1
        elif char == ")" or (char == "," and depth == 0):
            found.append(text[begin:at].strip())
            begin = at + 1
            if char == ")":
                return [argument for argument in found if argument]
        at += 1


def constant(name, router):
    """Returns the string constant of a handler, such as `cluster::PEER_PATH`."""
    module, name = name.split("::")
    source = (router.parent / "handlers" / f"{module}.rs").read_text()
    value = re.search(rf'const {name}: &str = "([^"]*)"', source)
    if value is None:
        sys.exit(f"check.py: {module}.rs has no constant {name}")
    return value[1]


def rules_of(text, expression):
    """Returns the rules for reading and writing that an expression stands for."""
    only = re.fullmatch(r"Rules::only\(Rule::(\w+)\)", expression)
    if only:
        return only[1], only[1]
    value = re.search(
        rf"const {expression}: Rules = Rules \{{\s*reading: Rule::(\w+),\s*writing: Rule::(\w+),",
        text,
    )
    if value:
        return value[1], value[2]
    value = re.search(rf"let {expression} = (Rules::only\(Rule::\w+\));", text)
    if value:
        return rules_of(text, value[1])
    sys.exit(f"check.py: the rules {expression} of the router are not understood")


def routes_of(router):
    """Returns the policy of each path and method of the router."""
    text, routes = router.read_text(), {}
    for call in re.finditer(r"\.route\(", text):
        given = arguments(text, call.end())
        if given == ["path", "methods"]:
            continue
        if len(given) != 3:
            sys.exit(f"check.py: the route {given} of the router is not understood")
        path, rules, methods = given
        path = path[1:-1] if path.startswith('"') else constant(path, router)
        path = path.replace("{*", "{")
        reading, writing = rules_of(text, rules)
        called = set(re.findall(r"\b([a-z_]+)\(", methods))
        for method in METHODS:
            if method in called:
                rule = reading if method in ("get", "head") else writing
                routes[path, method] = POLICIES[rule]
        # OPTIONS of this one does the same as GET, and is open like that of any other route.
        if "checked" in called:
            routes[path, "options"] = POLICIES["Open"]
    if not routes:
        sys.exit("check.py: the router has no routes")
    return routes


def operations_of(document):
    """Returns the policy of each path and method of the document."""
    return {
        (path, method): operation.get("x-quorate-policy")
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in METHODS + ("trace",)
    }


def differences_of_routes(routes, operations):
    """Returns a line for each route that is missing in the document, or described wrongly."""
    for path, method in sorted(routes.keys() | operations.keys()):
        key, name = (path, method), f"{method.upper()} {path}"
        if key not in operations:
            yield f"{name} is a route that the document does not describe"
        elif key not in routes:
            yield f"{name} is described and is not a route"
        elif routes[key] != operations[key]:
            yield f"{name} has the policy {routes[key]}, and {operations[key]} in the document"


def places_of_examples(node, at=()):
    """Yields each object of the document that has a schema and examples, with its place."""
    if isinstance(node, dict):
        if "schema" in node and ("example" in node or "examples" in node):
            yield at, node
        for key, value in node.items():
            if key not in ("example", "examples", "schema"):
                yield from places_of_examples(value, (*at, key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from places_of_examples(value, (*at, str(index)))


def wrong_examples(document):
    """Returns a line for each example that does not fit its schema."""
    for at, node in places_of_examples(document):
        examples = [node["example"]] if "example" in node else []
        examples += [example["value"] for example in node.get("examples", {}).values()]
        # The components are part of the schema, so that its references are found.
        schema = {"allOf": [node["schema"]], "components": document["components"]}
        validator = OAS31Validator(schema)
        for example in examples:
            for error in validator.iter_errors(example):
                yield f"the example of {' '.join(at)} does not fit: {error.message[:200]}"


def is_there(document, reference):
    """Returns whether a reference within the document names a part of it."""
    node = document
    for segment in reference.removeprefix("#/").split("/"):
        segment = segment.replace("~1", "/").replace("~0", "~")
        if not isinstance(node, dict) or segment not in node:
            return False
        node = node[segment]
    return True


def broken_references(document):
    """Returns a line for each reference to a part that is not there, and for each unused part."""
    references = set()

    def walk(node):
        if isinstance(node, dict):
            if isinstance(node.get("$ref"), str):
                references.add(node["$ref"])
            # An operation has a list of ways. A property of a schema may have this name too.
            ways = node.get("security")
            for way in ways if isinstance(ways, list) else []:
                references.update(f"#/components/securitySchemes/{name}" for name in way)
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(document)
    parts = {
        f"#/components/{kind}/{name}"
        for kind, named in document["components"].items()
        for name in named
    }
    for reference in sorted(references):
        if not is_there(document, reference):
            yield f"{reference} is not there"
    for part in sorted(parts - references):
        yield f"{part} is not used"


def without_example(document):
    """Returns a line for each body without an example."""

    def walk(node, at):
        if isinstance(node, dict):
            for media_type, content in (node.get("content") or {}).items():
                if "example" not in content and "examples" not in content:
                    yield f"{' '.join(at)} {media_type} has no example"
            for key, value in node.items():
                yield from walk(value, (*at, key))

    yield from walk(document["paths"], ())
    yield from walk(document["components"]["responses"], ("responses",))


def main():
    document = yaml.safe_load(Path(sys.argv[1]).read_text())
    routes = routes_of(Path(sys.argv[2]))
    differences = [
        *differences_of_routes(routes, operations_of(document)),
        *broken_references(document),
        *without_example(document),
    ]
    # An example can be compared with its schema only if the schema's references are right.
    differences = differences or list(wrong_examples(document))
    for difference in differences:
        print(difference)
    print(f"{len(routes)} routes and methods of the router, {len(differences)} differences")
    sys.exit(1 if differences else 0)


main()
