/* Functions without debug information, which `steps.c` calls. */
int plain(int x) { return x * 2 + 1; }

int calls_back(int (*call)(int), int x) {
    int first = call(x);
    return first + call(x + 1);
}
