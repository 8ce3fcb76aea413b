/*
 * What the examples share: reading a file, ending with a message, finding an export. Everything here is plain wasm.h and
 * stepwell.h.
 */
#ifndef STEPWELL_EXAMPLES_UTIL_H
#define STEPWELL_EXAMPLES_UTIL_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stepwell.h>

/* Prints a message and ends the program. */
static inline void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fflush(stdout);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(EXIT_FAILURE);
}

/* Ends the program if `error` is one. */
static inline void check(stepwell_error_t *error, const char *doing) {
    if (error) {
        wasm_name_t message;
        stepwell_error_message(error, &message);
        fail("%s: %s", doing, message.data);
    }
}

/* Ends the program with the reason for the last failed call of wasm.h. */
static inline void fail_last(const char *doing) {
    const stepwell_error_t *error = stepwell_last_error();
    wasm_name_t message;
    if (!error) {
        fail("%s failed", doing);
    }
    stepwell_error_message(error, &message);
    fail("%s: %s", doing, message.data);
}

/* A file's contents; the caller deletes them. */
static inline void read_file(const char *path, wasm_byte_vec_t *out) {
    FILE *file = fopen(path, "rb");
    if (!file) {
        fail("%s: cannot be opened", path);
    }
    size_t size = 0, capacity = 1 << 16;
    char *data = malloc(capacity);
    while (data) {
        size += fread(data + size, 1, capacity - size, file);
        if (size < capacity) {
            break;
        }
        char *more = realloc(data, capacity *= 2);
        if (!more) {
            free(data);
        }
        data = more;
    }
    if (!data || ferror(file)) {
        fail("%s: cannot be read", path);
    }
    fclose(file);
    wasm_byte_vec_new(out, size, data);
    free(data);
}

#endif
