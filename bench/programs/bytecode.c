/* A stack machine: a switch in a loop, running a Collatz search that it finds in its own byte code. */
#include "support.h"

enum { PUSH, LOAD, STORE, ADD, MUL, HALF, ODD, LESS, JUMP, JUMP_UNLESS, TALLY, HALT };

/* For n in 1..limit: count the steps to 1. Operands follow their operation. */
static const uint8_t code[] = {
    /*  0 */ PUSH, 1, STORE, 0,
    /*  4 */ LOAD, 0, STORE, 1,
    /*  8 */ PUSH, 1, LOAD, 1, LESS, JUMP_UNLESS, 40,
    /* 15 */ LOAD, 1, ODD, JUMP_UNLESS, 30,
    /* 20 */ LOAD, 1, PUSH, 3, MUL, PUSH, 1, ADD, JUMP, 33,
    /* 30 */ LOAD, 1, HALF,
    /* 33 */ STORE, 1, TALLY, JUMP, 8, HALT, HALT,
    /* 40 */ LOAD, 0, PUSH, 1, ADD, STORE, 0,
    /* 47 */ LOAD, 0, LOAD, 2, LESS, JUMP_UNLESS, 56, JUMP, 4,
    /* 56 */ HALT,
};

static uint32_t stack[64], slots[8], tally;

static void run(const uint8_t *program)
{
    uint32_t *top = stack;
    const uint8_t *at = program;
    for (;;) {
        switch (*at++) {
        case PUSH: *top++ = *at++; break;
        case LOAD: *top++ = slots[*at++ & 7]; break;
        case STORE: slots[*at++ & 7] = *--top; break;
        case ADD: top--; top[-1] += top[0]; break;
        case MUL: top--; top[-1] *= top[0]; break;
        case HALF: top[-1] >>= 1; break;
        case ODD: top[-1] &= 1; break;
        case LESS: top--; top[-1] = top[-1] < top[0]; break;
        case JUMP: at = program + *at; break;
        case JUMP_UNLESS: at = *--top ? at + 1 : program + *at; break;
        case TALLY: tally++; break;
        default: return;
        }
    }
}

PROGRAM
{
    start();
    slots[2] = 50000;
    run(code);
    end();
    CHECK(tally, 0x004cacdbu);
}
