"""What is said of a set that is not there, and how soon."""

import socket
import urllib.request
from types import SimpleNamespace

import pytest
import tensorflow_datasets as tfds

from robust.core.errors import DataError
from robust.datasets import prepare
from robust.datasets.tfds import tfds as load


def complaint(**options) -> str:
    with pytest.raises(DataError) as caught:
        load(**options)
    return str(caught.value)


@pytest.fixture
def asked(monkeypatch):
    """The hosts that were asked, where there is no network, one an attempt."""
    hosts = []

    def refuse(address, timeout):
        assert timeout <= 5
        hosts.append(address)
        raise OSError("Network is unreachable")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(urllib.request, "getproxies", dict)
    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", lambda *_, **__: pytest.fail("it tried"))
    return hosts


def test_without_a_network_the_error_says_what_to_do_and_at_once(tmp_path, asked, capfd, caplog):
    (tmp_path / "downloads/other").mkdir(parents=True)  # of a set that was had before
    assert complaint(builder="cifar10", data_dir=str(tmp_path)) == (
        f"data set 'cifar10' is not in {tmp_path}/cifar10/3.0.2, and www.cs.toronto.edu cannot be reached; "
        'if it is available, this prepares it: python -c "import tensorflow_datasets as tfds; '
        f"tfds.load('cifar10', data_dir='{tmp_path}')\""
    )
    said = capfd.readouterr()
    assert not caplog.records and said.err + said.out == ""
    assert asked == [("www.cs.toronto.edu", 443)]


def test_of_many_hosts_a_few_are_asked_and_one_that_answers_is_enough(tmp_path, asked, monkeypatch):
    urls = {f"{scheme}://{scheme}.example/a": SimpleNamespace(checksum=64 * "0") for scheme in ("ftp", "http", "https")}
    builder = tfds.builder("mnist", data_dir=tmp_path)
    monkeypatch.setattr(type(builder), "url_infos", urls)
    assert prepare.unreachable(builder) == "ftp.example"
    assert asked == [("ftp.example", 21), ("http.example", 80)]
    answers = SimpleNamespace(close=lambda: None)
    monkeypatch.setattr(socket, "create_connection", lambda address, timeout: answers)
    assert prepare.unreachable(builder) == ""


def test_nobody_is_asked_for_what_is_downloaded_or_behind_a_proxy(tmp_path, asked, monkeypatch):
    builder = tfds.builder("cifar10", data_dir=tmp_path)
    for url, info in builder.url_infos.items():
        file = tmp_path / "downloads/cifar10" / tfds.core.download.resource.get_dl_fname(url, info.checksum)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    assert prepare.unreachable(builder) == ""
    monkeypatch.setattr(urllib.request, "getproxies", lambda: {"https": "http://proxy.example"})
    assert prepare.unreachable(tfds.builder("mnist", data_dir=tmp_path)) == ""
    assert asked == []


def test_a_set_that_must_be_downloaded_by_hand_says_where_to(tmp_path):
    said = complaint(builder="imagenet2012", data_dir=str(tmp_path))
    assert said.startswith(
        f"data set 'imagenet2012' is not in {tmp_path}/imagenet2012/5.1.0, and it must be downloaded"
    )
    assert f"Manual directory {tmp_path}/downloads/manual does not exist" in said
    assert "ILSVRC2012_img_val.tar" in said and "\n" not in said


def test_a_download_that_fails_later_is_no_traceback(tmp_path, monkeypatch):
    monkeypatch.setattr(prepare, "unreachable", lambda builder: "")

    def fail(self, **options):
        raise ConnectionError("the line is dead\nand more")

    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", fail)
    assert "it cannot be downloaded (the line is dead); " in complaint(builder="cifar10", data_dir=str(tmp_path))
