#!/bin/sh
# Builds the guests of tests/debugger/dwarf.rs from their sources, and has gdb say what the variables of the same sources are in native
# programs. It needs Python with venv, rustc with the target wasm32-unknown-unknown, cc, c++ and gdb.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q ziglang
zig="$work/venv/bin/python -m ziglang"
link="$(rustc --print sysroot)/lib/rustlib/$(rustc -vV | sed -n 's/^host: //p')/bin/rust-lld -flavor wasm --no-entry"
cp shapes.* odd.cpp "$work"
out=$PWD
cd "$work"
for dwarf in 4 5; do
    for level in 0 2; do
        flags="--target=wasm32-freestanding -gdwarf-$dwarf -O$level -nostdlib -fno-sanitize=all -ffile-prefix-map=$work=."
        flags="$flags -fdebug-compilation-dir=. -Wl,--no-entry"
        $zig cc $flags shapes.c -o "$out/c${level}_$dwarf.wasm"
        $zig c++ $flags -fno-exceptions -fno-rtti -std=c++17 shapes.cpp -o "$out/cpp${level}_$dwarf.wasm"
        # Without the standard library's own debug information, which is large: what it would have is imported.
        rustc --edition 2024 --target wasm32-unknown-unknown -g -C "dwarf-version=$dwarf" -C "opt-level=$level" \
            -C panic=abort -C overflow-checks=off -C codegen-units=1 "--remap-path-prefix=$work=." \
            "--remap-path-prefix=$(rustc --print sysroot)=/rust" --emit=obj shapes.rs -o rs.o
        $link --export=run --allow-undefined rs.o -o "$out/rs${level}_$dwarf.wasm"
    done
done
$zig c++ --target=wasm32-freestanding -gdwarf-5 -O0 -nostdlib -fno-sanitize=all "-ffile-prefix-map=$work=." -fdebug-compilation-dir=. \
    -Wl,--no-entry -fno-exceptions -fno-rtti -std=c++17 odd.cpp -o "$out/odd.wasm"
# Zig maps no paths: it works in folders whose names say nothing.
mkdir /zig
cp shapes.zig /zig
cp -r "$("$work/venv/bin/python" -c 'import ziglang, os; print(os.path.dirname(ziglang.__file__))')/lib" /zig/lib
(
    cd /zig
    for mode in Debug ReleaseFast; do
        ZIG_LIB_DIR=/zig/lib ZIG_GLOBAL_CACHE_DIR=/zig/cache ZIG_LOCAL_CACHE_DIR=/zig/cache $zig build-obj shapes.zig \
            -target wasm32-freestanding -O $mode -fno-strip -fno-compiler-rt -fllvm -femit-bin=zig.o
        $link --export=run --allow-undefined zig.o -o "$out/zig_$mode.wasm"
    done
)
rm -r /zig
# gdb's word for each expression, of native programs of the same sources.
echo 'int run(int); int main(void) { return run(5) == 0; }' >main.c
cc -g -O0 shapes.c main.c -o native_c
echo 'extern "C" int run(int); int main() { return run(5) == 0; }' >main.cpp
c++ -g -O0 -std=c++17 -Wl,--allow-multiple-definition shapes.cpp main.cpp -o native_cpp
for program in c cpp; do
    {
        echo "set width 0"
        echo "set print address on"
        [ $program = c ] && printf 'break look_at\nrun\ncontinue\nup\n' || printf 'break measure\nrun\nup\n'
        while read -r expression; do
            printf 'echo @%s = \noutput %s\necho \\n\n' "$expression" "$expression"
        done <"$out/$program.expressions"
    } >commands
    gdb -batch -x commands ./native_$program 2>/dev/null </dev/null | sed -n 's/^@//p' >"$out/$program.gdb"
done
# And its lists of arguments and locals, where each of these functions is called from `run`, and in them. What is not set yet has no value.
for program in c cpp; do
    {
        printf 'set width 0\nset print address off\n'
        [ $program = c ] && stops='look_at look_at sum' || stops=measure
        for function in $stops; do printf 'break %s\n' $function; done | sort -u
        first=run
        for function in $stops; do
            printf '%s\n' $first
            printf 'echo @%s args\\n\ninfo args\n' $function
            printf 'up\necho @run args\\n\ninfo args\necho @run locals\\n\ninfo locals\n'
            first=continue
        done
    } >commands
    gdb -batch -x commands ./native_$program 2>/dev/null </dev/null | grep -E '^@|^[a-z]+ = ' |
        sed 's/^measured = .*/measured = /' >"$out/$program.lists"
done
