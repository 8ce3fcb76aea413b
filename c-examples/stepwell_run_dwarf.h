/* What stepwell-run does to find a module's split DWARF. */
#ifndef STEPWELL_EXAMPLES_RUN_DWARF_H
#define STEPWELL_EXAMPLES_RUN_DWARF_H

#include "stepwell_run_print.h"
#include "util.h"

/* Says what is wrong with a file. */
static inline void complain(const char *path, const char *what) {
    fputs("stepwell-run: ", stderr);
    print_text(path);
    fputs(": ", stderr);
    print_lines(what);
    fputc('\n', stderr);
}

/* Gives the module a file of split DWARF, and complains if it is another module's. False, with `errno`, if it cannot be read; an error,
 * for the caller, if it is no such file. */
static inline bool give_dwarf(wasm_module_t *module, const char *path, stepwell_error_t **error) {
    FILE *file = fopen(path, "rb");
    wasm_byte_vec_t bytes;
    if (!file) {
        return false;
    }
    bool read = read_stream(file, &bytes);
    int reason = errno;
    fclose(file);
    errno = reason;
    if (!read) {
        return false;
    }
    size_t missing = stepwell_module_split_dwarf_missing(module);
    *error = stepwell_module_split_dwarf_add(module, &bytes);
    wasm_byte_vec_delete(&bytes);
    if (!*error && stepwell_module_split_dwarf_missing(module) == missing) {
        complain(path, "it has nothing of this module's DWARF, and is not used");
    }
    return true;
}

/* Gives the module the package beside it: MODULE.dwp, or for MODULE.wasm also the one of the same name. That it is no package is said,
 * and no reason not to run. */
static inline void give_dwarf_beside(wasm_module_t *module, const char *path) {
    size_t length = strlen(path);
    const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash + 1 : path, '.');
    char *beside = malloc(length + sizeof ".dwp");
    stepwell_error_t *error = NULL;
    if (!beside) {
        return;
    }
    memcpy(beside, path, length);
    memcpy(beside + length, ".dwp", sizeof ".dwp");
    bool found = give_dwarf(module, beside, &error);
    if (!found && dot && strcmp(dot, ".dwp")) {
        memcpy(beside + (dot - path), ".dwp", sizeof ".dwp");
        found = give_dwarf(module, beside, &error);
    }
    if (found && error) {
        wasm_message_t message;
        stepwell_error_message(error, &message);
        complain(beside, message.data);
        wasm_byte_vec_delete(&message);
        stepwell_error_delete(error);
    }
    free(beside);
}

#endif
