/* Two modules: one uses the other's function and memory, and both use WASI. */
#include "port.h"

static const char LIBRARY[] =
    "(module (import \"wasi_snapshot_preview1\" \"fd_write\" (func $write (param i32 i32 i32 i32) (result i32)))"
    "  (memory (export \"memory\") 1)"
    "  (func (export \"double\") (param i32) (result i32) (i32.shl (local.get 0) (i32.const 1)))"
    "  (func (export \"log\") (param $at i32) (param $size i32)"
    "    (i32.store (i32.const 0) (local.get $at)) (i32.store (i32.const 4) (local.get $size))"
    "    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))";

static const char PROGRAM[] =
    "(module (import \"library\" \"double\" (func $double (param i32) (result i32)))"
    "  (import \"library\" \"log\" (func $log (param i32 i32)))"
    "  (import \"library\" \"memory\" (memory 1))"
    "  (data (i32.const 1024) \"Hello from a guest\\n\")"
    "  (func (export \"run\") (result i32) (call $log (i32.const 1024) (i32.const 19)) (call $double (i32.const 21))))";

int main(void) {
    wasm_engine_t *engine = wasm_engine_new();
    wasm_store_t *store = wasm_store_new(engine);
    stepwell_linker_t *linker = stepwell_linker_new(engine);
    stepwell_wasi_config_t *wasi = stepwell_wasi_config_new();
    stepwell_wasi_buffer_t *output = stepwell_wasi_buffer_new(4096); /* or stepwell_wasi_config_stdout_inherit */
    check(stepwell_wasi_config_stdout_buffer_set(wasi, output), "taking the output");
    check(stepwell_linker_define_wasi(linker, store, wasi), "defining WASI");

    /* What the library exports is found by what comes after it. */
    wasm_module_t *library = compile(store, LIBRARY), *program = compile(store, PROGRAM);
    wasm_instance_t *first = instantiate(linker, store, library);
    check(stepwell_linker_define_instance(linker, "library", first), "defining the library");
    wasm_instance_t *second = instantiate(linker, store, program);
    expect(call_i32(second, "run", 0, NULL) == 42, "twice 21 is 42");
    expect(stepwell_wasi_buffer_size(output) == 19, "the guest has said something");
    printf("the guest has written %zu bytes\n", stepwell_wasi_buffer_size(output));

    wasm_instance_delete(first);
    wasm_instance_delete(second);
    wasm_module_delete(library);
    wasm_module_delete(program);
    stepwell_wasi_buffer_delete(output);
    stepwell_linker_delete(linker);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
    return 0;
}
