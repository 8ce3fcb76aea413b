// Without exceptions and without run-time type information: everything by `try_` and `Result`.
#include "check.hpp"

#include <memory>
#include <csignal>
#include <sys/wait.h>
#include <unistd.h>

using namespace stepwell;

#if STEPWELL_HPP_EXCEPTIONS || defined(__cpp_exceptions) || defined(__cpp_rtti)
#error "this is compiled with -fno-exceptions -fno-rtti"
#endif

#if defined(STEPWELL_HPP_COROUTINES)
namespace {

struct Coroutine {
  struct promise_type {
    Coroutine get_return_object() { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() {}
  };
};

Coroutine awaits(Call call, std::optional<Pending> &pending, bool &ended) {
  const Result<std::vector<Val>> results = co_await call.try_finished([&](const Pending &waits) { pending = waits; });
  FAILS(results, ErrorCode::Trap, "gone");
  ended = true;
}

} // namespace
#endif

int main() {
  Result<Engine> engine = Engine::try_make(Config().debug(true));
  CHECK(engine.ok());
  Result<Store> store = Store::try_make(*engine);
  Result<Module> module = Module::try_make(*store, bytes(VALUES));
  CHECK(module.ok());
  FAILS(Module::try_make(*store, std::vector<std::uint8_t>{1, 2, 3}), ErrorCode::InvalidModule, "");
  Result<Linker> linker = Linker::try_make(*engine);
  std::optional<TypedFunc<std::int32_t(std::int32_t)>> again;
  CHECK(linker->try_func("host", "fail", [&](std::int32_t a) -> Result<std::int32_t> {
    if (a == 0) return Trap("no");
    if (a == 100) return a;
    return again->try_call(a - 1);
  }).ok());
  FAILS(linker->try_instantiate(*store, *module), ErrorCode::Link, "swap");
  CHECK(linker->try_fill_missing_with_defaults(*store, *module).ok());
  Result<Instance> instance = linker->try_instantiate(*store, *module);
  CHECK(instance.ok());
  auto fail = instance->try_func<std::int32_t(std::int32_t)>("fail");
  again.emplace(fail->clone());
  CHECK(fail->try_call(100).value() == 100);
  const Result<std::int32_t> result = fail->try_call(3);
  CHECK(!result && result.error().is_trap() && result.error().message() == "no" && result.error().frames().size() == 4);
  FAILS(instance->try_memory("none"), ErrorCode::Argument, "no memory \"none\"");

  Result<Module> fib_module = Module::try_make(*store, bytes(FIB));
  Result<Instance> fib_instance = Instance::try_make(*store, *fib_module);
  auto fib = fib_instance->try_func<int(int)>("fib");
  int stops = 0, gone = 0;
  struct Counter {
    int *gone;
    ~Counter() { ++*gone; }
  };
  {
    Result<Debugger> debugger =
        Debugger::try_make(*store, [&, owned = std::unique_ptr<Counter>(new Counter{&gone})](Stop &stop) -> Result<Action> {
          if (++stops == 4) return Error("stopped at " + *stop.frame().func_name());
          return Action::Continue;
        });
    CHECK(debugger.ok() && debugger->try_break_at_function(*fib_module, "fib").ok());
    FAILS(fib->try_call(6), ErrorCode::Host, "stopped at fib");
  }
  CHECK(fib->try_call(6).value() == 8 && gone == 1);
  Module moved = std::move(module).value();
  CHECK(!Instance::try_make(*store, *module).ok());

  const Result<ValType> pair = ValType::try_structure({{ValKind::I32}, {ValKind::I32, Storage::I8, false}});
  CHECK(pair.ok() && !ValType::try_array({ValKind::I64, Storage::I8}).ok());
  Result<Ref> object = Ref::try_structure(*store, *pair, {1, 258});
  CHECK(object.ok() && object->try_length().value() == 2 && object->try_get(1).value().i32() == 2 && object->try_set(0, 5).ok());
  FAILS(object->try_set(1, 5), ErrorCode::Argument, "may not change");
  FAILS(object->try_read_elements<int>(0, 1), ErrorCode::Argument, "not to an array");
  CHECK(object->try_to_extern()->try_to_any()->try_type().value() == *pair);
  CHECK(Ref::try_i31(*store, 3)->as_i31() == 3);

  // a call that waits
  Result<Module> waits_module = Module::try_make(*store, bytes(SUSPENDED));
  Result<Func> later = Func::try_make(*store, [](std::int32_t n) -> Result<std::int32_t> { return NotYet(std::uint64_t(n)); });
  Result<Instance> waits = Instance::try_make(*store, *waits_module, *later);
  Result<Call> call = Call::try_make(*waits->try_func("twice"), 3);
  CHECK(call->try_run().value() == CallStatus::Waiting && call->token() == 3u && call->try_answer(1).ok());
  CHECK(call->try_run().value() == CallStatus::Waiting && call->try_answer_trap(Trap("gone")).ok());
  FAILS(call->try_run(), ErrorCode::Trap, "gone");
  FAILS(call->try_results(), ErrorCode::State, "no results");
  FAILS(waits->try_func("twice")->try_call(3), ErrorCode::State, "cannot wait");
#if defined(STEPWELL_HPP_COROUTINES)
  std::optional<Pending> pending;
  bool ended = false;
  awaits(Call::try_make(*waits->try_func("twice"), 3).value(), pending, ended);
  CHECK(pending->token() == 3u && pending->try_answer(1).ok());
  CHECK(pending->token() == 4u && pending->try_answer_trap(Trap("gone")).ok());
  CHECK(ended);
#endif

  // what has no other way ends the process, with a message
  int ends[2];
  CHECK(pipe(ends) == 0);
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], 2);
    module->imports();
    _exit(0);
  }
  close(ends[1]);
  std::string said(200, '\0');
  const ssize_t size = read(ends[0], &said[0], said.size());
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
  CHECK(size > 0 && said.find("stepwell: a stepwell::Module was used after it was moved from") == 0);
}
