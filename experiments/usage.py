"""What `python -m experiments.run --help` shows, made from the declared settings."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

from ecgvision.core.settings import ABSENT, Setting, declared
from experiments.settings import SOURCES, Run, Stage

HERE = Path(__file__).parent
COLUMN, WIDTH = 34, 100

HEAD = """\
One run: data, training, evaluation, report, and a student that reads a picture.

python -m experiments.run +exp=SYSTEM [KEY=VALUE …]
python -m experiments.run +exp=SYSTEM --help             its own settings, and the values of all
python -m experiments.run +exp=SYSTEM --cfg job          the configuration that would be run
python -m experiments.run -m +exp=SYSTEM seed=0,1,2      several runs
"""


def asks_help(words: Sequence[str]) -> bool:
    """Return whether a command line asks for help."""
    return "--help" in words or "-h" in words


def help_text(words: Sequence[str]) -> str:
    """Return the help for a command line: of its system where it names one, else of all runs.

    Raises:
        ConfigError, HydraException: for words that cannot be composed.
    """
    rest = [word for word in words if word not in ("--help", "-h")]
    return _of_words(rest) if rest else _of_all()


def _of_all() -> str:
    settings = declared(Run)
    values = {key: found.default for key, found in settings.items()}
    sources: list[str] = []
    for source in dict.fromkeys(SOURCES.values()):
        names = "|".join(name for name, other in SOURCES.items() if other is source)
        sources += [_entry(f"data.{key}", found.default, f"data={names}: {found.help}")
                    for key, found in declared(source).items()]  # fmt: skip
    return "\n".join([
        HEAD,
        "Systems (+exp=NAME)", *_files(HERE / "exp"),
        "\nData (data=NAME)", *_files(HERE / "data"),
        "\nSettings of all runs", *_lines(settings, values),
        "\nSettings of single sources", *sources,
    ])  # fmt: skip


def _of_words(words: Sequence[str]) -> str:
    from hydra._internal.utils import get_args_parser

    from experiments.check import known_settings
    from experiments.configure import configure

    asked = get_args_parser().parse_args(list(words))
    config = configure(asked.overrides, folder=asked.config_dir)
    exp, source = config["exp"], config["data"]["name"]
    shared, known = known_settings(None, source), known_settings(exp, source)
    own = {key: found for key, found in known.items() if shared.get(key) != found}
    values = {key: _value(config, key) for key in known}
    out = [HEAD, f"Settings of {' '.join(words)}"]
    out += _lines(own, values) or ["  none"]
    for name, stage in config.items():
        if isinstance(stage, Mapping) and stage.get("exp"):
            out.append(
                f"\nStage {name}: a run of +exp={stage['exp']} that comes first. All of that "
                f"system's settings\n  below {name}, e.g. {name}.trainer.max_epochs=20; and:"
            )
            keys = {f"{name}.{key}": found for key, found in declared(Stage).items()}
            out += _lines(keys, {key: _value(config, key) for key in keys})
    rest = {key: found for key, found in known.items() if key not in own}
    return "\n".join([*out, "\nSettings of all runs, as they are here", *_lines(rest, values)])


def _files(folder: Path) -> Iterable[str]:
    """Name of each file of a group, and the first sentence of the comment that it begins with."""
    for file in sorted(folder.glob("*.yaml")):
        lines = file.read_text(encoding="utf-8").splitlines()
        about = takewhile(lambda line: line.startswith("#"), lines)
        text = " ".join(line.lstrip("# ") for line in about if not line.startswith("# @"))
        yield _entry(file.stem, ABSENT, text.split(". ")[0].rstrip("."))


def _lines(settings: Mapping[str, Setting], values: Mapping[str, Any]) -> list[str]:
    return [
        _entry(key, values.get(key, ABSENT), _described(found)) for key, found in settings.items()
    ]


def _described(setting: Setting) -> str:
    return f"{setting.help} ({', '.join(setting.choices)})" if setting.choices else setting.help


def _entry(key: str, value: Any, text: str) -> str:
    name = key if value is ABSENT else f"{key}={_plain(value)}"
    head = f"  {name}"
    gap = " " * COLUMN
    wrapped = textwrap.wrap(text, WIDTH - COLUMN, break_on_hyphens=False, break_long_words=False)
    if len(head) >= COLUMN:
        return "\n".join([head, *(gap + line for line in wrapped)])
    return "\n".join([head.ljust(COLUMN) + wrapped[0], *(gap + line for line in wrapped[1:])])


def _plain(value: Any) -> str:
    """A value as it is written on the command line."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, (list, tuple)):
        return f"[{','.join(_plain(part) for part in value)}]"
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{_plain(part)}" for key, part in value.items()) + "}"
    return str(value) if value != "" else '""'


def _value(config: Mapping[str, Any], key: str) -> Any:
    value: Any = config
    for part in key.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return ABSENT
        value = value[part]
    return value
