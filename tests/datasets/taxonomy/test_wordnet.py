"""The hierarchy of WordNet, from a file as Debian brings it."""

import pytest

from robust.core.errors import DataError
from robust.datasets.taxonomy import wordnet

NOUNS = """\
  1 This software and database is being provided to you, the LICENSEE
00000010 03 n 01 entity 0 001 ~ 00000020 n 0000 | that which is
00000020 05 n 02 animal 0 beast 0 001 @ 00000010 n 0000 | it lives
00000030 05 n 01 great_cat 0 003 @ 00000020 n 0000 @ 00000040 n 0000 #m 00000050 n 0000 | of two kinds
00000040 05 n 01 pet 0 001 @ 00000010 n 0000 | it is kept
00000050 18 n 0a a 0 b 0 c 0 d 0 e 0 f 0 g 0 h 0 i 0 Tom 0 001 @i 00000030 n 0000 | ten words, an instance
"""


@pytest.fixture
def nouns(tmp_path):
    path = tmp_path / "data.noun"
    path.write_text(NOUNS)
    return path


def test_the_way_up_is_by_first_hypernyms(nouns):
    entity, animal, cat = "entity (n00000010)", "animal (n00000020)", "great cat (n00000030)"
    assert wordnet.paths(["n00000030", "n00000050"], nouns) == [(entity, animal), (entity, animal, cat)]


def test_what_is_not_there_is_told(nouns, tmp_path):
    with pytest.raises(DataError, match=r"there is no noun 'n00000060'; ImageNet's ids are those of WordNet"):
        wordnet.paths(["n00000060"], nouns)
    with pytest.raises(DataError, match="apt-get install wordnet-base"):
        wordnet.file(str(tmp_path / "none/data.noun"))
    assert wordnet.file(str(nouns)) == nouns


@pytest.mark.skipif(not wordnet.DEBIAN.is_file(), reason="needs Debian's wordnet-base")
def test_the_classes_of_imagenet_stand_where_they_belong():
    panda, gibbon = wordnet.paths(["n02510455", "n02483362"], wordnet.file("wordnet"))
    assert panda[-2].startswith("carnivore") and gibbon[-1].startswith("lesser ape")
    shared = [a for a, b in zip(panda, gibbon, strict=False) if a == b]
    assert shared[-1].startswith("placental")
