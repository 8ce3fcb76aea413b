/* Which parts of a guest have run: counters that the engine keeps without calling anybody, read by the host.

   usage: coverage guest/warehouse.wasm */
#include "debugged.h"

static stepwell_action_t on_stop(void *env, stepwell_stop_t *stop) {
    (void)env, (void)stop;
    fail("nothing stops"); /* no breakpoint is set; what is reached is noted without a stop */
    return STEPWELL_ACTION_CONTINUE;
}

/* Prints how much has been reached of each function that has been reached at all; gives the sum. */
static size_t report(const debugged *guest) {
    size_t count = stepwell_debugger_coverage(guest->debugger, guest->module, NULL, 0), sum = 0;
    stepwell_covered_block_t *blocks = calloc(count, sizeof *blocks);
    if (!blocks) fail("out of memory");
    stepwell_debugger_coverage(guest->debugger, guest->module, blocks, count);
    for (size_t i = 0; i < count;) {
        size_t all = 0, reached = 0;
        uint32_t func = blocks[i].func_index;
        for (; i < count && blocks[i].func_index == func; i++) {
            all++;
            reached += blocks[i].is_reached;
        }
        const char *name = stepwell_module_func_name(guest->module, func, NULL);
        if (reached) printf("  %s: %zu of %zu blocks\n", name ? name : "?", reached, all);
        sum += reached;
    }
    free(blocks);
    return sum;
}

/* Prints the branches of which only one side was taken. */
static void report_branches(const debugged *guest) {
    size_t count = stepwell_debugger_coverage_branches(guest->debugger, guest->module, NULL, 0), one_sided = 0;
    stepwell_covered_side_t *sides = calloc(count, sizeof *sides);
    if (!sides) fail("out of memory");
    stepwell_debugger_coverage_branches(guest->debugger, guest->module, sides, count);
    for (size_t i = 0; i < count;) {
        size_t all = 0, taken = 0, branch = sides[i].branch;
        for (; i < count && sides[i].branch == branch; i++) {
            all++;
            taken += sides[i].is_reached;
        }
        one_sided += taken > 0 && taken < all;
    }
    printf("of %zu branches only one way was taken\n", one_sided);
    free(sides);
}

int main(int argc, char **argv) {
    if (argc != 2) fail("usage: %s guest/warehouse.wasm", argv[0]);
    debugged guest;
    int32_t result, divisor[] = {6, 3}, orders = 20;
    wasm_byte_vec_t lines;
    /* Blocks have a place to note that they are reached in code of this kind. */
    start_debugged_as(&guest, argv[1], on_stop, STEPWELL_DEBUG_TIER_BLOCKS);
    check(stepwell_debugger_cover(guest.debugger, guest.module), "covering");
    if (!call(&guest, "divide", 2, divisor, &result)) return EXIT_FAILURE;
    printf("after divide(6, 3)\n");
    size_t before = report(&guest);
    if (!call(&guest, "run", 1, &orders, &result)) return EXIT_FAILURE;
    printf("after run(20)\n");
    if (report(&guest) <= before) fail("more was reached");
    report_branches(&guest);
    /* The same by lines of the source, as lcov and genhtml read it. */
    check(stepwell_debugger_coverage_lcov(guest.debugger, &lines), "a tracefile");
    printf("a tracefile of %zu bytes\n", lines.size);
    wasm_byte_vec_delete(&lines);
    end_debugged(&guest);
    return 0;
}
