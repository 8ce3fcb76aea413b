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

/* The same for a file that nobody has asked for: whatever is wrong with it is said, and no reason not to run. */
static inline bool give_dwarf_if_there(wasm_module_t *module, const char *path) {
    stepwell_error_t *error = NULL;
    if (!give_dwarf(module, path, &error)) {
        return false;
    }
    if (error) {
        complain(path, stepwell_error_message(error));
        stepwell_error_delete(error);
    }
    return true;
}

/* `folder` (its first `length` characters) and `name`, for the caller to free. */
static inline char *path_of(const char *folder, size_t length, const char *name) {
    char *path = malloc(length + strlen(name) + 1);
    if (path) {
        memcpy(path, folder, length);
        strcpy(path + length, name);
    }
    return path;
}

/* Gives the module a .dwo file, by the name that the module says. It may say any: what is opened is below the module's folder, and called
 * .dwo. */
static inline void give_dwo(wasm_module_t *module, const char *folder, size_t length, const char *name) {
    const char *last = strrchr(name, '/');
    size_t size = strlen(name);
    if (size < 5 || strcmp(name + size - 4, ".dwo")) {
        return;
    }
    bool outside = name[0] == '/' || strstr(name, "..");
    char *path = path_of(folder, length, outside && last ? last + 1 : name);
    char *flat = last && !outside ? path_of(folder, length, last + 1) : NULL;
    if (path && !give_dwarf_if_there(module, path) && flat) {
        give_dwarf_if_there(module, flat);
    }
    free(path);
    free(flat);
}

/* Gives the module what is beside it, if it is split: a package, MODULE.dwp, or for MODULE.wasm also the one of the same name; and
 * the .dwo files of units that are in none. */
static inline void give_dwarf_beside(wasm_module_t *module, const char *path) {
    if (!stepwell_module_split_dwarf_missing(module)) {
        return;
    }
    const char *slash = strrchr(path, '/'), *file = slash ? slash + 1 : path, *dot = strrchr(file, '.');
    char *package = path_of(path, strlen(path), ".dwp");
    if (package && !give_dwarf_if_there(module, package) && dot && dot > file && strcmp(dot, ".dwp")) {
        free(package);
        package = path_of(path, (size_t)(dot - path), ".dwp");
        if (package) {
            give_dwarf_if_there(module, package);
        }
    }
    free(package);
    const char *name, *before = "";
    for (size_t i = 0; (name = stepwell_module_split_dwarf_missing_name(module, i, NULL));) {
        size_t missing = stepwell_module_split_dwarf_missing(module);
        if (strcmp(name, before)) { /* several units may be in one file */
            give_dwo(module, path, (size_t)(file - path), name);
        }
        before = name;
        i += stepwell_module_split_dwarf_missing(module) == missing; /* else another one has this number now */
    }
}

#endif
