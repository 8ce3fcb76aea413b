/* A store is served to a debugger at descriptors, which goes while the host has something to say: that is nobody's end but the debugger's. */
#include "check.h"
#include <signal.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const char *hello[2] = {"+$QStartNoAckMode#b0+",
                               "Content-Length: 79\r\n\r\n"
                               "{\"seq\":1,\"type\":\"request\",\"command\":\"initialize\",\"arguments\":{\"adapterID\":\"x\"}}"};

static void rest(void) {
  struct timespec some = {0, 2000000};
  nanosleep(&some, NULL);
}

/* The debugger has these ends of what leads to the server, and from it. */
static void gone(wasm_engine_t *engine, stepwell_protocol_t protocol, int to_read, int to_write, int ours_in, int ours_out) {
  wasm_store_t *store = wasm_store_new(engine);
  stepwell_serve_options_t *options = stepwell_serve_options_new();
  stepwell_server_t *server;
  char answer;
  OK(stepwell_serve_options_protocol_set(options, protocol));
  stepwell_serve_options_descriptors_set(options, to_read, to_write);
  OK(stepwell_debugger_serve(store, options, &server));
  stepwell_serve_options_delete(options);
  close(to_read);
  if (to_write != to_read) close(to_write);
  const char *said = hello[protocol == STEPWELL_PROTOCOL_DAP];
  CHECK(write(ours_out, said, strlen(said)) == (ssize_t)strlen(said));
  CHECK(read(ours_in, &answer, 1) == 1);
  /* Of a pipe, only the end that is read is closed: the server learns of it when it writes. */
  close(ours_in);
  for (int i = 0; i < 100; i++) {
    stepwell_server_output(server, STEPWELL_OUTPUT_OUT, "hello", 5);
    rest();
  }
  if (ours_out != ours_in) close(ours_out);
  stepwell_server_delete(server);
  wasm_store_delete(store);
}

int main(void) {
  wasm_config_t *config = wasm_config_new();
  int pair[2], in[2], out[2];
  stepwell_config_debug_set(config, true);
  wasm_engine_t *engine = wasm_engine_new_with_config(config);
  /* As most hosts have it: a write to a pipe that nobody reads ends the process. */
  CHECK(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
  for (int protocol = STEPWELL_PROTOCOL_GDB; protocol <= STEPWELL_PROTOCOL_DAP; protocol++) {
    CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    gone(engine, protocol, pair[0], pair[0], pair[1], pair[1]);
    CHECK(!pipe(in) && !pipe(out));
    gone(engine, protocol, in[0], out[1], out[0], in[1]);
  }
  wasm_engine_delete(engine);
  return 0;
}
