"""What there is to use: every catalogue, with a line each, read from source."""

from collections.abc import Iterator

from robust import catalog, schema


def rows(kind: str) -> Iterator[tuple[str, str, str]]:
    """Name, the keys a suite may set, and one line, for every member of a catalogue."""
    for name in catalog.names(kind):
        keys = ", ".join(
            p.name if p.default is ... else f"{p.name}={p.default!r}" for p in schema.signature(kind, name)
        )
        yield name, keys, catalog.summary(kind, name)


def text(kinds: list[str]) -> str:
    """The catalogues as plain text."""
    blocks = []
    for kind in kinds:
        members = list(rows(kind))
        width = max(len(name) for name, _, _ in members)
        blocks.append(
            "\n".join(
                [
                    kind,
                    *(f"  {name:<{width}}  {line}\n  {'':<{width}}  {keys}".rstrip() for name, keys, line in members),
                ]
            )
        )
    return "\n\n".join(blocks) + "\n\nattacks of Foolbox, by the name of the class: foolbox:LinfDeepFoolAttack"
