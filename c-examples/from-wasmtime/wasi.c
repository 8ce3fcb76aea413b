/* A program for WASI: arguments, environment and output of the host's, and the status that it ends with. */
#include "port.h"

/* Writes its first argument behind its name, and ends with status 3. */
static const char TEXT[] =
    "(module (import \"wasi_snapshot_preview1\" \"args_get\" (func $args (param i32 i32) (result i32)))"
    "  (import \"wasi_snapshot_preview1\" \"fd_write\" (func $write (param i32 i32 i32 i32) (result i32)))"
    "  (import \"wasi_snapshot_preview1\" \"proc_exit\" (func $exit (param i32)))"
    "  (memory (export \"memory\") 1)"
    "  (func (export \"_start\")"
    "    (drop (call $args (i32.const 64) (i32.const 1024)))"
    "    (i32.store (i32.const 0) (i32.load (i32.const 68)))" /* where argument 1 is */
    "    (i32.store (i32.const 4) (i32.const 13))"
    "    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))"
    "    (call $exit (i32.const 3))))";

int main(void) {
    static const char *const args[] = {"program", "Hello, world\n"};
    wasm_engine_t *engine = wasm_engine_new();
    wasm_store_t *store = wasm_store_new(engine);
    wasm_module_t *module = compile(store, TEXT);
    stepwell_linker_t *linker = stepwell_linker_new(engine);
    stepwell_wasi_config_t *wasi = stepwell_wasi_config_new(); /* nothing of the host's, unless it is said */
    check(stepwell_wasi_config_args_set(wasi, COUNT(args), args), "giving arguments");
    stepwell_wasi_config_env_inherit(wasi);
    stepwell_wasi_config_stdout_inherit(wasi);
    stepwell_wasi_config_stderr_inherit(wasi);
    check(stepwell_linker_define_wasi(linker, store, wasi), "defining WASI");

    wasm_instance_t *instance = instantiate(linker, store, module);
    wasm_trap_t *trap = try_call(instance, "_start", NULL, 0, NULL, 0);
    int32_t status = 0;
    expect(trap && stepwell_trap_exit_status(trap, &status), "it ends by `proc_exit`");
    printf("status %d\n", (int)status);
    expect(status == 3, "that is what it ends with");

    wasm_trap_delete(trap);
    wasm_instance_delete(instance);
    stepwell_linker_delete(linker);
    wasm_module_delete(module);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
    return 0;
}
