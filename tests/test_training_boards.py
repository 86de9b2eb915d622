"""The log of a run goes into other programs as the documentation says."""

import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("torch")

PAGE = Path(__file__).resolve().parents[1] / "docs" / "surrogates.md"
RECORDS = [
    {"step": 1, "loss": None, "terms": {"energy": 2.0}, "lr": 0.1},
    {"step": 2, "loss": 1.5, "terms": {"energy": 1.5}, "lr": 0.2},
    {"step": 2, "validation": {"loss": 1.0, "stress": 0.5}},
]


class Board:
    """Stands in for both writers: a context that keeps what it is told."""

    def __init__(self, *given, **settings):
        self.settings = settings
        self.told = []
        boards.append(self)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def add_scalar(self, name, value, step):
        assert isinstance(value, float)
        self.told.append((name, value, step))

    def log(self, record, step):
        assert "step" not in record
        self.told.append((record, step))


boards = []


@pytest.fixture
def snippet(tmp_path, monkeypatch):
    """Run the one snippet that has these words, beside a run; return its board."""
    (tmp_path / "run").mkdir()
    lines = "".join(json.dumps(record) + "\n" for record in RECORDS)
    (tmp_path / "run" / "log.jsonl").write_text(lines)
    (tmp_path / "run" / "config.json").write_text('{"config": {"steps": 2}}')
    monkeypatch.chdir(tmp_path)
    writers = SimpleNamespace(SummaryWriter=Board)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", writers)
    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=Board))

    def run(word):
        text = PAGE.read_text(encoding="utf-8")
        codes = re.findall(r"^```py\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        (code,) = [code for code in codes if word in code]
        exec(compile(code, str(PAGE), "exec"), {})
        return boards.pop()

    return run


def test_tensorboard_is_told_every_number_of_the_log(snippet):
    assert snippet("SummaryWriter").told == [
        *(("lr", 0.1, 1), ("energy", 2.0, 1)),
        *(("loss", 1.5, 2), ("lr", 0.2, 2), ("energy", 1.5, 2)),
        *(("validation/loss", 1.0, 2), ("validation/stress", 0.5, 2)),
    ]


def test_weights_and_biases_are_told_every_record_and_the_configuration(snippet):
    board = snippet("wandb")
    assert board.settings["config"] == {"steps": 2}
    assert board.settings["mode"] == "offline"
    steps = [record.pop("step") for record in map(dict, RECORDS)]
    assert [step for _, step in board.told] == steps
    assert [{**record, "step": step} for record, step in board.told] == RECORDS
