"""Faults of a YAML file that Snakemake would pass over or say nothing useful of: each with its file and line."""

from pathlib import Path

import yaml

from pipeline.runtime.errors import StageError

DEEPEST = 20
MOST_VALUES = 100_000  # with what aliases repeat: a few lines can stand for more values than memory holds
STANDARD = "tag:yaml.org,2002:"
MERGE = f"{STANDARD}merge"
# What values are by their looks; other tags (`!name`, `!!set`) would have to be written, and nothing here reads them.
TAGS: dict[type[yaml.Node], tuple[str, ...]] = {
    yaml.ScalarNode: ("str", "int", "float", "bool", "null", "timestamp", "merge"),
    yaml.SequenceNode: ("seq",),
    yaml.MappingNode: ("map",),
}
KINDS = {"int": "a number", "float": "a number", "bool": "a yes or no", "timestamp": "a date"}


def check_yaml(path: Path) -> None:
    """Refuse what is no single YAML document of settings, keys that are given twice, and values that cannot be read."""
    try:
        text = path.read_bytes().decode()
    except OSError as error:
        raise StageError(f"{path} cannot be read: {error.strerror}; give a YAML file that exists") from error
    except UnicodeDecodeError as error:
        raise StageError(f"{path}: byte {error.start} is not UTF-8; save the file with the encoding UTF-8") from error
    document = parsed(path, text)
    if document is None or document.tag == f"{STANDARD}null":
        return
    if not isinstance(document, yaml.MappingNode):
        raise StageError(f"{path}, line {line_of(document)}: no setting begins here; write `name: value`")
    check_node(path, document, (), {})


def parsed(path: Path, text: str) -> yaml.Node | None:
    """The document as a tree of nodes, of which no value has been read yet."""
    try:
        loader = yaml.SafeLoader(text)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise StageError(f"{path}, line {line}: a character that text cannot hold ({error.reason})") from error
    try:
        return loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise StageError(f"{path}{f', line {mark.line + 1}' if mark else ''}: {explained(error)}") from error
    except RecursionError:
        raise StageError(f"{path} is nested too deeply; settings have at most four levels") from None
    except (ValueError, OverflowError) as error:  # escapes and versions with numbers that Python does not take
        raise StageError(f"{path}, line {loader.line + 1}: the number here is too large; correct it") from error


def explained(error: yaml.MarkedYAMLError) -> str:
    """What is wrong, in the words of the parser, and what usually is behind it."""
    said = " ".join(filter(None, (error.context, error.problem)))
    if "\\t" in said:
        return f"{said}: indent with spaces, not with tabs"
    if "expected a single document" in said:
        return "a second document begins here (`---`); keep one"
    if "undefined alias" in said:
        return f"{said}; text that begins with * needs quotes"
    return f"{said}; look for an open bracket, brace or quote, and for text with `: ` or ` #` that needs quotes"


def check_node(path: Path, node: yaml.Node, above: tuple[yaml.Node, ...], counts: dict[int, int]) -> int:
    """Refuse keys that are given twice, tags, values that cannot be read or hold themselves, and depth without end.

    Returns how many values there are in a node, those that aliases repeat counted each time; `counts` keeps it.
    """
    where = f"{path}, line {line_of(node)}"
    if any(node is parent for parent in above):
        raise StageError(f"{where}: a value holds itself (& and *); write it out")
    if id(node) in counts:
        return counts[id(node)]
    if len(above) > DEEPEST:
        raise StageError(f"{where}: is nested too deeply; settings have at most four levels")
    check_tag(where, node)
    inner: list[yaml.Node] = []
    if isinstance(node, yaml.ScalarNode):
        check_scalar(where, node)
    elif isinstance(node, yaml.MappingNode):
        check_keys(path, node)
        inner = [part for pair in node.value for part in pair]
    else:
        inner = node.value
    count = 1 + sum(check_node(path, entry, (*above, node), counts) for entry in inner)
    if count > MOST_VALUES:
        raise StageError(f"{where}: & and * make more than {MOST_VALUES} values of this; write out what is meant")
    counts[id(node)] = count
    return count


def check_tag(where: str, node: yaml.Node) -> None:
    """Refuse values that are not what they look like, but what a tag (`!name`) makes of them."""
    if node.tag == f"{STANDARD}value":
        raise StageError(f"{where}: a single = needs quotes")
    if node.tag not in [f"{STANDARD}{name}" for name in TAGS[type(node)]]:
        tag = node.tag.replace(STANDARD, "!!")
        raise StageError(f"{where}: {tag[:40]} is a tag, which no setting has; text that begins with ! needs quotes")


def check_scalar(where: str, node: yaml.ScalarNode) -> None:
    """Refuse a value that looks like a number or a date and is none, is too long a number, or text that is no text."""
    if node.tag == MERGE:
        return
    try:
        str(yaml.constructor.SafeConstructor().construct_object(node)).encode()
    except UnicodeEncodeError as error:
        raise StageError(
            f"{where}: a character that text cannot hold (half of a surrogate pair); correct it"
        ) from error
    except Exception as error:  # whatever int, float and datetime say of what is none
        kind = KINDS[node.tag.removeprefix(STANDARD)]
        raise StageError(
            f"{where}: {node.value[:40]} looks like {kind} and cannot be read as one; correct it, or put it into quotes "
            "if it is text"
        ) from error


def check_keys(path: Path, node: yaml.MappingNode) -> None:
    """YAML's last value of a key wins without a word; both lines are said."""
    seen: dict[str, int] = {}
    for key, value in node.value:
        line = line_of(key)
        if not isinstance(key, yaml.ScalarNode):
            raise StageError(f"{path}, line {line}: a key must be one word; quote it if it has brackets or braces")
        if key.value in seen:
            raise StageError(
                f"{path}: {key.value} is given in line {seen[key.value]} and again in line {line}; keep one"
            )
        seen[key.value] = line
        merged = value.value if isinstance(value, yaml.SequenceNode) else [value]
        if key.tag == MERGE and not all(isinstance(part, yaml.MappingNode) for part in merged):
            raise StageError(f"{path}, line {line}: << takes in settings of another place, and finds none; name them")


def line_of(node: yaml.Node) -> int:
    """The line in which a node begins, counted from 1."""
    return int(node.start_mark.line) + 1
