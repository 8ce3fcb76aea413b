//! Tests of the compiler's output; running it is the runtime's test.

use super::*;
use crate::wasm::ValType;

/// Options for guard pages and signals.
pub(super) const GUARDED: Options = Options {
    signals: true,
    memory_reservation: 4 << 30,
    memory_guard: 2 << 30,
    nan_canonicalization: false,
    optimize: true,
    parallel: true,
};

#[test]
fn trampolines_of_any_signature() {
    let compiler = Compiler::new(GUARDED).unwrap();
    let all = [ValType::I32, ValType::I64, ValType::F32, ValType::F64, ValType::FuncRef, ValType::ExternRef];
    for (params, results) in [(0, 0), (1, 0), (0, 1), (6, 6), (40, 3), (3, 40), (1000, 1000)] {
        let ty = FuncType::new(all.iter().cycle().take(params).copied(), all.iter().cycle().take(results).copied());
        for code in [compiler.host_to_wasm(&ty).unwrap(), compiler.wasm_to_host(&ty).unwrap()] {
            assert_eq!(code[..4], [0x55, 0x48, 0x89, 0xe5], "push rbp; mov rbp, rsp");
        }
    }
}
