/*
 * What the examples share: reading files and values, ending with a message. Everything here is plain wasm.h and stepwell.h.
 */
#ifndef STEPWELL_EXAMPLES_UTIL_H
#define STEPWELL_EXAMPLES_UTIL_H

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
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
        fail("%s: %s", doing, stepwell_error_message(error));
    }
}

/* Ends the program with the reason for the last failed call of wasm.h. */
static inline void fail_last(const char *doing) {
    const stepwell_error_t *error = stepwell_last_error();
    if (!error) {
        fail("%s failed", doing);
    }
    fail("%s: %s", doing, stepwell_error_message(error));
}

/* The values that `read` gives, which is stepwell_frame_locals or stepwell_frame_operands; the caller deletes them. */
static inline wasm_val_vec_t values_of(const stepwell_frame_t *frame,
                                       size_t (*read)(const stepwell_frame_t *, wasm_val_t *, size_t)) {
    wasm_val_vec_t values;
    wasm_val_vec_new_uninitialized(&values, read(frame, NULL, 0));
    read(frame, values.data, values.size);
    return values;
}

/* All that a stream still has; the caller deletes it. False, with `errno`, if it cannot be read. */
static inline bool read_stream(FILE *file, wasm_byte_vec_t *out) {
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
        free(data);
        return false;
    }
    wasm_byte_vec_new(out, size, data);
    free(data);
    return true;
}

/* A file's contents; the caller deletes them. */
static inline void read_file(const char *path, wasm_byte_vec_t *out) {
    FILE *file = fopen(path, "rb");
    if (!file) {
        fail("%s: cannot be opened: %s", path, strerror(errno));
    }
    if (!read_stream(file, out)) {
        fail("%s: cannot be read: %s", path, strerror(errno));
    }
    fclose(file);
}

/* The bits of an integer of `width` bits, signed or unsigned, in decimal or 0x hexadecimal; false if `text` is none. */
static inline bool parse_integer(const char *text, int width, uint64_t *out) {
    bool negative = text[0] == '-';
    const char *digits = text + (negative || text[0] == '+');
    bool hexadecimal = digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X');
    char *end;
    errno = 0;
    unsigned long long magnitude = strtoull(digits, &end, hexadecimal ? 16 : 10);
    unsigned long long most = negative ? 1ull << (width - 1) : width == 64 ? UINT64_MAX : (1ull << width) - 1;
    if (errno || *end || end == digits || !strchr("0123456789", *digits) || magnitude > most) {
        return false;
    }
    *out = negative ? 0 - magnitude : magnitude;
    return true;
}

/* Prints a v128 as one number in hexadecimal, lane 0 last. */
static inline void print_v128(FILE *to, const wasm_val_t *value) {
    const uint8_t *bytes = stepwell_val_v128(value);
    for (int i = 15; i >= 0; i--) {
        fprintf(to, "%02x", bytes[i]);
    }
}

/* The bytes of a number of 128 bits, in decimal or 0x hexadecimal, the lowest first; false if `text` is none. */
static inline bool parse_v128(const char *text, uint8_t out[16]) {
    bool hexadecimal = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    const char *digits = hexadecimal ? text + 2 : text;
    memset(out, 0, 16);
    for (const char *next = digits; *next; next++) {
        char digit[2] = {*next, 0};
        if (!strchr(hexadecimal ? "0123456789abcdefABCDEF" : "0123456789", digit[0])) {
            return false;
        }
        unsigned carry = (unsigned)strtoul(digit, NULL, 16);
        for (int i = 0; i < 16; i++) {
            carry += out[i] * (hexadecimal ? 16u : 10u);
            out[i] = (uint8_t)carry;
            carry >>= 8;
        }
        if (carry) {
            return false;
        }
    }
    return *digits;
}

/*
 * A value of a type: integers as above, floats also `nan`, `inf` and hexadecimal, vectors as one number, references
 * `null`; false if `text` is none. The caller deletes it.
 */
static inline bool parse_value(const char *text, wasm_valkind_t kind, wasm_val_t *out) {
    char *end = NULL;
    uint64_t bits;
    uint8_t lanes[16];
    memset(out, 0, sizeof *out);
    out->kind = kind;
    errno = 0;
    switch (kind) {
    case WASM_I32:
        if (!parse_integer(text, 32, &bits)) {
            return false;
        }
        out->of.i32 = (int32_t)(uint32_t)bits;
        return true;
    case WASM_I64:
        if (!parse_integer(text, 64, &bits)) {
            return false;
        }
        out->of.i64 = (int64_t)bits;
        return true;
    case WASM_F32:
        out->of.f32 = strtof(text, &end);
        return end != text && !*end && !(errno && isinf(out->of.f32));
    case WASM_F64:
        out->of.f64 = strtod(text, &end);
        return end != text && !*end && !(errno && isinf(out->of.f64));
    case STEPWELL_VALKIND_V128:
        if (!parse_v128(text, lanes)) {
            return false;
        }
        stepwell_val_new_v128(lanes, out);
        return true;
    default:
        return !strcmp(text, "null");
    }
}

#endif
