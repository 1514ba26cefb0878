import json
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from robust import report
from robust.core.errors import ReportError, StoreError
from robust.report.folder import read

HOSTILE = [
    "</script><img src=x onerror=\"document.title='hacked'\">",
    '"><svg onload="document.title=\'hacked\'">',
    "' onmouseover='x",
    "<!-- <script> {{ 7 * 7 }}",
]


def edit(folder: Path, **changes) -> None:
    path = folder / "environment.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_the_page_has_every_part(folder, document):
    page = document(report.write(folder))
    sections = {"verdict", "accuracy", "curves", "confusion", "pictures", "values", "reading", "environment"}
    assert sections <= set(page.attributes("section", "id"))
    for words in ["Do they survive?", "test split: 40 images of 12 × 10 × 1, 4 classes", "keras 3.8.0"]:
        assert words in page.text
    assert 'models = ["hardened"]' in page.text  # the suite file
    assert "upper bound" in page.text and "sampling of images alone" in page.text
    assert all(page.attributes("img", "alt"))
    assert all(label for (tag, a) in page.tags if a.get("role") == "img" for label in [a["aria-label"]])


@pytest.mark.slow
def test_the_verdict_says_each_missed_bound_in_words(folder, document):
    text = document(report.write(folder)).text
    assert "1 of 4 bounds missed" in text
    said = re.search(r"hardened on survives \(pgd, L∞, ε = 8/255\): top-1 accuracy is (.*?)\.\n", text)
    assert re.fullmatch(r"[\d.]+ % \(95 % interval [\d.]+ – [\d.]+ %, 40 images\); the suite requires ≥ 95 %", said[1])


def test_nothing_is_loaded_from_elsewhere(folder, document):
    page = document(report.write(folder))
    assert set(page.attributes("script", "src")) == {None}
    assert page.attributes("link", "href") == ["data:,"]
    assert all(source.startswith("data:image/png;base64,") for source in page.attributes("img", "src"))
    assert all(target.startswith("#") for target in page.attributes("a", "href"))
    assert "url(" not in page_style(folder) and "@import" not in page_style(folder)
    policy = next(a["content"] for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; img-src data:;")


def page_style(folder: Path) -> str:
    return re.search(r"<style>(.*?)</style>", (folder / "index.html").read_text(), re.DOTALL)[1]


@pytest.mark.slow
def test_scripts_cannot_end_early(folder):
    text = report.write(folder).read_text()
    assert text.count("<script>") == text.count("<script>const") + 1 == 2
    assert text.count("<script") == text.count("</script>")
    assert "<!--" not in text


@pytest.mark.slow
def test_the_same_folder_gives_the_same_bytes(folder):
    first = report.write(folder).read_bytes()
    assert report.write(folder).read_bytes() == first
    code = "import sys, robust.report; robust.report.write(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, folder], check=True, env={"PYTHONHASHSEED": "7"})
    assert (folder / "index.html").read_bytes() == first


@pytest.mark.slow
def test_hostile_names_stay_text(make, document):
    folder = make(HOSTILE)
    path = folder / "results.csv"
    results = pd.read_csv(path, keep_default_na=False).replace("lenet5", HOSTILE[0])
    results.to_csv(path, index=False)
    edit(folder, suite=HOSTILE[1], summary=HOSTILE[0], made=HOSTILE[2], packages={HOSTILE[0]: HOSTILE[3]})
    (folder / "suite.toml").write_text(f"summary = '''{HOSTILE[0]}'''\n")
    page = document(report.write(folder))
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert all(source.startswith("data:") for source in page.attributes("img", "src"))
    assert not page.attributes("svg", "onload")
    assert all(name in page.text for name in HOSTILE)
    domains = [spec["layer"][0]["encoding"]["x"]["scale"].get("domain") for spec in page.specs]
    assert HOSTILE in domains  # in the charts too they are what they are
    assert "49" not in page.text.split("Packages")[1]


@pytest.mark.slow
def test_names_that_pandas_takes_for_nothing_stay_names(make, document):
    page = document(report.write(make(["None", "NA", "nan", ""])))
    assert "recall" in page.text and "None → NA" in page.text


def test_drawing_needs_no_tensorflow(folder):
    code = (
        "import sys\n"
        "for name in ('tensorflow', 'keras', 'foolbox', 'tensorflow_datasets'): sys.modules[name] = None\n"
        "import robust.report\n"
        "assert not {'altair', 'pandas', 'numpy'} & set(sys.modules), 'importing it must stay cheap'\n"
        "print(robust.report.write(sys.argv[1]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, folder], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == str(folder / "index.html")


@pytest.mark.slow
def test_cells_that_are_missing_are_said(folder, document):
    path = folder / "results.csv"
    results = pd.read_csv(path, keep_default_na=False)
    results[(results["model"] != "lenet5") | (results["case"] != "fgsm")].to_csv(path, index=False)
    text = document(report.write(folder)).text
    assert "1 cell has not run yet" in text
    assert text.count("not run\n") == 1 and text.count("\nnot requested\n") == 2


def test_a_run_that_has_just_begun_has_a_page(folder, document):
    for name in ("results.csv", "samples/index.csv"):
        (folder / name).write_text((folder / name).read_text().splitlines()[0] + "\n")
    pd.read_parquet(folder / "outcomes.parquet").iloc[:0].to_parquet(folder / "outcomes.parquet")
    page = document(report.write(folder))
    assert "Not every bound was judged" in page.text and "4 absent" in page.text
    assert "13 cells have not run yet" in page.text
    assert "pictures" not in page.attributes("section", "id") and not page.specs


@pytest.mark.slow
def test_a_page_without_a_suite_file(folder, document):
    (folder / "suite.toml").unlink()
    page = document(report.write(folder))
    assert "The suite file" not in page.text
    assert "survives" in page.text and "2 cells have not run yet" in page.text


@pytest.mark.slow
def test_trust_is_shown_where_it_is_filled(folder, document):
    path = folder / "results.csv"
    results = pd.read_csv(path, keep_default_na=False)
    of = results[(results["model"] == "lenet5") & (results["case"] == "fgsm")].iloc[0]
    checked = [{**of, "metric": "reliability", "subset": group, "value": 0.5} for group in ("", "too_few_steps")]
    pd.concat([results, pd.DataFrame(checked)]).to_csv(path, index=False)
    page = document(report.write(folder))
    assert (
        "suspect lenet5 on fgsm (L∞, ε = 8/255): the reliability checks do not support this number; why." in page.text
    )


@pytest.mark.slow
def test_a_thousand_classes_have_pairs_and_no_matrix(make, document):
    page = document(report.write(make([f"class {i}" for i in range(1000)], n=2000)))
    assert len(page.specs) == 4  # the curves
    assert "class 17 → class 18" in page.text
    assert "further values" in page.text  # those of single classes are left to results.csv


@pytest.mark.slow
def test_the_page_is_whole_or_not_there(folder):
    first = report.write(folder).read_bytes()
    (folder / "results.csv").write_text("nonsense")
    with pytest.raises(ReportError):
        report.write(folder)
    assert (folder / "index.html").read_bytes() == first
    assert not list(folder.glob(".index*"))


@pytest.mark.slow
def test_a_page_that_cannot_be_written(folder):
    (folder / "index.html").mkdir()
    with pytest.raises(StoreError, match=r"index\.html: cannot be written"):
        report.write(folder)


@pytest.mark.slow
def test_all_values_can_be_sorted_and_carry_their_digits(folder, document):
    report.write(folder)
    text = (folder / "index.html").read_text()
    costs = [row.value for row in read(folder).results.itertuples() if row.metric == "nll"]
    assert all(f'<td class="number" data-key="{cost!r}">{cost:.4g}</td>' in text for cost in costs)
    assert f'data-key="{8 / 255!r}">8/255</td>' in text
