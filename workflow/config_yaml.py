"""Faults of a YAML file that Snakemake would pass over or say nothing useful of: each with its file and line."""

from pathlib import Path

import yaml

from pipeline.runtime.errors import StageError

DEEPEST = 20


def check_yaml(path: Path) -> None:
    """Refuse what is no single YAML document, and keys that are given twice."""
    try:
        text = path.read_bytes().decode()
    except OSError as error:
        raise StageError(f"{path} cannot be read: {error.strerror}; give a YAML file that exists") from error
    except UnicodeDecodeError as error:
        raise StageError(f"{path}: byte {error.start} is not UTF-8; save the file with the encoding UTF-8") from error
    try:
        document = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise StageError(f"{path}{f', line {mark.line + 1}' if mark else ''}: {explained(error)}") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise StageError(f"{path}, line {line}: a character that text cannot hold ({error.reason})") from error
    except RecursionError:
        raise StageError(f"{path} is nested too deeply; settings have at most four levels") from None
    check_node(path, document, ())


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


def check_node(path: Path, node: yaml.Node | None, above: tuple[yaml.Node, ...]) -> None:
    """Refuse keys that are given twice, a value that holds itself, and depth without end."""
    line = node.start_mark.line + 1 if node else 0
    if any(node is parent for parent in above):
        raise StageError(f"{path}, line {line}: a value holds itself (& and *); write it out")
    if len(above) > DEEPEST:
        raise StageError(f"{path}, line {line}: is nested too deeply; settings have at most four levels")
    if isinstance(node, yaml.SequenceNode):
        for entry in node.value:
            check_node(path, entry, (*above, node))
    if isinstance(node, yaml.MappingNode):
        check_keys(path, node)
        for _, value in node.value:
            check_node(path, value, (*above, node))


def check_keys(path: Path, node: yaml.MappingNode) -> None:
    """YAML's last value of a key wins without a word; both lines are said."""
    seen: dict[str, int] = {}
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise StageError(f"{path}, line {line}: a key must be one word; quote it if it has brackets or braces")
        if key.value in seen:
            raise StageError(
                f"{path}: {key.value} is given in line {seen[key.value]} and again in line {line}; keep one"
            )
        seen[key.value] = line
