"""Pages of the documentation that are run: what of them, how much smaller, in order."""

import contextlib
import io
import re
import subprocess
from pathlib import Path

from click.testing import CliRunner
from page_inputs import INPUTS, damaged
from pages import PROGRAMS, commands, name_of, not_printed, words_of

NOT_RUN = {
    "--device cuda": "needs a GPU",
    "--restart$": "goes on after an interruption: test_restart.py",
    "^curl ": "asks a server: test_serve_jobs.py",
    "my_materials|deformation_theory": "a package: test_own_package.py installs it",
    "Client\\(": "asks a server: test_serve_page.py runs it",
    "^ecosr compare .*#": "of README: surrogates.md has the same",
    "^ecosr export|torch.export": "without this package: test_eco_export.py runs it",
    "ecosr serve ": "serves until it is stopped: test_serve_command.py",
    "^export |^head=": "variables of a job",
    "^fftmech dataset import mapping.toml -o fields$": "runs further down that page",
    "^fftmech demo": "test_demo.py runs it",
    "^fftmech doctor": "says what this machine has: test_doctor.py",
    "^fftmech view (?!.*--screenshot)": "opens a browser: test_view_browser.py",
    "more-pairs|more-run": "many bodies: test_response_many.py",
    "^make ": "makes an environment",
    "^mpiexec ": "starts processes: test_processes.py",
    "^pip install": "installs packages",
    "^pytest ": "runs these tests",
    "^python benchmarks/": "measures for minutes",
    "^python3 -m venv": "makes an environment",
    "^srun |^torchrun ": "starts processes: test_eco_devices.py",
    "^ssh ": "needs another machine",
    "^tar ": "another program",
}
"""By what is in a command line, or in Python: why it is not run; it is parsed."""

RUN = (*PROGRAMS, "python", "sed")
"""Programs that are run."""

FOREIGN = (
    *("--array", "--cpus-per-task", "--gpus-per-node", "--nodes", "--nnodes"),
    *("--no-python", "--nproc-per-node", "--ntasks-per-node", "--signal"),
    *("--rdzv-backend", "--rdzv-endpoint", "--rdzv-id", "--standalone"),
    *("--data-binary", "--logdir"),
)
"""Options of other programs that the pages name."""

EVERYWHERE = {
    r"--(res|low-res) [\d,]+": r"--\1 8",
    r"^fftmech dataset (polycrystal|composites|pores) (?!.*--res)": r"\g<0>"
    "--res 8 --low-res 8 ",
    r"--count (\d{3,}|[4-9]\d)": "--count 4",
    r"--splits \d+,\d+,\d+": "--splits 2,1,1",
    r"^ecosr fit (\S+ -o \S+)(?![^#]*(--resume|dmn|--preset))": r"\g<0> --preset smoke "
    "--batch 2 --steps 2",
    r"--steps \d\d+": "--steps 3",
}
"""What is replaced in command lines of all pages for them to take less time."""

SMALLER = {
    "README": {
        "--shape 128,128,128": "--shape 16,16,16",
        "fit grains -o run ": "fit grains -o run --model s-eco ",
    },
    "datasets": {
        "--count 16": "--count 16 --fraction 0.05,0.12",
        "fraction=(0.002, 0.02)": "fraction=(0.05, 0.12)",
        "count=16, levels=(64, 32)": "count=16, levels=(8,)",
        "res32": "res8",
        "levels=[32]": "levels=[8]",
        "--count 10 --from-images": "--count 4 --from-images",
        "--shape 128,128,128": "--shape 32,32,32",
    },
    "large-bodies": {
        "--shape 512,512,512": "--shape 16,16,16",
        "--crop 100,356,100,356,0,256": "--crop 1,9,2,10,0,8",
    },
    "nonlinear-bodies": {
        "--count 300": "--count 4 --splits 2,1,1",
        "polycrystal(16,": "polycrystal(8,",
    },
    "stress-controlled-loading": {
        "image.npy --materials materials.toml": "particle.npy --materials elastic.toml",
    },
    "surrogates": {"--model p-eco-iterated": "--model s-eco"},
    "tuning": {
        "--trials 30": "--trials 1 --preset smoke --batch 2 --steps 2",
        "--set gamma=1.73": "--set gamma=1.73 --trials 1 --preset smoke --steps 2",
    },
    "which-surrogate": {
        "--fraction 0.2 --radius 0.15,0.2": "--fraction 0.1 --radius 0.2",
        "--model dmn": "--model dmn --depth 2 --steps 3",
    },
}
"""By page, what else is replaced, in command lines and in Python."""

FAST = (
    "cluster",
    "euler-angles-and-frames",
    "file-format",
    "from-abaqus",
    "from-damask",
    "from-dream3d",
    "from-ebsd",
    "from-neper",
    "large-bodies",
    "materials",
    "non-periodic-boxes",
    "speed",
    "stress-controlled-loading",
    "theory/projections",
    "theory/stencils",
)
"""Pages that run in a moment; the others are slow."""


class Session:
    """A page that is run block by block: what it has defined and printed.

    `changed` has the names of files that are not those of a reader who types what the
    page says, for they are smaller or stand in for others: what is printed of these
    has other numbers.
    """

    def __init__(self, page):
        self.page, self.name = page, name_of(page)
        self.names, self.variables, self.printed = {}, {}, ""
        self.changed, self.exactly = set(), True

    def run(self, block):
        """Run a block, or compare it with what was printed."""
        if block.language == "toml":
            name = re.match(r"# (\S+\.toml)\n", block.text)
            Path(name[1] if name else "unnamed.toml").write_text(block.text)
        elif block.language == "python" and not is_not_run(block.text):
            self.python(block.text)
        elif block.language == "output":
            self.compare(block.text, self.printed)
        elif block.language == "":
            for command in commands(block.text):
                self.command(*command)

    def python(self, text):
        small = self.smaller(text, {})
        quoted = re.findall(r'"([^"\n]+)"', re.sub("#.*", "", text))
        self.make_inputs(quoted)
        printed = io.StringIO()
        silent = contextlib.redirect_stdout(printed)
        with self.changing(text == small, quoted), silent:
            exec(compile(small, str(self.page), "exec"), self.names)
        self.printed += printed.getvalue()

    def command(self, line, shown):
        small = self.smaller(line, EVERYWHERE)
        words = words_of(small, self.variables)
        if not words or is_not_run(line):
            return
        if words[:2] == ["python", "-c"]:
            exec(words[2], {})
            return
        if words[0] == "sed":
            subprocess.run(line, shell=True, check=True)
            return
        self.make_inputs(words)
        if line == "fftmech dataset verify pores":
            damaged(Path("pores"))
        with self.changing(line == small, words):
            done = CliRunner().invoke(PROGRAMS[words[0]], _globbed(words, line)[1:])
        code = 2 if re.search("^Error: |^--repair", shown, re.M) else 0
        assert done.exit_code == code, (line, done.output, done.exception)
        self.printed += done.output
        self.compare(shown, done.output)

    def smaller(self, text, patterns):
        """The text with what takes less time."""
        for large, less in SMALLER.get(self.name, {}).items():
            text = text.replace(large, less)
        for pattern, less in patterns.items():
            text = re.sub(pattern, less, text)
        return text

    def make_inputs(self, words):
        """Make the files that words name, but for outputs, where there are none."""
        outputs = {
            b for a, b in zip(words, words[1:], strict=False) if a in ("-o", "--csv")
        }
        for name in {word.rstrip("/") for word in words} & {*INPUTS} - outputs:
            if not Path(name).exists():
                INPUTS[name](Path(name))
                self.changed.add(name)

    @contextlib.contextmanager
    def changing(self, same, words):
        """Whether what runs in this context prints what readers see.

        It does if it is the same as on the page, and no file that it names is changed;
        otherwise all files that it names are changed afterwards.
        """
        names = {word.split("/")[0] for word in words}
        self.exactly = same and not names & self.changed
        yield
        if not self.exactly:
            self.changed |= {name for name in names if name and Path(name).exists()}

    def compare(self, shown, printed):
        missing = not_printed(shown, printed, self.exactly)
        assert not missing, (missing, printed)


def is_not_run(text):
    return any(re.search(pattern, text) for pattern in NOT_RUN)


def _globbed(words, line):
    """Words, those with a * that is not quoted as the shell gives them."""
    quoted = re.findall(r"""["'].*?["']""", line)
    return [
        name
        for word in words
        for name in (
            sorted(map(str, Path().glob(word)))
            if "*" in word and not any(word in text for text in quoted)
            else [word]
        )
    ]
