// What ends guests before their time, who calls a host function, and instances made many at once.
#include "check.hpp"

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <ucontext.h>

using namespace stepwell;

namespace {

void fuel() {
  Engine engine(Config().fuel(true));
  Store store(engine);
  Instance instance(store, Module(store, bytes(FIB)));
  auto fib = instance.func<int(int)>("fib");
  CHECK(fib.try_call(5).error().trap_code() == TrapCode::OutOfFuel && store.fuel() == 0);
  {
    const Error none = fib.try_call(5).error();
    CHECK(none.core_dump().empty() && none.no_core_dump().find("none was asked for") != std::string::npos);
    store.core_dumps(true);
    const Error trap = fib.try_call(5).error();
    const Module dump(store, trap.core_dump());
    CHECK(trap.no_core_dump().empty() && dump.custom_section("corestack") && dump.custom_section("coreinstances"));
    store.core_dumps(false);
    CHECK(fib.try_call(5).error().core_dump().empty());
    CHECK(Error("mine").core_dump().empty() && Error("mine").no_core_dump().empty());
  }
  store.set_fuel(1000000);
  CHECK(fib(10) == 55);
  const std::uint64_t left = store.fuel();
  CHECK(left > 0 && left < 1000000 - 89);
  CHECK(fib(10) == 55 && 1000000 - left == left - store.fuel()); // the same work takes the same fuel
  THROWS(fib(30), Trap, "fuel");
  Engine plain;
  Store other(plain);
  FAILS(other.try_set_fuel(1), ErrorCode::State, "fuel");
  FAILS(other.try_fuel(), ErrorCode::State, "fuel");
}

void epochs_and_interrupts() {
  Engine engine(Config().epoch(true));
  std::optional<Store> store(std::in_place, engine);
  Interrupt interrupt(*store);
  Instance instance(*store, Module(*store, bytes(FIB)));
  auto fib = instance.func<int(int)>("fib");
  CHECK(fib(10) == 55); // a new store has no deadline
  store->set_epoch_deadline(1);
  CHECK(fib(10) == 55);
  engine.increment_epoch();
  CHECK(fib.try_call(10).error().trap_code() == TrapCode::Interrupt);
  store->set_epoch_deadline(1000);
  CHECK(fib(10) == 55);
  interrupt.raise();
  store->clear_interrupt();
  CHECK(fib(10) == 55);
  std::atomic<bool> done{false};
  std::thread other([&] {
    while (!done) {
      interrupt.raise();
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  });
  THROWS(fib(45), Trap, ""); // would take long
  done = true;
  other.join();
  store->clear_interrupt();
  CHECK(fib(10) == 55);
  Interrupt moved = std::move(interrupt);
  THROWS(interrupt.raise(), Error, "a stepwell::Interrupt was used after it was moved from");
  store.reset();
  moved.raise();
  Engine plain;
  Store without(plain);
  FAILS(without.try_set_epoch_deadline(1), ErrorCode::State, "epoch");
  FAILS(Interrupt::try_make(without), ErrorCode::State, "epoch");
}

void features() {
  Engine engine(Config().feature(Feature::ReferenceTypes, false));
  Store store(engine);
  FAILS(Module::try_make(store, bytes(VALUES)), ErrorCode::Unsupported, "");
  CHECK(Module::try_make(store, bytes(FIB)).ok());
  THROWS(Config().feature(static_cast<Feature>(99), true), Error, "");
}

/// A host function learns which instance called it.
void callers() {
  Engine engine;
  Store store(engine);
  Module module(store, bytes(VALUES)), kinds(store, bytes(KINDS));
  Linker linker(engine);
  std::optional<Instance> instance;
  linker.func("host", "fail", [&](Caller &caller, std::int32_t a) {
    CHECK(caller.store().raw() == store.raw() && same(*caller.instance(), *instance));
    CHECK(caller.find("same")->as_func() && !caller.find("none") && !caller.find(std::string("same\0", 5)));
    FAILS(caller.try_memory(), ErrorCode::Argument, "no memory \"memory\"");
    return a + 1;
  });
  linker.fill_missing_with_defaults(store, module);
  instance.emplace(linker.instantiate(store, module));
  CHECK((instance->func<int(int)>("fail"))(1) == 2);
  // through the caller's memory, with numbers and with references
  linker.func("env", "f", [&](Caller &caller, std::uint32_t at, std::int64_t) { return caller.memory("m").read<double>(at); });
  linker.define("env", "m", Memory(store, {{1, 3}})).fill_missing_with_defaults(store, kinds);
  Instance guest = linker.instantiate(store, kinds);
  guest.memory("m").write(24, 1.5);
  CHECK((guest.func<double(int, std::int64_t)>("call_f"))(24, 0) == 1.5);
  THROWS((guest.func<double(int, std::int64_t)>("call_f"))(70000, 0), Error, "8 bytes at 70000");
  // called by the host directly, there is no instance
  Func direct(store, [&](Caller &caller, Ref) { CHECK(!caller.instance() && !caller.find("m") && !caller.try_memory("m").ok()); });
  direct.call(Ref());
}

void many_instances() {
  Engine engine;
  Linker linker(engine);
  std::atomic<int> calls{0};
  linker.func("host", "fail", [&](std::int32_t a) -> std::int32_t {
    if (a < 0) throw std::runtime_error("negative");
    return calls++, a;
  });
  std::optional<InstancePre> pre;
  {
    Store store(engine);
    Module module(store, bytes(VALUES));
    FAILS(linker.try_instantiate_pre(module), ErrorCode::Link, "swap");
    linker.func("host", "swap", std::get<FuncType>(module.imports()[0].type), [](Caller &, Span<const Val>, Span<Val>) {});
    pre.emplace(linker.instantiate_pre(module));
  }
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; i++) {
    threads.emplace_back([&] {
      for (int round = 0; round < 50; round++) {
        Store store(engine);
        auto fail = pre->instantiate(store).func<int(int)>("fail");
        CHECK(fail(round) == round);
        THROWS(fail(-1), std::runtime_error, "negative");
      }
    });
  }
  for (std::thread &thread : threads) thread.join();
  CHECK(calls == 100);
  Store store(engine);
  Module start(store, bytes(START_TRAPS));
  THROWS(linker.instantiate_pre(start).instantiate(store), Trap, "unreachable");
  InstancePre moved = std::move(*pre);
  THROWS(pre->instantiate(store), Error, "a stepwell::InstancePre was used after it was moved from");
}

/// Two coroutines on one thread, each left in the middle of its guest: what each throws comes out of its own call.
ucontext_t main_context, contexts[2];
struct Coroutine;
Coroutine *coroutines[2];

struct Coroutine {
  int index;
  Engine &engine;
  Linker &linker;
  std::vector<char> memory = std::vector<char>(2 << 20);
  Stack stack{memory.data(), memory.size()};
  std::string outcome = {};

  void run() {
    Store store(engine);
    Instance instance = linker.instantiate(store, Module(store, bytes(VALUES)));
    try {
      (instance.func<int(int)>("fail"))(index);
      outcome = "nothing";
    } catch (const std::runtime_error &error) {
      outcome = error.what();
    }
  }
  void resume() {
    stack.enter();
    CHECK(swapcontext(&main_context, &contexts[index]) == 0);
    Stack::leave();
  }
};

void run_coroutine(int index) { coroutines[index]->run(); }

/* A function of its own: compilers take it that `getcontext` could return twice. */
void prepare(int index) {
  ucontext_t &context = contexts[index];
  CHECK(getcontext(&context) == 0);
  context.uc_stack.ss_sp = coroutines[index]->memory.data();
  context.uc_stack.ss_size = coroutines[index]->memory.size();
  context.uc_link = &main_context;
  makecontext(&context, reinterpret_cast<void (*)()>(run_coroutine), 1, index);
}

void on_coroutines() {
  Engine engine;
  Linker linker(engine);
  linker.func("host", "swap", FuncType{{ValKind::I32, ValKind::I64, ValKind::F32, ValKind::F64, ValKind::FuncRef, ValKind::ExternRef},
                                       {ValKind::ExternRef, ValKind::FuncRef, ValKind::F64, ValKind::F32, ValKind::I64, ValKind::I32}},
              [](Caller &, Span<const Val>, Span<Val>) {});
  linker.func("host", "fail", [](Caller &caller, std::int32_t index) -> std::int32_t {
    const wasm_store_t *mine = caller.store().raw();
    CHECK(swapcontext(&contexts[index], &main_context) == 0); // left here, while the other runs
    CHECK(caller.store().raw() == mine);
    throw std::runtime_error("of coroutine " + std::to_string(index));
  });
  for (int i = 0; i < 2; i++) {
    coroutines[i] = new Coroutine{i, engine, linker};
    prepare(i);
  }
  for (int i : {0, 1, 0, 1}) coroutines[i]->resume(); // the first to begin is the first to end
  for (int i = 0; i < 2; i++) {
    CHECK(coroutines[i]->outcome == "of coroutine " + std::to_string(i));
    delete coroutines[i];
  }
  FAILS(Stack::try_make(nullptr, 1), ErrorCode::Argument, "");
}

struct Tracked {
  int *count;
  explicit Tracked(int *counted) : count(counted) { ++*count; }
  Tracked(Tracked &&other) noexcept : count(other.count) { ++*count; }
  ~Tracked() { --*count; }
};

void data_growth_and_deadlines() {
  Engine engine(Config().epoch(true));
  int live = 0;
  {
    Store store(engine);
    CHECK(!store.data<int>());
    store.set_data(5);
    CHECK(store.data<int>() && *store.data<int>() == 5 && !store.data<long>() && !store.data<Tracked>());
    store.set_data(Tracked(&live));
    CHECK(live == 1 && store.data<Tracked>()->count == &live && !store.data<int>());
    Func func(store, [&](Caller &caller) -> int { return *caller.store().data<Tracked>()->count; });
    CHECK(func.typed<int()>()() == 1);
    // a limiter: growth of memories and tables, from the host and of instances
    std::vector<Growth> asked;
    std::uint64_t most = 2 * 65536;
    store.limiter([&, owned = Tracked(&live)](const Growth &growth) {
      asked.push_back(growth);
      if (growth.desired == 7 * 65536) throw std::runtime_error("seven is too many");
      return growth.desired <= most;
    });
    CHECK(live == 2);
    Memory memory(store, MemoryType{{1, 9}});
    CHECK(memory.try_grow(1).ok() && asked.size() == 2);
    CHECK(!asked[1].is_table && asked[1].current == 65536 && asked[1].desired == 2 * 65536 && asked[1].maximum == 9 * 65536u);
    FAILS(memory.try_grow(1), ErrorCode::Limit, "limiter");
    FAILS(memory.try_grow(5), ErrorCode::Trap, "seven is too many");
    Module module(store, bytes(WASI));
    Linker linker(engine);
    linker.define_wasi();
    most = 1;
    FAILS(linker.try_instantiate(store, module), ErrorCode::Limit, "65536 bytes");
    CHECK(!asked.back().maximum);
    most = UINT64_MAX;
    // WASI defined once, given to a store
    std::string out;
    Instance instance = linker.instantiate(store, module);
    THROWS(instance.func<int(int)>("args")(0), Trap, "`stepwell_store_wasi_set`");
    store.wasi(WasiConfig().args({"a", "b", "c"}).stdout_callback([&](Span<const char> text) { out.append(text.begin(), text.end()); }));
    CHECK(instance.func<int(int)>("args")(0) == 3 && instance.func<int(int)>("write")(1) == 0 && out == "abcd");
    store.wasi(WasiConfig().args_inherit());
    CHECK(instance.func<int(int)>("args")(0) == 1);
    // in any store, of a module of none
    const SharedModule shared(engine, bytes(WASI));
    const InstancePre pre = linker.instantiate_pre(shared);
    Store other(engine);
    other.wasi(WasiConfig().args({"x"}));
    CHECK(pre.instantiate(other).func<int(int)>("args")(0) == 1);
    CHECK(SharedModule::try_validate(engine, bytes(WASI)).ok());
    FAILS(SharedModule::try_validate(engine, Span<const std::uint8_t>(WASI, 9)), ErrorCode::InvalidModule, "");
    // a copy of the linker, and what stands in for imports
    Linker empty(engine);
    Linker stubs = empty.clone();
    stubs.define_unknown_imports_as_traps(module);
    FAILS(empty.try_instantiate(store, module), ErrorCode::Link, "args_sizes_get");
    THROWS(stubs.instantiate(store, module).func<int(int)>("write")(1), Trap, "\"fd_write\"");
    linker.define_module(store, "lib", module);
    CHECK(linker.get(store, "lib", "args").as_func());
    FAILS(linker.try_define_module(store, "broken", Module(store, bytes(START_TRAPS))), ErrorCode::Trap, "unreachable");
    // a deadline that is over
    auto fib = Instance(store, Module(store, bytes(FIB))).func<int(int)>("fib");
    int times = 0;
    store.at_deadline([&]() -> std::optional<std::uint64_t> {
      if (++times == 3) throw std::runtime_error("three times is enough");
      return times == 1 ? std::optional<std::uint64_t>(1) : std::nullopt;
    });
    store.set_epoch_deadline(0);
    CHECK(fib(10) == 55 && times == 1);
    engine.increment_epoch();
    CHECK(fib.try_call(10).error().trap_code() == TrapCode::Interrupt && times == 2);
    THROWS(fib(10), std::runtime_error, "three times is enough");
  }
  CHECK(live == 0);
  Engine plain;
  Store without(plain);
  FAILS(without.try_at_deadline([]() -> std::optional<std::uint64_t> { return 1; }), ErrorCode::State, "epoch");
}

} // namespace

int main() {
  fuel();
  epochs_and_interrupts();
  features();
  callers();
  many_instances();
  on_coroutines();
  data_growth_and_deadlines();
}
