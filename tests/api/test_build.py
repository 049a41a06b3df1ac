"""The build folder: whole or not there, checked when it is read, and never code."""

import json
import pickle
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import wsc
from wsc import folder as folders
from wsc.arrays import read_arrays, write_arrays
from wsc.compiler.errors import BuildError
from wsc.folder import FILES, MANIFEST, check_place, replaced

NAMES = sorted(FILES | {MANIFEST})


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(8, 8), nn.ReLU())
    return wsc.compile(module, torch.ones(2, 8), target="wafer-8x8", name="b").save(
        tmp_path_factory.mktemp("api") / "b"
    )


@pytest.fixture
def build(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "b"))


def use(build: Path) -> None:
    """Read everything."""
    exe = wsc.load(build)
    exe(torch.ones(2, 8))


def test_what_is_in_it(build: Path) -> None:
    assert sorted(path.name for path in build.iterdir()) == NAMES
    assert build.stat().st_mode & 0o777 == 0o755
    use(build)


@pytest.mark.parametrize("name", NAMES)
def test_a_flipped_bit_is_found(build: Path, name: str) -> None:
    data = (build / name).read_bytes()
    for place in range(0, len(data), max(1, len(data) // 20)):
        changed = bytearray(data)
        changed[place] ^= 1
        (build / name).write_bytes(changed)
        if same_json(name, data, bytes(changed)):
            continue
        with pytest.raises(BuildError):
            use(build)
    (build / name).write_bytes(data)
    use(build)


def same_json(name: str, one: bytes, two: bytes) -> bool:
    """Whether the manifest still says the same: space that became another space."""
    try:
        return name == MANIFEST and bool(json.loads(one) == json.loads(two))
    except ValueError:
        return False


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("how", ["missing", "empty", "longer", "a folder"])
def test_a_file_that_is_not_as_written(build: Path, name: str, how: str) -> None:
    path = build / name
    data = path.read_bytes()
    path.unlink()
    if how == "a folder":
        path.mkdir()
    elif how != "missing":
        path.write_bytes(b"" if how == "empty" else data + b"\0")
    with pytest.raises(BuildError):
        use(build)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": 0}, "is a 'wsc build' of version 0, and this wsc reads a 'wsc build' of version 1"),
        ({"version": "1"}, "of version 1, and this wsc reads"),
        ({"format": "other"}, "is a 'other' of version 1"),
        ({"name": "other"}, "manifest.json is not as it was written"),
        ({"files": {}}, "manifest.json is not as it was written"),
        ({"digest": "0"}, "manifest.json is not as it was written"),
    ],
)
def test_a_manifest_that_says_something_else(build: Path, change: dict[str, object], said: str) -> None:
    manifest = json.loads((build / MANIFEST).read_text())
    (build / MANIFEST).write_text(json.dumps(manifest | change))
    with pytest.raises(BuildError) as caught:
        wsc.load(build)
    assert said in str(caught.value)


@pytest.mark.parametrize("text", ["[]", "1", "null", "{}", '{"format": "wsc build", "version": 1}', "\xff"])
def test_a_manifest_that_is_none(build: Path, text: str) -> None:
    (build / MANIFEST).write_bytes(text.encode("latin-1"))
    with pytest.raises(BuildError):
        wsc.load(build)


def test_weights_are_checked_when_they_are_read(build: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashing them takes long for a large model, and most commands need none."""
    hashed: list[str] = []
    digest_of = folders._digest_of

    def counted(path: Path) -> str:
        hashed.append(path.name)
        return digest_of(path)

    monkeypatch.setattr(folders, "_digest_of", counted)
    exe = wsc.load(build)
    assert sorted(hashed) == sorted(FILES - {"weights.npz"})
    for _ in range(2):
        exe(torch.ones(2, 8))
    assert hashed.count("weights.npz") == 1


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return open, ("exploded", "w")  # type: ignore[return-value]


@pytest.mark.parametrize("name", NAMES)
def test_reading_runs_no_code(build: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(build.parent)
    objects = np.empty(1, object)
    objects[0] = Bomb()
    np.save("objects.npy", objects, allow_pickle=True)
    np.savez("objects.npz", **{"input0": objects, "0.weight": objects})  # type: ignore[arg-type]
    for check in ("check_digests", "check_digest"):  # as if someone had forged the digests too
        monkeypatch.setattr(f"wsc.build.{check}", lambda *_, **__: None)
    for data in (pickle.dumps(Bomb()), Path("objects.npy").read_bytes(), Path("objects.npz").read_bytes()):
        (build / name).write_bytes(data)
        with pytest.raises((wsc.WscError, ValueError, zipfile.BadZipFile)):
            use(build)
    assert not Path("exploded").exists()


# Arrays


@pytest.mark.parametrize(
    "dtype", ["float32", "float16", "int64", "uint8", "bool", "bfloat16", "float8_e4m3fn"]
)
def test_arrays_read_back(tmp_path: Path, dtype: str) -> None:
    import ml_dtypes

    kind = np.dtype(getattr(ml_dtypes, dtype, dtype))
    arrays = {
        "a.b": np.arange(6).reshape(2, 3).astype(kind),
        "turned": np.arange(6).reshape(2, 3).T.astype(kind),
        "one": np.ones((), kind),
        "none": np.ones((0, 3), kind),
        "x.npy": np.ones(1, kind),
    }
    write_arrays(tmp_path / "a.npz", arrays)
    found = read_arrays(tmp_path / "a.npz")
    assert list(found) == list(arrays)
    assert len(found) == 5
    for name, array in arrays.items():
        assert found[name].dtype == kind
        np.testing.assert_array_equal(found[name], array)


def test_arrays_of_numpy(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", a=np.ones(3))
    np.testing.assert_array_equal(read_arrays(tmp_path / "a.npz")["a"], np.ones(3))
    write_arrays(tmp_path / "b.npz", {"b": np.ones(3)})
    with np.load(tmp_path / "b.npz") as file:
        np.testing.assert_array_equal(file["b"], np.ones(3))


# Replacing folders


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """Where a folder goes; at the end nothing lies beside it."""
    yield tmp_path / "place"
    assert {path.name for path in tmp_path.iterdir()} <= {"place"}


def fill(folder: Path, text: str) -> None:
    with replaced(folder) as beside:
        assert list(beside.iterdir()) == []
        for name in NAMES:
            (beside / name).write_text(text)


def test_a_folder_appears_whole(place: Path) -> None:
    with replaced(place) as beside:
        (beside / "graph.txt").write_text("half")
        assert not place.exists()
    assert [path.name for path in place.iterdir()] == ["graph.txt"]


def test_a_folder_takes_the_place_of_a_build(place: Path) -> None:
    for text in ("broken", "broken too"):
        fill(place, text)
        assert (place / "graph.txt").read_text() == text
        (place / "maps").mkdir()


def test_an_empty_folder_is_replaced(place: Path) -> None:
    place.mkdir()
    fill(place, "new")
    assert (place / "graph.txt").read_text() == "new"


@pytest.mark.parametrize("error", [OSError("full"), KeyboardInterrupt(), ValueError("odd")])
def test_what_fails_leaves_what_was(place: Path, error: BaseException) -> None:
    fill(place, "old")
    with suppress(BuildError, KeyboardInterrupt, ValueError), replaced(place) as beside:
        (beside / "graph.txt").write_text("half")
        raise error
    assert (place / "graph.txt").read_text() == "old"


def test_what_fails_leaves_no_folders_above(place: Path) -> None:
    with pytest.raises(KeyboardInterrupt), replaced(place / "a" / "b"):
        raise KeyboardInterrupt
    assert not place.exists()


@pytest.mark.parametrize("at", [1, 2])
def test_a_rename_that_fails_is_undone(place: Path, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    """Whichever of the two renames it is: the old folder out of the way, the new one into it."""
    fill(place, "old")
    rename, calls = Path.rename, []

    def failing(self: Path, target: Path) -> Path:
        calls.append(self)
        if len(calls) == at:
            raise KeyboardInterrupt
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", failing)
        with pytest.raises(KeyboardInterrupt):
            fill(place, "new")
    assert (place / "graph.txt").read_text() == "old"


def test_a_link_stays_a_link(place: Path) -> None:
    (place / "real").mkdir(parents=True)
    (place / "link").symlink_to(place / "real")
    fill(place / "link", "new")
    assert (place / "link").is_symlink()
    assert (place / "real" / "graph.txt").read_text() == "new"


@pytest.mark.parametrize("holding", ["notes.txt", "manifest.json", ".hidden", "maps"])
def test_what_is_not_ours_is_not_deleted(place: Path, holding: str) -> None:
    place.mkdir()
    (place / holding).write_text('{"format": "somebody else\'s"}')
    with pytest.raises(BuildError, match=f"holds '{holding}', which is of no build"):
        check_place(place)
    with pytest.raises(BuildError):
        fill(place, "new")
    assert [path.name for path in place.iterdir()] == [holding]


@pytest.mark.parametrize("name", ["n" * 300, "n" * 300 + "/b"])
def test_a_name_that_no_disk_takes(place: Path, name: str) -> None:
    with pytest.raises(BuildError, match=r"Cannot write the build folder .*: File name too long\."):
        check_place(place.parent / name)


def test_a_manifest_that_is_a_folder(place: Path) -> None:
    (place / MANIFEST).mkdir(parents=True)
    with pytest.raises(BuildError, match=r"Cannot write the build folder .*: Is a directory\."):
        check_place(place)


def test_a_file_added_to_a_build_is_not_deleted(place: Path) -> None:
    fill(place, "old")
    (place / "notes.txt").write_text("mine")
    with pytest.raises(BuildError, match=r"holds 'notes\.txt'"):
        fill(place, "new")


def test_folders_that_cannot_be_replaced(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "in" / "it").mkdir(parents=True)
    monkeypatch.chdir(place / "in")
    for folder in (Path(), Path(".."), place / "in", place, Path("/")):
        with pytest.raises(BuildError, match="holds the current folder"):
            check_place(folder)
    check_place(Path("it"))
