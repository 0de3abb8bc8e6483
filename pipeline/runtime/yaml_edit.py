"""One value of a YAML text replaced or added, every other character and comment left as it is.

PyYAML finds where things are, and the text is edited there. ruamel.yaml's round trip was tried in its place and rewrites what
nobody touched: indentation by four spaces becomes its own, lists flush with their key move, a mapping in braces over several
lines becomes one line without its comments, spaces before comments shrink, and line ends of Windows are lost.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

STEP = "  "


@dataclass(frozen=True)
class Place:
    """Where a key path leads: the deepest mapping there is, its entry to replace, and the keys that are missing."""

    holder: yaml.MappingNode
    entry: tuple[yaml.Node, yaml.Node] | None
    missing: tuple[str, ...]


def with_value(text: str, keys: Sequence[str], value: Any) -> str:
    """The text with `value` at a key path, written like its surroundings: in lines, or inside braces."""
    place = find(yaml.compose(text), keys)
    for key in reversed(place.missing):
        value = {key: value}
    newline = "\r\n" if "\r\n" in text else "\n"
    if place.entry is not None:
        return replaced(text, place, value, newline)
    (key, inner), *_ = value.items()
    if place.holder.flow_style:
        start = place.holder.start_mark.index + 1
        return f"{text[:start]}{one_line(key)}: {one_line(inner)}, {text[start:]}"
    return inserted(text, place.holder, key, inner, newline)


def find(root: yaml.Node | None, keys: Sequence[str]) -> Place:
    """Follow the keys as far as they exist; an empty value (`scenes:`) counts as an entry to replace."""
    if not isinstance(root, yaml.MappingNode):
        raise ValueError("the document is not a mapping")
    holder = root
    for depth, key in enumerate(keys):
        entry = next(((name, value) for name, value in reversed(holder.value) if name.value == key), None)
        if entry is None:
            return Place(holder, None, tuple(keys[depth:]))
        if depth == len(keys) - 1 or not isinstance(entry[1], yaml.MappingNode):
            return Place(holder, entry, tuple(keys[depth + 1 :]))
        holder = entry[1]
    raise ValueError("no key was given")


def replaced(text: str, place: Place, value: Any, newline: str) -> str:
    """The text with another value for an entry; comments inside the old one move above it."""
    assert place.entry is not None
    name, old = place.entry
    start, end, column = name.start_mark.index, content_end(old), name.start_mark.column
    indent = " " * column
    kept = "".join(f"{comment}{newline}{indent}" for comment in comments(text, start, end))
    lines = (
        [f"{one_line(name.value)}: {one_line(value)}"] if place.holder.flow_style else entry_lines(name.value, value)
    )
    return text[:start] + kept + f"{newline}{indent}".join(lines) + text[end:]


def inserted(text: str, holder: yaml.MappingNode, key: str, value: Any, newline: str) -> str:
    """The text with a new last entry in a mapping written in lines; comments that follow the mapping stay behind it."""
    at = content_end(holder)
    if text[at - 1 : at] != "\n":
        at = text.find("\n", at) + 1 or len(text)
    indent = " " * holder.value[0][0].start_mark.column
    before = "" if text[at - 1 : at] == "\n" else newline
    return text[:at] + before + "".join(f"{indent}{line}{newline}" for line in entry_lines(key, value)) + text[at:]


def entry_lines(key: str, value: Any) -> list[str]:
    """An entry as a person would write it: mappings and lists in lines, what is inside a list on one line each."""
    if isinstance(value, Mapping) and value:
        inner = [line for name, part in value.items() for line in entry_lines(name, part)]
    elif isinstance(value, list) and value:
        inner = [f"- {one_line(part)}" for part in value]
    else:
        return [f"{one_line(key)}: {one_line(value)}"]
    return [f"{one_line(key)}:", *(STEP + line for line in inner)]


def one_line(value: Any) -> str:
    """A value in YAML's one-line form; letters of all languages as they are, unseen characters as escapes."""
    text = dumped(value, allow_unicode=True)
    return text if "\n" not in text and text.isprintable() else dumped(value, allow_unicode=False)


def dumped(value: Any, allow_unicode: bool) -> str:
    text = yaml.safe_dump(
        value, default_flow_style=True, sort_keys=False, allow_unicode=allow_unicode, width=1_000_000_000
    )
    return str(text).removesuffix("\n").removesuffix("\n...")


def content_end(node: yaml.Node) -> int:
    """Where a value's last character is; a block's own end mark lies beyond the comments that follow it."""
    if not isinstance(node, yaml.CollectionNode) or node.flow_style:
        return int(node.end_mark.index)
    last = node.value[-1]
    return content_end(last[1] if isinstance(last, tuple) else last)


def comments(text: str, start: int, end: int) -> list[str]:
    """The comments in a stretch of the text: what lies between its tokens."""
    found: list[str] = []
    behind = start
    for token in yaml.scan(text):
        if token.start_mark.index > behind:
            found += re.findall(r"#[^\r\n]*", text[behind : min(token.start_mark.index, end)])
        behind = max(behind, token.end_mark.index)
        if behind >= end:
            break
    return [comment.rstrip() for comment in found]
