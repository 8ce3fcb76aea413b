/* Memories: read and written from both sides, grown, and made by the host. */
#include "port.h"

static const char TEXT[] =
    "(module (memory (export \"memory\") 2 3) (data (i32.const 0x1000) \"\\01\\02\\03\\04\")"
    "  (func (export \"size\") (result i32) (memory.size))"
    "  (func (export \"load\") (param i32) (result i32) (i32.load8_s (local.get 0)))"
    "  (func (export \"store\") (param i32 i32) (i32.store8 (local.get 0) (local.get 1))))";

int main(void) {
    wasm_engine_t *engine = wasm_engine_new();
    wasm_store_t *store = wasm_store_new(engine);
    wasm_module_t *module = compile(store, TEXT);
    wasm_instance_t *instance = instantiate(NULL, store, module);
    wasm_extern_t *item = export_of(instance, "memory");
    wasm_memory_t *memory = wasm_extern_as_memory(item);

    expect(stepwell_memory_size(memory) == 2 && wasm_memory_data_size(memory) == 0x20000, "two pages");
    expect(wasm_memory_data(memory)[0x1001] == 2, "its data is there");
    expect(call_i32(instance, "load", 1, (int32_t[]){0x1003}) == 4, "the guest sees it");
    wasm_memory_data(memory)[0x1003] = 5;
    expect(call_i32(instance, "load", 1, (int32_t[]){0x1003}) == 5, "and what the host writes");
    wasm_val_t pair[] = {WASM_I32_VAL(0x1002), WASM_I32_VAL(6)};
    call(instance, "store", pair, 2, NULL, 0);
    expect(wasm_memory_data(memory)[0x1002] == 6, "and the host what the guest writes");

    /* Beyond its end is a trap, not the host's memory. */
    wasm_val_t beyond = WASM_I32_VAL(0x20000), result = WASM_INIT_VAL;
    wasm_trap_t *trap = try_call(instance, "load", &beyond, 1, &result, 1);
    expect(trap && stepwell_trap_code(trap) == STEPWELL_TRAP_MEMORY_OUT_OF_BOUNDS, "out of bounds");
    printf("reading at 0x20000: %s\n", stepwell_trap_message(trap));
    wasm_trap_delete(trap);

    /* It grows up to its maximum; an address that was got before may be another one then. */
    uint64_t before;
    check(stepwell_memory_grow(memory, 1, &before), "growing");
    expect(before == 2 && call_i32(instance, "size", 0, NULL) == 3, "three pages");
    expect(call_i32(instance, "load", 1, (int32_t[]){0x20000}) == 0, "what is new is zero");
    stepwell_error_t *error = stepwell_memory_grow(memory, 1, NULL);
    expect(error, "no fourth page");
    printf("growing further: %s\n", stepwell_error_message(error));
    stepwell_error_delete(error);

    /* One of the host's own. */
    wasm_limits_t limits = {5, 5};
    wasm_memorytype_t *type = wasm_memorytype_new(&limits);
    wasm_memory_t *own_memory = wasm_memory_new(store, type);
    expect(own_memory && stepwell_memory_size(own_memory) == 5, "five pages");

    wasm_memory_delete(own_memory);
    wasm_memorytype_delete(type);
    wasm_extern_delete(item);
    wasm_instance_delete(instance);
    wasm_module_delete(module);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
    return 0;
}
