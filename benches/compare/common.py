"""What both comparisons need: the packages, the binary, and a chain to work on."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


def prepared_python() -> Path:
    """The Python of a virtual environment that holds the pinned packages."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "uptally-compare"
    requirements = HERE / "requirements.txt"
    pins = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = cache / f"venv-{pins}"
    python = folder / "bin" / "python"
    complete = folder / "complete"
    if not complete.exists():
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        install = [python, "-m", "pip", "install", "--quiet", "--requirement", requirements]
        subprocess.run(install, check=True)
        complete.touch()
    return python


def release_binary() -> Path:
    """The `uptally` that is asked for, or that of the release build, built if it is missing."""
    if asked := os.environ.get("UPTALLY"):
        found = shutil.which(asked)
        return Path(found) if found else sys.exit(f'UPTALLY: no program "{asked}"')
    target = Path(os.environ.get("CARGO_TARGET_DIR", "target"))
    binary = ROOT / target / "release" / "uptally"
    if not binary.exists():
        subprocess.run(["cargo", "build", "--release", "--bin", "uptally"], cwd=ROOT, check=True)
    return binary


def generated(uptally: Path, folder: Path, stores: int, days: int) -> Path:
    size = ["--stores", str(stores), "--days", str(days), "--seed", "1"]
    subprocess.run([uptally, "generate", *size, folder], check=True, stdout=sys.stderr)
    return folder
