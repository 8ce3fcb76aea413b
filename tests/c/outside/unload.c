/* A host with a signal handler of its own that loads a plugin and unloads it: `unload PLUGIN`. It knows nothing of Stepwell. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define CHECK(condition)                                                        \
  do {                                                                          \
    if (!(condition)) {                                                         \
      fprintf(stderr, "%s:%d: %s is not so\n", __FILE__, __LINE__, #condition); \
      exit(1);                                                                  \
    }                                                                           \
  } while (0)

static char *page;
static int faults;

static void on_fault(int signal, siginfo_t *info, void *context) {
  (void)signal;
  (void)context;
  if (info->si_addr != page) abort();
  faults++;
  mprotect(page, 4096, PROT_READ | PROT_WRITE);
}

/* The host's own fault goes to the host's handler. */
static void fault(void) {
  int before = faults;
  CHECK(mprotect(page, 4096, PROT_NONE) == 0);
  *(volatile char *)page = 1;
  CHECK(faults == before + 1);
}

static int is_mapped(const char *name) {
  char line[4096];
  int found = 0;
  FILE *maps = fopen("/proc/self/maps", "r");
  CHECK(maps);
  while (fgets(line, sizeof(line), maps)) found |= strstr(line, name) != NULL;
  fclose(maps);
  return found;
}

int main(int argc, char **argv) {
  struct sigaction action;
  CHECK(argc == 2);
  page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(page != MAP_FAILED);
  memset(&action, 0, sizeof(action));
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO;
  CHECK(sigaction(SIGSEGV, &action, NULL) == 0);
  fault();
  CHECK(!is_mapped("libstepwell"));
  for (int i = 0; i < 3; i++) {
    int (*run)(int);
    void *plugin = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    if (!plugin) fprintf(stderr, "%s\n", dlerror());
    CHECK(plugin);
    *(void **)&run = dlsym(plugin, "plugin_run");
    CHECK(run);
    CHECK(run(10) == 55);
    fault();
    CHECK(dlclose(plugin) == 0);
    CHECK(!is_mapped("plugin.so") && is_mapped("libstepwell"));
    fault();
  }
  return 0;
}
