/* What is left when a guest has died: a core dump, which is written in the callback that is told of the trap.

   usage: core-dump guest/warehouse.wasm FILE */
#include "debugged.h"

static const char *dump_path;
static bool dumped;

static stepwell_action_t on_stop(void *env, stepwell_stop_t *stop) {
    wasm_byte_vec_t dump;
    (void)env;
    if (stepwell_stop_reason(stop) != STEPWELL_STOP_TRAP) return STEPWELL_ACTION_CONTINUE;
    /* The frames are still there, with what was in them. */
    check(stepwell_stop_core_dump(stop, &dump), "dumping");
    FILE *file = fopen(dump_path, "wb");
    if (!file || fwrite(dump.data, 1, dump.size, file) != dump.size || fclose(file)) fail("%s: cannot be written", dump_path);
    printf("%zu bytes in %s, with %zu frames\n", dump.size, dump_path, stepwell_stop_frame_count(stop));
    wasm_byte_vec_delete(&dump);
    dumped = true;
    return STEPWELL_ACTION_CONTINUE;
}

int main(int argc, char **argv) {
    if (argc != 3) fail("usage: %s guest/warehouse.wasm FILE", argv[0]);
    debugged guest;
    int32_t numbers[] = {1, 0}, result;
    dump_path = argv[2];
    start_debugged(&guest, argv[1], on_stop);
    if (call(&guest, "divide", 2, numbers, &result)) fail("1 / 0 is %d?", (int)result);
    if (!dumped) fail("no dump");

    /* A dump is a WebAssembly module whose custom sections have the frames: tools for modules read it. */
    wasm_byte_vec_t read;
    read_file(dump_path, &read);
    if (read.size < 8 || memcmp(read.data, "\0asm\1\0\0\0", 8)) fail("%s is no module", dump_path);
    wasm_byte_vec_delete(&read);
    end_debugged(&guest);
    return 0;
}
