#!/bin/sh
# Builds the guests of split DWARF from their sources, and writes what llvm-symbolizer says of them. LLVM names the version of the
# tools (Debian's clang-19, lld-19 and llvm-19 made the files that are checked in).
#
#   split4, split5          skeletons without functions, of DWARF 4 (GNU's extension) and 5, and their packages
#   inlining4, inlining5    skeletons with what is inlined: enough for functions and call sites without a package
#   least5                  -gmlt, split
#   twice5, kept5           a function that two units have, and functions that the linker leaves out; split, and whole
#   orders5.dwo             what split5's first unit is in, before it is put into the package
#
# The positions are those of the same code with all its DWARF in the module; the script checks that those of skeletons with what is
# inlined are the same.
set -eu
cd "$(dirname "$0")"
version=${LLVM:-19}
work=$(mktemp -d)
flags="--target=wasm32 -O2 -ffreestanding -fno-builtin -Wall -Wextra -ffile-prefix-map=$work=. -fdebug-compilation-dir=."
cp orders.h orders.c settle.cpp nothing.c first.cpp second.cpp "$work"
link() { # NAME SOURCES FLAGS...
    name=$1 sources=$2
    shift 2
    rm -f "$work"/*.o "$work"/*.dwo
    (
        cd "$work"
        for source in $sources; do
            "clang-$version" $flags "$@" -c "$source" -o "${source%.*}.o"
        done
        "wasm-ld-$version" --no-entry -z stack-size=65536 ./*.o -o "$name.wasm"
        if ls ./*.dwo >list 2>errors; then
            # It warns of relocations that a package has none of.
            "llvm-dwp-$version" ./*.dwo -o "$name.dwp" 2>warnings
        fi
    )
}
for dwarf in 4 5; do
    link "whole$dwarf" "orders.c settle.cpp nothing.c" "-gdwarf-$dwarf"
    link "split$dwarf" "orders.c settle.cpp nothing.c" "-gdwarf-$dwarf" -gsplit-dwarf
    cp "$work/orders.dwo" "$work/orders$dwarf.dwo.kept"
    # The driver leaves the flag out for Wasm.
    link "inlining$dwarf" "orders.c settle.cpp nothing.c" "-gdwarf-$dwarf" -gsplit-dwarf -Xclang -fsplit-dwarf-inlining
done
link least5 "orders.c settle.cpp nothing.c" -gdwarf-5 -gmlt -gsplit-dwarf
link twice5 "first.cpp second.cpp" -gdwarf-5 -O0 -gsplit-dwarf
link kept5 "first.cpp second.cpp" -gdwarf-5 -O0
link minimal5 "orders.c settle.cpp nothing.c" -gdwarf-5 -gmlt
for name in whole4 whole5 inlining4 inlining5 minimal5 kept5; do
    ../../../c-examples/guest/positions.py "llvm-symbolizer-$version" "$work/$name.wasm"
done
cmp "$work/whole4.positions" "$work/whole5.positions"
cmp "$work/whole5.positions" "$work/inlining4.positions"
cmp "$work/whole5.positions" "$work/inlining5.positions"
cp "$work/whole5.positions" split.positions
cp "$work/minimal5.positions" least5.positions
cp "$work/kept5.positions" twice5.positions
cp "$work"/split?.wasm "$work"/split?.dwp "$work"/inlining?.wasm "$work"/least5.wasm "$work"/least5.dwp "$work"/twice5.wasm "$work"/twice5.dwp "$work"/kept5.wasm .
cp "$work/orders5.dwo.kept" orders5.dwo
rm -r "$work"
