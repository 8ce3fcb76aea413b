/* Something of the host's in a guest: in a table, in a global, and through a function; and when it is given back. */
#include "port.h"

static const char TEXT[] =
    "(module (table (export \"table\") 10 externref) (global (export \"global\") (mut externref) (ref.null extern))"
    "  (func (export \"same\") (param externref) (result externref) (local.get 0)))";

static int given_back;

static void finalize(void *info) {
    free(info);
    given_back++;
}

int main(void) {
    wasm_engine_t *engine = wasm_engine_new();
    wasm_store_t *store = wasm_store_new(engine);
    wasm_module_t *module = compile(store, TEXT);
    wasm_instance_t *instance = instantiate(NULL, store, module);

    char *text = malloc(16);
    if (!text) {
        fail("there is no memory");
    }
    strcpy(text, "Hello, host");
    wasm_foreign_t *object = wasm_foreign_new(store);
    wasm_foreign_set_host_info_with_finalizer(object, text, finalize);
    wasm_ref_t *ref = wasm_foreign_as_ref(object);

    wasm_extern_t *table = export_of(instance, "table"), *global = export_of(instance, "global");
    expect(wasm_table_set(wasm_extern_as_table(table), 3, ref), "a table takes it");
    wasm_val_t value = WASM_REF_VAL(ref), result = WASM_INIT_VAL;
    wasm_global_set(wasm_extern_as_global(global), &value);

    wasm_ref_t *element = wasm_table_get(wasm_extern_as_table(table), 3);
    expect(wasm_ref_same(element, ref), "it is the same");
    wasm_ref_delete(element);
    call(instance, "same", &value, 1, &result, 1);
    const char *seen = wasm_foreign_get_host_info(wasm_ref_as_foreign(result.of.ref));
    puts(seen);
    expect(seen == text, "it has gone through the guest");
    wasm_val_delete(&result);

    /* It is kept as long as the guest or the host has it. */
    wasm_foreign_delete(object);
    check(stepwell_store_collect(store), "collecting");
    expect(given_back == 0, "the guest has it");
    wasm_val_t null = WASM_INIT_VAL;
    wasm_global_set(wasm_extern_as_global(global), &null);
    expect(wasm_table_set(wasm_extern_as_table(table), 3, NULL), "a table takes null");
    check(stepwell_store_collect(store), "collecting");
    expect(given_back == 1, "nobody has it");

    wasm_extern_delete(table);
    wasm_extern_delete(global);
    wasm_instance_delete(instance);
    wasm_module_delete(module);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
    return 0;
}
