"""Writes docs/api from the protos and their comments: api_reference.py FOLDER. `make docs` calls it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    ServiceDescriptorProto,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "llm_observe.v1"
OWN = f".{PACKAGE}."
_MADE = "Made by `make docs` from `{path}`; do not edit."
_GOOGLE = "https://protobuf.dev/reference/protobuf/google.protobuf/#"
_TYPES = {number: name.removeprefix("TYPE_").lower() for name, number in FieldDescriptorProto.Type.items()}
# Numbers of fields in descriptor.proto, of which the paths of source locations are made.
_MESSAGES, _ENUMS, _SERVICES, _FIELDS, _VALUES, _METHODS = 4, 5, 6, 2, 2, 2

_INTRODUCTION = """\
# API reference

Every service, method, message and field of `llm_observe.v1`, with the comments of the protos.
[grpcurl](../grpcurl.md) shows each service at work, [errors](../errors.md) lists what can go wrong,
[clients](../../clients/README.md) call it from five languages, [versions](../versioning.md) says what stays.

Where keys are required, calls carry one as `authorization: Bearer <key>`; each service names its role.
Times are UTC. Absent is not 0: an `optional` number that is not there is unknown.

"""


class Reference:
    """The pages, of which each is a proto file."""

    def __init__(self, files: Iterable[FileDescriptorProto]) -> None:
        self._files = [file for file in files if file.package == PACKAGE]
        self._page_of_type = {
            f"{OWN}{name}": page_name(file)
            for file in self._files
            for name in (*(item.name for item in file.message_type), *(item.name for item in file.enum_type))
        }

    def pages(self) -> dict[str, str]:
        """Return the text of each page by its name."""
        pages = {page_name(file): self._render(file) for file in self._files}
        return {**pages, "README.md": self._render_index()}

    def _render_index(self) -> str:
        lines = [_INTRODUCTION, "| service | method | |\n|---|---|---|\n"]
        types = []
        for file in self._files:
            comments = comments_of(file)
            for index, service in enumerate(file.service):
                for number, method in enumerate(service.method):
                    text = comments[_SERVICES, index, _METHODS, number]
                    name = f"[{service.name}]({page_name(file)})" if number == 0 else ""
                    link = f"[{method.name}]({page_name(file)}#{method.name.lower()})"
                    lines.append(f"| {name} | {link} | {_cell(_first_sentence(text))} |\n")
            if not file.service:
                types.append(f"[{title(file)}]({page_name(file)})")
        return "".join(lines) + f"\nTypes that several services share: {', '.join(types)}.\n"

    def _render(self, file: FileDescriptorProto) -> str:
        comments = comments_of(file)
        parts = [f"# {title(file)}\n\n{_MADE.format(path=f'proto/{file.name}')}\n"]
        for index, service in enumerate(file.service):
            parts += self._render_service(service, comments, (_SERVICES, index))
        for index, message in enumerate(file.message_type):
            parts += self._render_message(message, comments, (_MESSAGES, index))
        for index, enum in enumerate(file.enum_type):
            parts += _render_enum(enum, comments, (_ENUMS, index))
        return "\n".join(parts)

    def _render_service(
        self, service: ServiceDescriptorProto, comments: dict[tuple[int, ...], str], path: tuple[int, ...]
    ) -> Iterator[str]:
        yield f"{_text(comments[path])}\n\nFull name: `{PACKAGE}.{service.name}`.\n"
        for index, method in enumerate(service.method):
            request, answer = self._link(method.input_type), self._link(method.output_type)
            stream = ("stream of " if method.client_streaming else "", "stream of " * method.server_streaming)
            yield f"## {method.name}\n\n{stream[0]}{request} → {stream[1]}{answer}\n"
            yield f"{_text(comments[*path, _METHODS, index])}\n"

    def _render_message(
        self, message: DescriptorProto, comments: dict[tuple[int, ...], str], path: tuple[int, ...]
    ) -> Iterator[str]:
        yield f"## {message.name}\n\n{_text(comments[path])}\n"
        if message.field:
            yield "| field | type | no. | |\n|---|---|---|---|\n" + "".join(
                f"| `{field.name}` | {self._type(field, message)} | {field.number} |"
                f" {_cell(comments[*path, _FIELDS, index])} |\n"
                for index, field in enumerate(message.field)
            )

    def _type(self, field: FieldDescriptorProto, message: DescriptorProto) -> str:
        entries = {nested.name: nested for nested in message.nested_type if nested.options.map_entry}
        if entry := entries.get(field.type_name.rpartition(".")[2]):
            return f"map of {self._type(entry.field[0], entry)} to {self._type(entry.field[1], entry)}"
        name = self._link(field.type_name) if field.type_name else f"`{_TYPES[field.type]}`"
        if field.label == FieldDescriptorProto.LABEL_REPEATED:
            return f"list of {name}"
        if field.proto3_optional:
            return f"optional {name}"
        if field.HasField("oneof_index"):
            return f"{name}, one of `{message.oneof_decl[field.oneof_index].name}`"
        return name

    def _link(self, type_name: str) -> str:
        name = type_name.rpartition(".")[2]
        if type_name.startswith(OWN):
            return f"[{name}]({self._page_of_type[type_name]}#{name.lower()})"
        known = type_name.startswith(".google.protobuf.")
        return f"[{name}]({_GOOGLE}{name.lower()})" if known else f"`{type_name[1:]}`"


def _render_enum(
    enum: EnumDescriptorProto, comments: dict[tuple[int, ...], str], path: tuple[int, ...]
) -> Iterator[str]:
    yield f"## {enum.name}\n\n{_text(comments[path])}\n"
    yield "| value | no. | |\n|---|---|---|\n" + "".join(
        f"| `{value.name}` | {value.number} | {_cell(comments[*path, _VALUES, index])} |\n"
        for index, value in enumerate(enum.value)
    )


def comments_of(file: FileDescriptorProto) -> dict[tuple[int, ...], str]:
    """Return the comment before each element of a file, by the element's path."""
    locations = file.source_code_info.location
    return {tuple(location.path): location.leading_comments for location in locations}


def page_name(file: FileDescriptorProto) -> str:
    """Return the name of a file's page, such as ingest-service.md."""
    return Path(file.name).stem.replace("_", "-") + ".md"


def title(file: FileDescriptorProto) -> str:
    """Return the name of a file's service, or the words of its file name."""
    if file.service:
        return file.service[0].name
    return Path(file.name).stem.replace("_", " ").capitalize()


def _text(comment: str) -> str:
    """Return a comment as Markdown, its paragraphs kept."""
    return re.sub(r"^ ", "", comment.strip(), flags=re.MULTILINE).replace("<", "&lt;")


def _cell(comment: str) -> str:
    return " ".join(_text(comment).split()).replace("|", "\\|")


def _first_sentence(comment: str) -> str:
    return re.split(r"(?<=\.)\s", comment.strip(), maxsplit=1)[0]


def read_protos() -> list[FileDescriptorProto]:
    """Return the descriptors of the tree's protos, with their comments."""
    buf = Path(sys.executable).parent / "buf"
    image = subprocess.run([buf, "build", "-o", "-#format=binpb"], cwd=ROOT, check=True, capture_output=True)
    return sorted(FileDescriptorSet.FromString(image.stdout).file, key=lambda file: file.name)


def main(folder: str) -> None:
    """Write the pages, and delete those of protos that are gone."""
    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    pages = Reference(read_protos()).pages()
    for stale in {path.name for path in out.glob("*.md")} - pages.keys():
        (out / stale).unlink()
    for name, text in pages.items():
        (out / name).write_text(text, "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
