/* A host that debuggers come to: LLDB, from another terminal, or with --dap an editor.

   usage: serve [--dap] [--wait] [--listen [ADDR:]PORT | --unix PATH] [--file] MODULE.wasm EXPORT [ARGUMENT...] [, MODULE.wasm EXPORT ...]

   Each export is called with its arguments, which are of the type i32, one after the other: all in one store. What the modules import
   does nothing. With --wait the first call waits for a debugger; with --file it is told where the modules' files are. */
#include "util.h"
#include <limits.h>

static void stop_here(wasm_trap_t *trap, stepwell_server_t *server) {
    printf("trap: %s\n", stepwell_trap_message(trap));
    stepwell_server_trapped(server, stepwell_trap_message(trap));
    wasm_trap_delete(trap);
}

int main(int argc, char **argv) {
    stepwell_serve_options_t *options = stepwell_serve_options_new();
    bool tell_files = false;
    int at = 1;
    for (; at < argc && argv[at][0] == '-'; at++) {
        if (!strcmp(argv[at], "--wait")) {
            stepwell_serve_options_wait_set(options, true);
        } else if (!strcmp(argv[at], "--dap")) {
            check(stepwell_serve_options_protocol_set(options, STEPWELL_PROTOCOL_DAP), "--dap");
        } else if (!strcmp(argv[at], "--file")) {
            tell_files = true;
        } else if (!strcmp(argv[at], "--listen") && at + 1 < argc) {
            check(stepwell_serve_options_tcp_set(options, argv[++at]), "--listen");
        } else if (!strcmp(argv[at], "--unix") && at + 1 < argc) {
            check(stepwell_serve_options_unix_set(options, argv[++at]), "--unix");
        } else {
            break;
        }
    }
    if (argc - at < 2) {
        fail("usage: serve [--dap] [--wait] [--listen [ADDR:]PORT | --unix PATH] [--file] MODULE.wasm EXPORT [ARGUMENT...]");
    }

    wasm_config_t *config = wasm_config_new();
    stepwell_config_debug_set(config, true);
    wasm_engine_t *engine = wasm_engine_new_with_config(config);
    wasm_store_t *store = wasm_store_new(engine);
    stepwell_linker_t *linker = stepwell_linker_new(engine);

    /* From here on debuggers may come: whatever the store does, they do with it what they like. */
    stepwell_server_t *server;
    check(stepwell_debugger_serve(store, options, &server), "serving");
    stepwell_serve_options_delete(options);
    printf("debuggers come to %s\n", stepwell_server_address(server));
    fflush(stdout);

    bool trapped = false;
    while (at < argc && !trapped) {
        const char *path = argv[at++];
        wasm_byte_vec_t binary;
        wasm_module_t *module;
        wasm_instance_t *instance = NULL;
        wasm_trap_t *trap = NULL;
        read_file(path, &binary);
        check(stepwell_module_new(store, &binary, &module), path);
        wasm_byte_vec_delete(&binary);
        if (tell_files) {
            char whole[PATH_MAX];
            if (!realpath(path, whole)) fail("%s: %s", path, strerror(errno));
            check(stepwell_server_module_file_set(server, module, whole), path);
        }
        check(stepwell_linker_fill_missing_with_defaults(linker, store, module), path);
        check(stepwell_linker_instantiate(linker, store, module, &instance, &trap), path);
        wasm_extern_t *item = !trap && at < argc ? stepwell_instance_export(instance, argv[at]) : NULL;
        wasm_func_t *func = item ? wasm_extern_as_func(item) : NULL;
        if (!trap && !func) fail("%s exports no function %s", path, at < argc ? argv[at] : "");
        if (!trap) {
            const char *name = argv[at++];
            wasm_val_t args[16], result = WASM_INIT_VAL;
            wasm_val_vec_t given = {0, args}, results = {wasm_func_result_arity(func), &result};
            for (; at < argc && strcmp(argv[at], ",") != 0; at++) {
                if (given.size < 16) args[given.size++] = (wasm_val_t)WASM_I32_VAL(atoi(argv[at]));
            }
            at++;
            if (results.size > 1) fail("%s has more than one result", name);
            trap = wasm_func_call(func, &given, &results);
            if (!trap && results.size) printf("%s: %d\n", name, (int)result.of.i32);
        }
        fflush(stdout);
        trapped = trap != NULL;
        if (trap) stop_here(trap, server);
        wasm_extern_delete(item);
        wasm_instance_delete(instance);
        wasm_module_delete(module);
    }
    if (!trapped) stepwell_server_exited(server, 0);
    stepwell_server_delete(server);
    stepwell_linker_delete(linker);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
    return trapped;
}
