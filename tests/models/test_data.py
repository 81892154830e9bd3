"""Loaders of the standard layouts, with files made here, whole, cut and missing."""

import gzip

import numpy as np
import pytest
import torch

from hwgen.errors import UserError
from models.data import augmented, cifar10, load_dataset


def _idx(array: np.ndarray) -> bytes:
    dims = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + dims + array.astype(np.uint8).tobytes()


def _fashion(folder, packed=True):
    rng = np.random.default_rng(0)
    made = {}
    for prefix, count in (("train", 7), ("t10k", 3)):
        images, labels = rng.integers(0, 256, (count, 28, 28)), rng.integers(0, 10, count)
        made[prefix] = images, labels
        for name, array in (("images-idx3-ubyte", images), ("labels-idx1-ubyte", labels)):
            content = _idx(array)
            path = folder / f"{prefix}-{name}{'.gz' if packed else ''}"
            path.write_bytes(gzip.compress(content) if packed else content)
    return made


@pytest.mark.parametrize("packed", [True, False])
def test_fashion_mnist(tmp_path, packed):
    made = _fashion(tmp_path, packed)
    data = load_dataset("fashion-mnist", tmp_path)
    assert data.shape == (1, 28, 28) and len(data.train) == 7 and len(data.test) == 3
    images, labels = data.test.batch(torch.tensor([2, 0]))
    assert images.dtype == torch.uint8 and images[0, 0].tolist() == made["t10k"][0][2].tolist()
    assert labels.tolist() == made["t10k"][1][[2, 0]].tolist()


def test_fashion_mnist_missing_file(tmp_path):
    _fashion(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(UserError, match="t10k-labels-idx1-ubyte: no such file"):
        load_dataset("fashion-mnist", tmp_path)


def test_fashion_mnist_cut_files(tmp_path):
    _fashion(tmp_path, packed=False)
    path = tmp_path / "train-images-idx3-ubyte"
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    expected = f"{len(whole) - 5} bytes, expected {len(whole)}"
    with pytest.raises(UserError, match=expected):
        load_dataset("fashion-mnist", tmp_path)
    path.write_bytes(whole[:3])
    with pytest.raises(UserError, match="not an idx file"):
        load_dataset("fashion-mnist", tmp_path)


def test_fashion_mnist_damaged_gzip(tmp_path):
    _fashion(tmp_path)
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:200])
    said = r"damaged gzip file of 200 bytes that unpacks to \d+ bytes, expected 5504"
    with pytest.raises(UserError, match=said):
        load_dataset("fashion-mnist", tmp_path)


def _cifar(folder, monkeypatch, records=4):
    monkeypatch.setattr(cifar10, "RECORDS", records)
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    made = {}
    for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]:
        made[name] = rng.integers(0, 256, (records, 3073)).astype(np.uint8)
        made[name][:, 0] %= 10
        (folder / f"{name}.bin").write_bytes(made[name].tobytes())
    return made


def test_cifar10(tmp_path, monkeypatch):
    made = _cifar(tmp_path / "cifar-10-batches-bin", monkeypatch)
    for folder in (tmp_path, tmp_path / "cifar-10-batches-bin"):
        data = load_dataset("cifar10", folder)
        assert len(data.train) == 20 and len(data.test) == 4 and data.shape == (3, 32, 32)
    record = made["data_batch_2"][1]
    images, labels = data.train.batch(torch.tensor([5]))
    assert labels.item() == record[0]
    assert images[0, 1, 3, 4] == record[1 + 1024 + 3 * 32 + 4]  # green, row 3, column 4


def test_cifar10_of_the_wrong_size(tmp_path, monkeypatch):
    _cifar(tmp_path, monkeypatch)
    path = tmp_path / "data_batch_3.bin"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match=r"data_batch_3\.bin: 12291 bytes, expected 12292"):
        load_dataset("cifar10", tmp_path)
    path.unlink()
    with pytest.raises(UserError, match=r"data_batch_3\.bin: no such file .expected 12292"):
        load_dataset("cifar10", tmp_path)


def test_folders_of_images(tmp_path):
    image = pytest.importorskip("PIL.Image")
    for part in ("train", "val"):
        for name, colour in (("cat", (200, 10, 10)), ("dog", (10, 10, 200))):
            folder = tmp_path / part / name
            folder.mkdir(parents=True)
            image.new("RGB", (40, 30), colour).save(folder / "a.png")
    data = load_dataset("imagenet", tmp_path, size=16)
    assert data.classes == ("cat", "dog") and data.shape == (3, 16, 16)
    images, labels = data.test.batch(torch.tensor([1, 0]))
    assert labels.tolist() == [1, 0] and images.shape == (2, 3, 16, 16)
    assert images[:, :, 8, 8].tolist() == [[10, 10, 200], [200, 10, 10]]
    (tmp_path / "val" / "cat" / "a.png").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"a\.png: not a readable image .8 bytes"):
        data.test.batch(torch.tensor([0]))


def test_generated_data_is_the_same_every_time():
    first, again = (load_dataset("generated", train=32, test=8) for _ in range(2))
    assert torch.equal(first.train.images, again.train.images)
    assert not torch.equal(first.train.images[:8], first.test.images)
    other = load_dataset("generated", train=32, test=8, seed=2)
    assert not torch.equal(first.train.images, other.train.images)
    colour = load_dataset("generated", train=2, test=2, shape=(3, 16, 20))
    assert colour.train.images.shape == (2, 3, 16, 20)


@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_unknown_names_and_folders(name, tmp_path):
    with pytest.raises(UserError, match="must be one of|no such folder"):
        load_dataset(name, tmp_path / "nowhere")


def test_augmentation_shifts_and_mirrors_whole_images():
    images = torch.arange(1, 2 * 25 + 1, dtype=torch.uint8).view(2, 1, 5, 5)
    generator = torch.Generator().manual_seed(3)
    for _ in range(20):
        for before, after in zip(
            images, augmented(images, flip=True, crop=2, generator=generator), strict=True
        ):
            padded = torch.nn.functional.pad(before, (2, 2, 2, 2))
            places = [
                p[:, y : y + 5, x : x + 5]
                for p in (padded, padded.flip(2))
                for y in range(5)
                for x in range(5)
            ]
            assert any(torch.equal(after, place) for place in places)
    same = augmented(images, flip=False, crop=0, generator=generator)
    assert torch.equal(same, images)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"trian": 3}, "generated has train, test, shape, seed, not 'trian'"),
        ({"train": 0}, r"data\.options\.train: must be an integer from 1, not 0"),
        ({"test": "many"}, "must be an integer from 1, not 'many'"),
        ({"shape": [1, 28]}, r"must be \[channels, rows, columns\]"),
        ({"shape": [1, 2, 28]}, "must be an integer from 8, not 2"),
    ],
)
def test_options_of_generated_data(options, message):
    with pytest.raises(UserError, match=message):
        load_dataset("generated", **options)
