"""Builds the package (PEP 517 and 660): a wheel with libstepwell inside, which cargo builds, and an sdist with the Rust sources.

It needs nothing but Python's own library, cargo, and the C compiler that Rust links with. The environment may say more:

- `CARGO_TARGET_DIR`: where cargo builds; else `target` beside the Rust sources.
- `STEPWELL_CARGO_SELECTION`: what cargo builds, separated by `;`. Who builds more than the library in the same folder selects the
  same here, so that nothing is compiled twice for other features.
- `STEPWELL_BUILD_LIBRARY`: a libstepwell.so that is built already, to be packed instead of building one.
"""
import base64
import hashlib
import io
import os
import re
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
# In an sdist the Rust sources are below, in the repository above.
RUST = HERE / "rust" if (HERE / "rust" / "Cargo.toml").exists() else HERE.parent
RUST_SOURCES = ("Cargo.toml", "Cargo.lock", "LICENSE", "build.rs", "include", "src", "xtask")
OWN_SOURCES = ("README.md", "backend", "examples", "generate_bindings.py", "pyproject.toml", "stepwell")
LIBRARY = "libstepwell.so.0"  # its SONAME
EPOCH = (1980, 1, 1, 0, 0, 0)  # of every file: the same sources make the same archive


class BuildError(SystemExit):
    """Why there is no wheel; shown without a traceback."""

    def __init__(self, text):
        super().__init__(f"stepwell: {text}")


def version():
    """The version: that of the Rust package."""
    return re.search(r'^version = "([0-9.]+)"$', (RUST / "Cargo.toml").read_text(), re.M)[1]


def metadata():
    """What METADATA and PKG-INFO say."""
    return "\n".join([
        "Metadata-Version: 2.1",
        "Name: stepwell",
        f"Version: {version()}",
        "Summary: A WebAssembly engine that can be stopped anywhere",
        "License: Apache-2.0 WITH LLVM-exception",
        "Classifier: Operating System :: POSIX :: Linux",
        "Classifier: Programming Language :: Python :: 3",
        "Classifier: Programming Language :: Python :: Implementation :: CPython",
        "Classifier: Topic :: Software Development :: Debuggers",
        "Classifier: Typing :: Typed",
        "Requires-Python: >=3.9",
        "Description-Content-Type: text/markdown",
        "",
        (HERE / "README.md").read_text(),
    ])


# The library

def build_library():
    """Builds libstepwell; the path to it."""
    given = os.environ.get("STEPWELL_BUILD_LIBRARY")
    if given:
        if not Path(given).is_file():
            raise BuildError(f"STEPWELL_BUILD_LIBRARY is {given}, which is no file")
        return Path(given).resolve()
    if not sys.platform.startswith("linux") or os.uname().machine != "x86_64":
        raise BuildError(f"x86-64 Linux only; this is {os.uname().machine} {sys.platform}")
    home = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))
    cargo = shutil.which("cargo") or shutil.which("cargo", path=str(home / "bin"))
    if cargo is None:
        raise BuildError("cargo was not found: building from source needs a Rust toolchain, see https://rustup.rs")
    target = Path(os.environ.get("CARGO_TARGET_DIR", RUST / "target")).resolve()
    selection = os.environ.get("STEPWELL_CARGO_SELECTION", "--package;stepwell;--lib").split(";")
    command = [cargo, "build", "--release", "--locked", *selection, "--target-dir", str(target)]
    print("stepwell:", " ".join(command), flush=True)
    if subprocess.run(command, cwd=RUST).returncode:
        raise BuildError("cargo could not build libstepwell; what it says is above")
    return target / "release" / "libstepwell.so"


def stripped(library, folder):
    """A copy of the library without its debug information, by the linker's companion `strip` where there is one."""
    copy = Path(folder) / LIBRARY
    shutil.copyfile(library, copy)
    strip = shutil.which("strip")
    if strip is None or subprocess.run([strip, "--strip-unneeded", str(copy)]).returncode:
        print("stepwell: the library is packed with its debug information: there is no working `strip`", flush=True)
    return copy.read_bytes()


def glibc_needed(elf):
    """The newest version of glibc's symbols that a 64-bit ELF file needs, as (major, minor)."""
    section_at, = struct.unpack_from("<Q", elf, 40)
    size, count = struct.unpack_from("<HH", elf, 58)
    sections = [struct.unpack_from("<IIQQQQIIQQ", elf, section_at + i * size) for i in range(count)]
    newest = (2, 0)
    for _, kind, _, _, at, _, link, entries, _, _ in sections:
        if kind != 0x6FFFFFFE:  # SHT_GNU_verneed
            continue
        names = sections[link][4]
        for _ in range(entries):
            _, aux_count, _, aux, following = struct.unpack_from("<HHIII", elf, at)
            aux += at
            for _ in range(aux_count):
                _, _, _, name, next_aux = struct.unpack_from("<IHHII", elf, aux)
                name = elf[names + name:elf.index(b"\0", names + name)]
                found = re.fullmatch(rb"GLIBC_(\d+)\.(\d+)(?:\.\d+)?", name)
                if found:
                    newest = max(newest, (int(found[1]), int(found[2])))
                aux += next_aux
            at += following
    return newest


# Archives

def package_files(folder):
    """The files below a folder that belong to the sources, sorted."""
    for path in sorted(Path(folder).rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_file() and "__pycache__" not in parts and "target" not in parts and path.suffix not in (".pyc", ".so"):
            yield path


def write_wheel(path, tag, files):
    """A wheel of `files`, {name: bytes}, with its METADATA, WHEEL and RECORD."""
    info = f"stepwell-{version()}.dist-info"
    pure = "true" if tag.endswith("-any") else "false"
    files = dict(files)
    files[f"{info}/licenses/LICENSE"] = (RUST / "LICENSE").read_bytes()
    files[f"{info}/METADATA"] = metadata().encode()
    files[f"{info}/WHEEL"] = (
        f"Wheel-Version: 1.0\nGenerator: stepwell_build\nRoot-Is-Purelib: {pure}\nTag: {tag}\n".encode())
    record = ""
    for name, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        record += f"{name},sha256={digest},{len(data)}\n"
    files[f"{info}/RECORD"] = (record + f"{info}/RECORD,,\n").encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o100755 if name.endswith(LIBRARY) else 0o100644) << 16
            wheel.writestr(entry, data)


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    """PEP 517: the metadata alone, without building anything."""
    info = Path(metadata_directory) / f"stepwell-{version()}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(metadata())
    return info.name


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    """PEP 517: the package with the library, for every Python and every Linux whose glibc is new enough."""
    library = build_library()
    files = {f"stepwell/{path.relative_to(HERE / 'stepwell')}": path.read_bytes() for path in package_files(HERE / "stepwell")}
    with tempfile.TemporaryDirectory() as folder:
        data = files[f"stepwell/{LIBRARY}"] = stripped(library, folder)
    tag = "py3-none-manylinux_{}_{}_x86_64".format(*glibc_needed(data))
    name = f"stepwell-{version()}-{tag}.whl"
    write_wheel(Path(wheel_directory) / name, tag, files)
    return name


prepare_metadata_for_build_editable = prepare_metadata_for_build_wheel


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    """PEP 660: a wheel that points here. The library is found where cargo builds it."""
    library = build_library()
    # In the repository the package finds what cargo built by itself, unless that went elsewhere.
    where = "" if library == RUST / "target" / "release" / "libstepwell.so" else (
        f"import os; os.environ.setdefault('STEPWELL_LIBRARY', {str(library)!r})\n")
    name = f"stepwell-{version()}-py3-none-any.whl"
    write_wheel(Path(wheel_directory) / name, "py3-none-any", {"stepwell.pth": f"{HERE}\n{where}".encode()})
    return name


def build_sdist(sdist_directory, config_settings=None):
    """PEP 517: the package, and the Rust sources below `rust/`."""
    root = f"stepwell-{version()}"
    name = f"{root}.tar.gz"
    with tarfile.open(Path(sdist_directory) / name, "w:gz", format=tarfile.PAX_FORMAT) as archive:
        def add(inside, data):
            entry = tarfile.TarInfo(f"{root}/{inside}")
            entry.size = len(data)
            entry.mode = 0o644
            archive.addfile(entry, io.BytesIO(data))

        add("PKG-INFO", metadata().encode())
        for base, prefix, names in ((HERE, "", OWN_SOURCES), (RUST, "rust/", RUST_SOURCES)):
            for source in names:
                source = base / source
                for path in [source] if source.is_file() else package_files(source):
                    add(prefix + path.relative_to(base).as_posix(), path.read_bytes())
    return name
