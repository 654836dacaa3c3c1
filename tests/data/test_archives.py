"""Matrices of Kaldi's archives: as kaldi-native-io reads them, and what is wrong with one."""

import numpy as np
import pytest
from _errors import raises
from _kaldi import binary, write_archive

from kerasr.data.archives import is_archived, matrix_shape, read_matrix

RANGES = ("[0:9]", "[3:24]", "[20:25]", "[0:0]", "[:,1:3]", "[2:5,0:4]")
NO_RANGES = ("[20:26]", "[2:5,0:5]", "[5:4]", "[23:24]", "[1]")


@pytest.fixture
def oracle():
    """Kaldi's own code, as a package."""
    return pytest.importorskip("kaldi_native_io", reason="the oracle of archives: pip install kaldi-native-io")


@pytest.fixture
def matrix(rng):
    return (7 * rng.normal(size=(23, 5)) + 3).astype(np.float32)


def places(scp):
    return [line.split()[1] for line in scp.read_text().splitlines()]


def assert_same(oracle, path):
    expected = oracle.FloatMatrix.read(path).numpy()
    found = read_matrix(path)
    assert found.dtype == np.float32
    assert found.flags["C_CONTIGUOUS"]
    assert matrix_shape(path) == found.shape
    # Kaldi's compiler fuses products and sums.
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("options", ["ark,scp", "ark,t,scp"])
@pytest.mark.parametrize("kind", ["Float", "Double"])
def test_matrices_and_text_are_kaldis(oracle, tmp_path, matrix, kind, options):
    values = matrix.astype(np.float64) / 3 if kind == "Double" else matrix
    with getattr(oracle, f"{kind}MatrixWriter")(f"{options}:{tmp_path}/a.ark,{tmp_path}/a.scp") as writer:
        writer.write("one", values)
        writer.write("two", values[:1])
    for path in places(tmp_path / "a.scp"):
        assert_same(oracle, path)


@pytest.mark.parametrize(
    ("method", "token"),
    [
        ("kSpeechFeature", b"CM "),
        ("kTwoByteAuto", b"CM2 "),
        ("kTwoByteSignedInteger", b"CM2 "),
        ("kOneByteAuto", b"CM3 "),
        ("kOneByteZeroOne", b"CM3 "),
    ],
)
def test_compressed_matrices_are_kaldis(oracle, tmp_path, matrix, method, token):
    with oracle.CompressedMatrixWriter(f"ark,scp:{tmp_path}/a.ark,{tmp_path}/a.scp") as writer:
        for number, values in enumerate((matrix, matrix[::-1], matrix[:2])):
            writer.write(f"u{number}", values, getattr(oracle.CompressionMethod, method))
    # (Of few rows, Kaldi chooses another kind.)
    assert b"\0B" + token in (tmp_path / "a.ark").read_bytes()
    for path in places(tmp_path / "a.scp"):
        assert_same(oracle, path)


def test_ranges_are_kaldis(oracle, tmp_path, matrix):
    write_archive(tmp_path / "a.ark", {"one": matrix})
    for text in RANGES:
        assert_same(oracle, f"{tmp_path}/a.ark:4{text}")


def test_ranges(tmp_path, matrix):
    write_archive(tmp_path / "a.ark", {"one": matrix})
    path = f"{tmp_path}/a.ark:4"
    np.testing.assert_array_equal(read_matrix(f"{path}[2:5,1:3]"), matrix[2:6, 1:4])
    # Kaldi lets a range end a few frames too late.
    np.testing.assert_array_equal(read_matrix(f"{path}[20:25]"), matrix[20:])
    for text in NO_RANGES:
        with raises("features-unreadable", "a.ark:4"):
            read_matrix(path + text)


def test_a_compressed_value_by_hand(tmp_path):
    """Quantiles 0, 1, 2 and 3 of a span of 65,535 quarters: bytes between them are on the line."""
    header = np.array([0.0, 65535 / 4], "<f4").tobytes() + np.array([6, 1], "<i4").tobytes()
    quantiles = np.array([0, 4, 8, 12], "<u2").tobytes()
    content = b"\0BCM " + header + quantiles + bytes([0, 32, 64, 128, 192, 255])
    write_archive(tmp_path / "a.ark", {"one": content})
    np.testing.assert_allclose(read_matrix(f"{tmp_path}/a.ark:4")[:, 0], [0, 0.5, 1, 1.5, 2, 3], rtol=1e-6)


def test_a_file_of_one_matrix_needs_no_place(tmp_path, matrix):
    (tmp_path / "one.mat").write_bytes(binary(matrix))
    np.testing.assert_array_equal(read_matrix(f"{tmp_path}/one.mat"), matrix)
    assert is_archived(f"{tmp_path}/one.mat:0")
    assert not is_archived(f"{tmp_path}/one.mat")
    # A recording may be called so.
    (tmp_path / "tape:4").write_bytes(b"")
    assert not is_archived(f"{tmp_path}/tape:4")


WHOLE = binary(np.ones((3, 2), np.float32))


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        (WHOLE[:-1], "features-unreadable"),
        (WHOLE[:9], "features-unreadable"),
        (WHOLE[:6] + b"\xff\xff\xff\x7f" + WHOLE[10:], "features-unreadable"),
        (WHOLE[:6] + b"\xff\xff\xff\xff" + WHOLE[10:], "features-unreadable"),
        (WHOLE.replace(b"FM ", b"FV "), "features-unreadable"),
        (WHOLE.replace(b"FM ", b"CM4 "), "features-unreadable"),
        (b"RIFF" + WHOLE, "features-unreadable"),
        (b"\0BCM2 " + bytes(10), "features-unreadable"),
        (b" [\n 1 2\n 3\n", "features-unreadable"),
        (b" [\n 1 2\n 3 ]\n", "features-unreadable"),
        (b" [\n 1 two ]\n", "features-unreadable"),
        (b" [ ]\n", "recording-empty"),
        (binary(np.ones((0, 2), np.float32)), "recording-empty"),
        (binary(np.array([[1, np.nan]], np.float32)), "features-not-finite"),
        (binary(np.array([[1e300]])), "features-not-finite"),
        (b" [\n 1 inf ]\n", "features-not-finite"),
    ],
)
def test_what_is_no_matrix_is_named(tmp_path, entry, code):
    write_archive(tmp_path / "a.ark", {"one": entry})
    with raises(code, "a.ark:4"):
        read_matrix(f"{tmp_path}/a.ark:4")


def test_no_file_and_a_place_beyond_its_end(tmp_path):
    write_archive(tmp_path / "a.ark", {"one": WHOLE})
    for path, code in (("a.ark:1000", "features-unreadable"), ("b.ark:4", "recording-not-found")):
        for read in (read_matrix, matrix_shape):
            with raises(code, path):
                read(f"{tmp_path}/{path}")
