"""The page on imported fields: its sessions run, from foreign files to a model."""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from imported_files import MAPPING, STRAIN, STRESS
from small_datasets import run

from fftmech import io, voigt_from_mandel
from fftmech.datasets.mapping import FieldMapping
from fftmech_cli.fftmech_main import main

PAGE = Path(__file__).resolve().parents[1] / "docs" / "own-data.md"


def blocks(language):
    text = PAGE.read_text(encoding="utf-8")
    found = re.findall(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [code for name, code in found if name == language]


def session():
    """Commands of the page, in order."""
    lines = "".join(blocks("")).splitlines()
    return [shlex.split(x) for x in lines if x.startswith(("fftmech ", "ecosr "))][1:]


def test_mappings_of_the_page_are_whole():
    import tomllib

    for code in blocks("toml"):
        if "[load]" in code:
            FieldMapping.from_document(tomllib.loads(code))


@pytest.mark.slow
def test_the_sessions_run_and_say_what_the_page_shows(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    from fftmech_cli.ecosr_main import main as ecosr

    monkeypatch.chdir(tmp_path)
    for code in blocks("toml"):
        name = re.match(r"# (\S+\.toml)\n", code)
        assert name
        (tmp_path / name[1]).write_text(code)
    for code in blocks("python"):
        exec(code, {})
    said = ""
    for words in session():
        done = CliRunner().invoke(ecosr if words[0] == "ecosr" else main, words[1:])
        assert done.exit_code == 0, (words, done.output, done.exception)
        said += done.output
    text = (tmp_path / "mapping.toml").read_text()
    wrong = text.replace('shear = "engineering"', 'shear = "tensor"')
    (tmp_path / "wrong.toml").write_text(wrong)
    refused = CliRunner().invoke(main, ["dataset", "import", "wrong.toml", "-o", "x"])
    assert refused.exit_code == 2 and refused.stderr in PAGE.read_text()
    line = "plastic/4.hdf5 --dataset phase --axes zyx -o x.h5"
    refused = CliRunner().invoke(ecosr, f"predict plastic_run {line}".split())
    # its image has another name
    assert refused.exit_code == 2 and "grey" in refused.stderr, refused.output
    assert refused.stderr.count("\n") == 1 + refused.stderr.count("note")
    written = io.read_result("predicted.vtkhdf").microstructure.images
    assert set(written) == {"grey"} and set(written["grey"].flat) == {900, 1200}
    shown = [b for b in blocks("") if re.match("checked|note", b)]
    assert len(shown) == 2
    for line in "".join(shown).splitlines():
        # figures may differ in their last digit
        start = re.split(r"\d\.\d|\d+ kB|: step|load by", line)[0]
        assert start in said, line
    # nothing that needs a law has a number
    found = json.loads(Path("plastic-evaluation/evaluation.json").read_text())
    (model,) = found["contenders"]
    numbers = ("certificate", "energy", "tail")
    assert found["law"] is False and not any(model[name] for name in numbers)
    table = Path("plastic-evaluation/evaluation.md").read_text()
    assert "(imported)" in table and "solved" not in table and "energy" not in table


@pytest.mark.slow
def test_our_own_fields_come_back_from_foreign_files_and_train(tmp_path):
    pytest.importorskip("torch")
    from fftmech_cli.ecosr_main import main as ecosr

    line = "--res 8 --low-res 8 --splits 4,1,1 --count 6 --jobs 1 --seed 0"
    run(f"dataset composites {line} -o {tmp_path / 'own'}")
    own = io.Dataset(tmp_path / "own")
    (tmp_path / "fields").mkdir()
    for sample in own:
        low = sample.low
        np.savez(
            tmp_path / "fields" / f"{sample.index}.npz",
            phase=low.body.phase.T,
            C=voigt_from_mandel(low.body.stiffness),
            eps=STRAIN.stored(low.strain[0].astype(float)).T,
            sig=1000 * STRESS.stored(low.stress[0].astype(float)).T,
        )
    (tmp_path / "mapping.toml").write_text(MAPPING)
    out = tmp_path / "imported"
    run(f"dataset import {tmp_path / 'mapping.toml'} -o {out} --splits 4,1,1")
    run(f"dataset verify {out}")
    records = zip(own.records, io.Dataset(out).records, strict=True)
    assert all(a["fingerprint"] == b["fingerprint"] for a, b in records)
    eps = np.finfo(np.float32).eps
    for a, b in zip(own, io.Dataset(out), strict=True):
        assert (a.split, a.loads) == (b.split, b.loads)
        assert np.array_equal(a.low.body.phase, b.low.body.phase)
        for name in ("strain", "stress", "mean_strain", "mean_stress"):
            one, other = getattr(a.low, name), getattr(b.low, name)
            off = 2 * eps * abs(one).max()
            assert np.allclose(one, other, rtol=0, atol=off), name
    for model in ("unet", "s-eco"):
        words = f"fit {out} -o {tmp_path / model} --model {model} --preset smoke"
        done = CliRunner().invoke(ecosr, f"{words} --steps 2 --batch 2".split())
        assert done.exit_code == 0, (done.output, done.exception)
        assert "step 2 of 2" in done.stdout
