"""Finding a set of tensorflow-datasets and preparing it on disk, or an error with a remedy."""

import contextlib
import logging
import re
import socket
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import tensorflow_datasets as tfds

from robust.core import files, registry
from robust.core.errors import DataError, suggest

Fill = Callable[[Path], None]

_PORTS = {"http": 80, "ftp": 21}
_HOSTS, _SECONDS = 2, 5  # how many hosts of a set are tried, and for how long each, before the network counts as down


def prepared(name: str, data_dir: str = "", hint: str = "", fill: Fill | None = None) -> tfds.core.DatasetBuilder:
    """The builder of a set, downloaded and prepared on first use.

    Args:
        name: its name in tensorflow-datasets, as "cifar10_corrupted/brightness_3" or "cifar10:3.0.2".
        data_dir: where prepared sets are stored; $TFDS_DATA_DIR or ~/tensorflow_datasets where it is empty.
        hint: an alternative where the set cannot be downloaded.
        fill: writes files that need not be downloaded into the given folder.

    Raises DataError for an unknown set, and for one that is neither prepared nor available.
    """
    with quiet(), only_their_features(name):
        builder = _found(name, data_dir)
        if not builder.is_prepared():
            _download(builder, name, data_dir, hint, fill)
    return builder


def _found(name: str, data_dir: str) -> tfds.core.DatasetBuilder:
    if not re.match(r"\w+([/:]|$)", name):
        write = '"cifar10", "cifar10_corrupted/fog_3" or "mnist:3.0.1"'
        key = "arrays" if name.endswith(".npz") else "folder"
        own = f'and your own file or folder as {{ {key} = "{name}" }}'
        raise DataError(f"no data set named {name!r}: sets of tensorflow-datasets are written as {write}, {own}")
    check_regular(Path(data_dir or tfds.core.constants.DATA_DIR).expanduser() / re.split("[/:]", name)[0])
    try:
        return tfds.builder(name, data_dir=data_dir or None)
    except tfds.core.registered.DatasetNotFoundError:
        base = re.split("[/:]", name)[0]
        known = [*registry.names("datasets"), *tfds.list_builders()]
        hint = meant if (meant := suggest(base, known)).startswith("; did") else ""
        where = "neither robust nor tensorflow-datasets has it"
        hint = f"; for the folder of that name write {name.rstrip('/') + '/'!r}" if Path(name).is_dir() else hint
        raise DataError(f"no data set named {base!r}: {where}{hint}") from None
    except (ValueError, AssertionError, RuntimeError) as error:
        configs, config = _configs(name), name.partition("/")[2]
        why = suggest(config, configs) if config and configs else f": {str(error).splitlines()[0]}"
        raise DataError(f"data set {name!r}: tensorflow-datasets has no such configuration or version{why}") from None
    except DataError:
        raise
    except Exception as error:  # its readers raise various exceptions on damaged files
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise DataError(f"data set {name!r}: its files are damaged ({reason[:200]})") from None


def check_regular(folder: Path) -> None:
    """Raise DataError for a pipe or a device in a prepared set: its reader would block forever."""
    for path in folder.rglob("*"):
        try:
            files.regular(path)
        except OSError as error:
            raise DataError(f"{path}: {error.strerror or error}") from None


def _configs(name: str) -> list[str]:
    try:
        return list(getattr(tfds.builder_cls(re.split("[/:]", name)[0]), "builder_configs", {}))
    except tfds.core.registered.DatasetNotFoundError:
        return []  # a set without code, known only from its files


@contextlib.contextmanager
def only_their_features(name: str) -> Iterator[None]:
    """The features.json of a prepared set names classes whose modules would be imported: only those of tfds are."""
    feature: type = tfds.features.FeatureConnector
    theirs, known = feature.__dict__["cls_from_name"], feature._registered_features

    def checked(cls: type, python_class_name: str) -> type:
        if python_class_name not in known and not python_class_name.startswith("tensorflow_datasets."):
            raise DataError(f"data set {name!r}: its features.json names {python_class_name!r}, which is not imported")
        return theirs.__get__(None, cls)(python_class_name)

    feature.cls_from_name = classmethod(checked)
    try:
        yield
    finally:
        feature.cls_from_name = theirs


def _download(builder: tfds.core.DatasetBuilder, name: str, data_dir: str, hint: str, fill: Fill | None) -> None:
    by_hand = fill is not None or builder.MANUAL_DOWNLOAD_INSTRUCTIONS
    if not by_hand and (host := unreachable(builder)):
        raise _missing(builder, name, data_dir, f"{host} cannot be reached", hint)
    try:
        with tempfile.TemporaryDirectory(prefix="robust-") as folder:
            if fill is not None:
                fill(Path(folder))
            config = tfds.download.DownloadConfig(manual_dir=folder if fill else None)
            builder.download_and_prepare(download_config=config)
    except (OSError, tfds.download.DownloadError) as error:  # that of `requests` is an OSError, too
        why = f"it cannot be downloaded ({str(error).splitlines()[0][:120]})"
        raise _missing(builder, name, data_dir, why, hint) from None
    except AssertionError as error:
        if not builder.MANUAL_DOWNLOAD_INSTRUCTIONS:
            raise
        instructions = " ".join(str(error).split())
        raise _missing(builder, name, data_dir, "it must be downloaded by hand", f"first: {instructions}") from None


def _missing(builder: tfds.core.DatasetBuilder, name: str, data_dir: str, why: str, hint: str) -> DataError:
    where = f", data_dir={data_dir!r}" if data_dir else ""
    command = f'python -c "import tensorflow_datasets as tfds; tfds.load({name!r}{where})"'
    what = f"data set {name!r} is not in {builder.data_path}, and {why}"
    return DataError(f"{what}; if it is available, this prepares it: {command}" + (f"; {hint}" if hint else ""))


def unreachable(builder: tfds.core.DatasetBuilder) -> str:
    """A host of the set's files, where none can be reached: tensorflow-datasets would retry each for minutes."""
    if urllib.request.getproxies():  # then requests go to the proxy
        return ""
    missing = [urlsplit(url) for url in builder.url_infos or {} if not _is_downloaded(builder, url)]
    hosts = sorted({(url.hostname or "", url.port or _PORTS.get(url.scheme, 443)) for url in missing})[:_HOSTS]
    return "" if any(map(_is_reachable, hosts)) or not hosts else hosts[0][0]


def _is_downloaded(builder: tfds.core.DatasetBuilder, url: str) -> bool:
    downloads = Path(str(builder.data_path)).parents[len(Path(builder.info.full_name).parts) - 1] / "downloads"
    file = tfds.core.download.resource.get_dl_fname(url, builder.url_infos[url].checksum)
    return any((folder / file).exists() for folder in (downloads / builder.name, downloads))


def _is_reachable(host: tuple[str, int]) -> bool:
    try:
        socket.create_connection(host, timeout=_SECONDS).close()
    except OSError:
        return False
    return True


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """What tensorflow-datasets prints goes to stderr; failures that it and urllib3 log are reported by our errors."""
    loggers = {name: logging.getLogger(name) for name in ("absl", "urllib3.connectionpool")}
    levels = {name: logger.level for name, logger in loggers.items()}
    try:
        for logger in loggers.values():
            logger.setLevel(logging.ERROR)
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        for name, logger in loggers.items():
            logger.setLevel(levels[name])
