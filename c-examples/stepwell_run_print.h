/*
 * How stepwell-run shows values, places in the source, and frames. What is about the guest's state goes to standard error.
 */
#ifndef STEPWELL_EXAMPLES_RUN_PRINT_H
#define STEPWELL_EXAMPLES_RUN_PRINT_H

#include "util.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stepwell.h>

enum { MOST_FRAMES = 32 };

/* A float in as few digits as tell it from all others of its type. */
static void print_float(FILE *to, double value, bool narrow) {
    char text[64];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        double back = narrow ? (double)strtof(text, NULL) : strtod(text, NULL);
        if (back == value) {
            break;
        }
    }
    fputs(text, to);
}

static void print_value(FILE *to, const wasm_val_t *value) {
    switch (value->kind) {
    case WASM_I32:
        fprintf(to, "%" PRId32, value->of.i32);
        break;
    case WASM_I64:
        fprintf(to, "%" PRId64, value->of.i64);
        break;
    case WASM_F32:
        print_float(to, (double)value->of.f32, true);
        break;
    case WASM_F64:
        print_float(to, value->of.f64, false);
        break;
    case STEPWELL_VALKIND_V128:
        fputs("0x", to);
        print_v128(to, value);
        break;
    case WASM_FUNCREF:
        fputs(value->of.ref ? "funcref" : "null", to);
        break;
    default:
        fputs(value->of.ref ? "externref" : "null", to);
    }
}

static const char *type_name(const wasm_valtype_t *type) {
    switch (wasm_valtype_kind(type)) {
    case WASM_I32:
        return "i32";
    case WASM_I64:
        return "i64";
    case WASM_F32:
        return "f32";
    case WASM_F64:
        return "f64";
    case STEPWELL_VALKIND_V128:
        return "v128";
    case WASM_FUNCREF:
        return "funcref";
    default:
        return "externref";
    }
}

/* A name of a module's, so that it does nothing to the terminal; a mangled one as the source has it. */
static void print_name(const char *name, size_t size) {
    char some[256], *shown = some;
    size_t length = stepwell_name_to_show(name, size, some, sizeof some);
    if (length >= sizeof some && (shown = malloc(length + 1))) {
        stepwell_name_to_show(name, size, shown, length + 1);
    }
    fputs(shown ? shown : some, stderr);
    if (shown != some) {
        free(shown);
    }
}

static void print_text(const char *text) {
    print_name(text, strlen(text));
}

/* A message, whose lines stay lines. */
static void print_lines(const char *text) {
    for (const char *end; (end = strchr(text, '\n')); text = end + 1) {
        print_name(text, (size_t)(end - text));
        fputc('\n', stderr);
    }
    print_text(text);
}

static void print_func_name(const stepwell_frame_t *frame) {
    size_t size;
    const char *name = stepwell_frame_func_name(frame, &size);
    if (name) {
        print_name(name, size);
    } else {
        fprintf(stderr, "#%" PRIu32, stepwell_frame_func_index(frame));
    }
}

/* `FILE:LINE:COLUMN`, without what is not known. */
static void print_place(const stepwell_source_t *source) {
    print_text(source->file ? source->file : "<unknown file>");
    if (source->line) {
        fprintf(stderr, ":%" PRIu32, source->line);
    }
    if (source->column) {
        fprintf(stderr, ":%" PRIu32, source->column);
    }
}

/* The frame's first `count` locals, by their names where they have some; else, if `numbered`, by their numbers. */
static void print_locals(const stepwell_frame_t *frame, size_t count, const char *between, bool numbered) {
    wasm_val_vec_t locals = values_of(frame, stepwell_frame_locals);
    for (size_t i = 0; i < locals.size && i < count; i++) {
        size_t size;
        const char *name = stepwell_frame_local_name(frame, i, &size);
        fputs(i ? between : "", stderr);
        if (name) {
            print_name(name, size);
            fputc('=', stderr);
        } else if (numbered) {
            fprintf(stderr, "%zu=", i);
        }
        print_value(stderr, &locals.data[i]);
    }
    wasm_val_vec_delete(&locals);
}

static void print_operands(const stepwell_frame_t *frame) {
    wasm_val_vec_t operands = values_of(frame, stepwell_frame_operands);
    for (size_t i = 0; i < operands.size; i++) {
        fputs(i ? " " : "", stderr);
        print_value(stderr, &operands.data[i]);
    }
    wasm_val_vec_delete(&operands);
}

/* The frames of a stop, with their values. */
static void print_frames(const stepwell_stop_t *stop) {
    size_t count = stepwell_stop_frame_count(stop);
    for (size_t level = 0; level < count && level < MOST_FRAMES; level++) {
        const stepwell_frame_t *frame = stepwell_stop_frame(stop, level);
        stepwell_source_t source;
        fprintf(stderr, "  #%zu ", level);
        print_func_name(frame);
        fprintf(stderr, ", offset %#zx\n", stepwell_frame_offset(frame));
        size_t places = stepwell_frame_source_count(frame);
        for (size_t i = 0; i < places && stepwell_frame_source(frame, i, &source); i++) {
            if (i + 1 < places && source.function) {
                fputs("      in ", stderr);
                print_text(source.function);
                fputs(" at ", stderr);
                print_place(&source);
                fputs(", inlined\n", stderr);
            } else {
                fputs("      at ", stderr);
                print_place(&source);
                fputc('\n', stderr);
            }
        }
        if (stepwell_frame_local_count(frame)) {
            fputs("      locals: ", stderr);
            print_locals(frame, SIZE_MAX, " ", true);
            fputc('\n', stderr);
        }
        if (stepwell_frame_operand_count(frame)) {
            fputs("      operands: ", stderr);
            print_operands(frame);
            fputc('\n', stderr);
        }
    }
    if (count > MOST_FRAMES) {
        fprintf(stderr, "  ... and %zu more\n", count - MOST_FRAMES);
    }
}

#endif
