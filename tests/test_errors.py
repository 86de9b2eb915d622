"""An error that is the user's to mend: one line, and its parts."""

import pickle

import pytest

from fftmech.errors import InputError


@pytest.mark.parametrize(
    ("parts", "line"),
    [
        (("no such file",), "no such file"),
        (("4", "5"), "4: expected 5"),
        (("4", "", "add one"), "4; add one"),
        (("4", "5", "add one"), "4: expected 5; add one"),
    ],
)
def test_an_input_error_is_its_parts_on_one_line_also_in_another_process(parts, line):
    error = InputError(*parts)
    for one in (error, pickle.loads(pickle.dumps(error))):
        assert str(one) == line
        assert (one.what, one.expected, one.mend) == (*parts, "", "")[:3]
    named = InputError(**dict(zip(("what", "expected", "mend"), parts, strict=False)))
    assert str(pickle.loads(pickle.dumps(named))) == line
