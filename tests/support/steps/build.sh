#!/bin/sh
# Builds steps.wasm from its sources, and has gdb step through a native program of the same sources. It needs Python with venv, and gdb.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ -z "${ZIG:-}" ]; then
    python3 -m venv "$work/venv"
    "$work/venv/bin/pip" install -q ziglang
    ZIG="$work/venv/bin/python -m ziglang"
fi
out=$PWD
cp steps.c plain.c "$work"
cd "$work"
flags="--target=wasm32-freestanding -O0 -nostdlib -fno-sanitize=all -ffile-prefix-map=$work=. -fdebug-compilation-dir=."
$ZIG cc $flags -g0 -c plain.c -o plain.o
exports="-Wl,--export=run -Wl,--export=dive -Wl,--export=work -Wl,--export=call_work -Wl,--export=spin"
$ZIG cc $flags -gdwarf-5 steps.c plain.o -Wl,--no-entry $exports -Wl,-z,stack-size=65536 -o "$out/steps.wasm"
# The lines at which gdb stops, from `run` to its end.
echo 'int run(int); int main(void) { return run(3) == 0; }' >main.c
$ZIG cc -O0 -g0 -fno-sanitize=all -c plain.c -o native_plain.o
$ZIG cc -O0 -g -fno-sanitize=all steps.c native_plain.o main.c -o native
cat >trace.py <<'END'
import gdb
for command in ("step", "next"):
    gdb.execute("break run")
    gdb.execute("run", to_string=True)
    places = []
    while gdb.selected_inferior().pid:
        frame = gdb.selected_frame()
        place = frame.find_sal()
        if not place.symtab or not place.symtab.filename.endswith("steps.c"):
            break
        places.append("%s:%d" % (frame.name(), place.line))
        gdb.execute(command, to_string=True)
    print("@" + " ".join([command] + places))
    gdb.execute("delete")
END
gdb -batch -ex "set confirm off" -x trace.py ./native 2>/dev/null </dev/null | sed -n 's/^@//p' >"$out/steps.gdb"
