"""Build the real pycuda for tests, without a GPU and without the CUDA toolkit; `make test-python` runs it.

`build_pycuda.py FOLDER` makes a folder for PYTHONPATH. In it are pycuda, which loads the driver, libcuda.so.1, and
libcuda_unsupported.so, which a test loads after a driver of its own: it has the functions that this driver lacks.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

PYCUDA = "pycuda==2026.1"
TOOLS = ("setuptools==84.*", "pybind11==3.*", "nvidia-cuda-runtime==13.0.*", "nvidia-cuda-profiler-api==13.0.*")
"""What compiling pycuda needs: the last two hold cuda.h and cudaProfiler.h."""

CC = ("cc", "-shared", "-fPIC")
PIP = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")

BUILT = ".built"
"""Holds what the folder was built from; written last."""

COMPILE = """
import setup
from pybind11.setup_helpers import ParallelCompile
ParallelCompile().install()
setup.main()
"""
"""pycuda's setup.py on all cores: setuptools alone compiles one file after the other."""

UNSUPPORTED = """
#define UNSUPPORTED(function) int function(void) { return 801; } /* CUDA_ERROR_NOT_SUPPORTED */
int cuGetErrorString(int error, const char **text) { /* pycuda reads the text even if this fails */
    return *text = error == 801 ? "operation not supported" : "error without a text", 0;
}
"""


def main(folder: Path) -> None:
    built, origin = folder / BUILT, built_from()
    if built.is_file() and built.read_text() == origin:
        built.touch()
    elif folder.exists() and not built.is_file():
        sys.exit(f"{folder} exists and was not built by this script: name a new folder, or delete this one")
    elif missing := missing_tool():
        print(f"pycuda is not built, and tests that need it are skipped: {missing}")
    else:
        print(f"Building pycuda into {folder}, for tests: half a minute.", flush=True)
        with TemporaryDirectory(prefix=f"{folder.name}-", dir=folder.parent) as work:
            package = build(Path(work))
            (package / BUILT).write_text(origin)
            if folder.exists():
                folder.rename(Path(work, "outdated"))
            package.rename(folder)


def built_from() -> str:
    """What a build depends on: this script, Python, and the major version of NumPy, which decides its ABI."""
    script = sha256(Path(__file__).read_bytes()).hexdigest()
    return f"{script} {sysconfig.get_config_var('SOABI')} NumPy {version('numpy').split('.')[0]}\n"


def missing_tool() -> str:
    if not shutil.which("g++"):
        return "g++ is not installed (Debian's package g++)"
    if not Path(sysconfig.get_path("include"), "Python.h").is_file():
        return "Python.h is not installed (Debian's package python3-dev)"
    return ""


def build(work: Path) -> Path:
    """Build in a folder; return the folder below it that holds the result."""
    tools, package = work / "tools", work / "package"
    install = [*PIP, "install", "--no-deps", "--no-compile", "--target", tools]
    run(*install, *TOOLS, failure=f"could not fetch {' '.join(TOOLS)}")

    # Linking this empty driver makes pycuda ask for libcuda.so.1 when it is loaded.
    run(*CC, "-x", "c", "/dev/null", "-Wl,-soname,libcuda.so.1", "-o", work / "libcuda.so", failure="could not run cc")
    (work / ".aksetup-defaults.py").write_text(f"""
CUDA_INC_DIR = [{str(tools / "nvidia/cu13/include")!r}]
CUDADRV_LIB_DIR = [{str(work)!r}]
CUDA_ENABLE_CURAND = False
CXXFLAGS = ["-O0", "-g0", "-w"]
""")
    os.environ.update(
        HOME=str(work),  # where pycuda's setup.py looks for that file; without it, it waits 10 seconds
        LDFLAGS="-Wl,--no-as-needed",
        PYTHONPATH=str(tools),
        XDG_CONFIG_HOME=os.environ.get("XDG_CONFIG_HOME", str(Path.home() / ".config")),  # of pip
    )
    download = [*PIP, "download", "--no-deps", "--no-binary=:all:", "--no-build-isolation", "--dest", work]
    run(*download, PYCUDA, failure=f"could not fetch {PYCUDA}")
    [archive] = work.glob("pycuda-*.tar.gz")
    shutil.unpack_archive(archive, work)
    source = work / archive.name.removesuffix(".tar.gz")
    run(sys.executable, "-c", COMPILE, "build_ext", "--inplace", failure=f"could not compile {PYCUDA}", folder=source)

    package.mkdir()
    (source / "pycuda").rename(package / "pycuda")
    build_unsupported(package)
    return package


def build_unsupported(package: Path) -> None:
    """Build the library that has every driver function that pycuda refers to."""
    [driver] = package.glob("pycuda/_driver*.so")
    symbols = run("nm", "--dynamic", "--undefined-only", driver, failure="could not run nm").split()
    functions = [f"UNSUPPORTED({name})" for name in symbols if name.startswith("cu") and name != "cuGetErrorString"]
    source, library = package / "libcuda_unsupported.c", package / "libcuda_unsupported.so"
    source.write_text("\n".join([UNSUPPORTED, *functions, ""]))
    run(*CC, source, "-o", library, failure=f"could not compile {source.name}")


def run(*command: object, failure: str, folder: Path | None = None) -> str:
    """Run a command and return what it printed, or end with that and a sentence."""
    words = [str(word) for word in command]
    ended = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, cwd=folder)
    if ended.returncode != 0:
        sys.exit(f"{ended.stdout}\nbuild_pycuda.py {failure}, as said above")
    return ended.stdout


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
