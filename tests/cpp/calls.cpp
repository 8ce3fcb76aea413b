// Calls on stacks of their own: host functions that have no answer yet, slices, deadlines, stops that are answered later, and who may
// go when.
#include "check.hpp"

#include <memory>
#include <stdexcept>
#include <thread>

using namespace stepwell;

namespace {

struct Mine : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Tells when it goes, as what a host function or a stop callback has captured.
struct Counter {
  int *gone;
  explicit Counter(int *count) : gone(count) {}
  ~Counter() { ++*gone; }
};

/// No answer yet; the token is n + 1.
Result<std::int32_t> not_yet(std::int32_t n) { return NotYet(static_cast<std::uint64_t>(n) + 1); }

/// A store with an instance of SUSPENDED, and a host function.
struct Guest {
  Store store;
  Instance instance;

  template <class F> Guest(const Engine &engine, F later) : store(engine), instance(make(engine, store, std::move(later))) {}
  explicit Guest(const Engine &engine) : Guest(engine, not_yet) {}
  Call call(const char *name, std::int32_t n) const { return Call(instance.func(name), n); }

private:
  template <class F> static Instance make(const Engine &engine, Store &store, F later) {
    Linker linker(engine);
    linker.func("host", "later", std::move(later));
    return linker.instantiate(store, Module(store, bytes(SUSPENDED)));
  }
};

/// Answers both host functions of `twice`, and has its result.
std::int32_t finish(Call &call, std::int32_t value) {
  if (call.status() == CallStatus::New) CHECK(call.run() == CallStatus::Waiting);
  CHECK(call.awaited_type()->results.size() == 1);
  call.answer(value);
  CHECK(call.run() == CallStatus::Waiting && call.status() == CallStatus::Waiting);
  call.answer(value);
  CHECK(call.run() == CallStatus::Finished && call.status() == CallStatus::Finished);
  return call.results().at(0).i32();
}

/// Many calls of one store wait at once, and are answered in another order.
void many() {
  Engine engine;
  Guest guest(engine);
  std::vector<Call> calls;
  for (std::int32_t i = 0; i < 40; i++) {
    calls.push_back(guest.call("twice", i));
    Call &call = calls.back();
    CHECK(call.status() == CallStatus::New && !call.token());
    FAILS(call.try_answer(1), ErrorCode::State, "wait");
    FAILS(call.try_answer_trap(Trap("no")), ErrorCode::State, "wait");
    FAILS(call.try_results(), ErrorCode::State, "no results");
    CHECK(call.run() == CallStatus::Waiting && call.token() == static_cast<std::uint64_t>(i) + 1);
    FAILS(call.try_run(), ErrorCode::State, "not been answered");
    FAILS(call.try_answer(), ErrorCode::Argument, "0 results");
    FAILS(call.try_answer(1.5), ErrorCode::Argument, "f64");
    CHECK(call.status() == CallStatus::Waiting);
  }
  for (std::size_t i = calls.size(); i-- > 0;) {
    const auto n = static_cast<std::int32_t>(i);
    CHECK(finish(calls[i], 5) == 20 * n + 20 && calls[i].results().at(0).i32() == 20 * n + 20 && !calls[i].token());
    FAILS(calls[i].try_run(), ErrorCode::State, "done");
  }
  FAILS(Call::try_make(guest.instance.func("twice")), ErrorCode::Argument, "0 parameters");
  THROWS(Call(guest.instance.func("twice"), 1.5), Error, "parameter 0 is f64");
  calls.erase(calls.begin() + 2, calls.end());
  guest.store.call_limit(2);
  FAILS(Call::try_make(guest.instance.func("plain"), 1), ErrorCode::Limit, "limit of 2 calls");
  const Call again = calls[0].clone(); // another handle is no other call
  calls.pop_back();
  const std::vector<Val> args = {41};
  Call call = Call::make_with(guest.instance.func("plain"), args);
  CHECK(call.run() == CallStatus::Finished && call.results().at(0).i32() == 42 && again.status() == CallStatus::Finished);
}

/// All ways in which a host function can say it, and who cannot wait.
void ways() {
  Engine engine;
  Guest throwing(engine, [](std::int32_t n) -> std::int32_t { throw NotYet(static_cast<std::uint64_t>(n)); });
  Call call = throwing.call("twice", 7);
  CHECK(call.run() == CallStatus::Waiting && call.token() == 7u && finish(call, 1) == 152);
  // By a function that has it from another one, and does not look at it.
  Guest value(engine, [](std::int32_t n) { return not_yet(n).value(); });
  call = value.call("twice", 7);
  CHECK(call.run() == CallStatus::Waiting && call.token() == 8u && finish(call, 1) == 152);
  try {
    not_yet(1).value();
    CHECK(false);
  } catch (const NotYet &error) {
    CHECK(error.token() == 2 && error.code() == ErrorCode::State && !error.is_trap());
  }
  // Of a type that is known when the program runs.
  Store store(engine);
  const FuncType type = {{ValKind::I32}, {ValKind::I32}};
  Func later(store, type, [](Caller &, Span<const Val> args, Span<Val>) -> Result<void> { return NotYet(std::uint64_t(args[0].i32())); });
  Module module(store, bytes(SUSPENDED));
  Instance instance(store, module, later);
  call = Call(instance.func("twice"), 0);
  CHECK(call.run() == CallStatus::Waiting && call.token() == 0u && finish(call, 1) == 12);
  // With references, which come and go by other ways.
  Func lazy(store, [](Ref) -> Result<Ref> { return NotYet(UINT64_MAX); });
  call = Call(lazy, Ref::make(store, std::string("asked")));
  CHECK(call.run() == CallStatus::Waiting && call.token() == UINT64_MAX);
  call.answer(Ref::make(store, std::string("answered")));
  CHECK(call.run() == CallStatus::Finished && *call.results().at(0).ref().get_if<std::string>() == "answered");
  // Who was called as usual cannot wait, and that is no exception of the host's.
  FAILS(instance.func("twice").try_call(1), ErrorCode::State, "cannot wait");
  FAILS(lazy.try_call(Ref()), ErrorCode::State, "cannot wait");
  FAILS((instance.func<std::int32_t(std::int32_t)>("twice").try_call(1)), ErrorCode::State, "cannot wait");
  // Nor who is called by a host function in turn: it can see that, and have its own guest wait.
  std::optional<Error> seen;
  Func nested(store, [&](std::int32_t n) -> Result<std::int32_t> {
    const Result<std::vector<Val>> inner = instance.func("twice").try_call(n);
    CHECK(!inner);
    seen = inner.error();
    return NotYet(3);
  });
  call = Call(Instance(store, module, nested).func("twice"), 1);
  CHECK(call.run() == CallStatus::Waiting && seen && seen->message().find("cannot wait") != std::string::npos && finish(call, 0) == 30);
}

/// A host function runs other calls of its store: those wait, and so can its own.
void within() {
  Engine engine;
  std::optional<Call> inner;
  std::optional<Guest> guest;
  guest.emplace(engine, [&](std::int32_t n) -> Result<std::int32_t> {
    if (n == 50) {
      inner = guest->call("twice", 1);
      CHECK(inner->run() == CallStatus::Waiting);
    }
    return NotYet(static_cast<std::uint64_t>(n));
  });
  Call outer = guest->call("twice", 50);
  CHECK(outer.run() == CallStatus::Waiting && outer.token() == 50u && inner->token() == 1u);
  CHECK(finish(outer, 1) == 1012 && finish(*inner, 2) == 34);
}

/// What ends a guest comes out of the run in which it ends.
void failures() {
  Engine engine;
  int calls = 0;
  Guest guest(engine, [&](std::int32_t n) -> Result<std::int32_t> {
    if (++calls % 2 == 0) throw Mine("second");
    return NotYet(static_cast<std::uint64_t>(n));
  });
  Call call = guest.call("twice", 1);
  CHECK(call.run() == CallStatus::Waiting);
  call.answer(1);
  THROWS(call.run(), Mine, "second");
  CHECK(call.status() == CallStatus::Finished);
  FAILS(call.try_results(), ErrorCode::State, "no results");
  FAILS(call.try_run(), ErrorCode::State, "done"); // what was thrown is not thrown twice
  // A trap of the guest's own.
  call = guest.call("traps", 1);
  CHECK(call.run() == CallStatus::Waiting);
  call.answer(0);
  try {
    call.run();
    CHECK(false);
  } catch (const Trap &trap) {
    CHECK(trap.code() == TrapCode::MemoryOutOfBounds && trap.frames().size() == 1 && call.status() == CallStatus::Finished);
  }
  // Answers that are failures: of the library's, the host's, and any other.
  calls = 0;
  Call one = guest.call("twice", 1);
  calls = 0;
  Call two = guest.call("twice", 1);
  CHECK(one.run() == CallStatus::Waiting);
  calls = 0;
  CHECK(two.run() == CallStatus::Waiting);
  one.answer_trap(Trap("gone"));
  FAILS(one.try_answer_trap(Trap("again")), ErrorCode::State, "answer");
  two.answer_trap(std::make_exception_ptr(Mine("mine")));
  const Result<CallStatus> ended = one.try_run();
  CHECK(!ended && ended.error().is_trap() && ended.error().message() == "gone" && ended.error().frames().size() == 2);
  try {
    two.run();
    CHECK(false);
  } catch (const Mine &mine) {
    CHECK(std::string(mine.what()) == "mine");
  }
  calls = 0;
  Call three = guest.call("twice", 1);
  CHECK(three.run() == CallStatus::Waiting);
  three.answer_trap(Error(ErrorCode::System, "no network"));
  FAILS(three.try_run(), ErrorCode::System, "no network");
  FAILS(three.try_answer_trap(std::exception_ptr()), ErrorCode::Argument, "none");
  // An exception of WebAssembly is thrown in the guest.
  Store store(engine);
  Tag tag(store, {{ValKind::I32}});
  Instance instance(store, Module(store, bytes(REFERENCES)), tag, Func(store, [](std::int32_t) -> Result<void> { return NotYet(1); }));
  call = Call(instance.func("catches"), 5);
  CHECK(call.run() == CallStatus::Waiting);
  call.answer_trap(GuestException(ExnRef::make(tag, 77)));
  CHECK(call.run() == CallStatus::Finished && call.results().at(0).i32() == 77);
  call = Call(instance.func("passes"), 5);
  CHECK(call.run() == CallStatus::Waiting);
  call.answer_trap(GuestException(ExnRef::make(tag, 78)));
  THROWS(call.run(), GuestException, "");
  call = Call(instance.func("catches"), 5);
  CHECK(call.run() == CallStatus::Waiting);
  call.answer();
  CHECK(call.run() == CallStatus::Finished && call.results().at(0).i32() == -1);
}

/// Handles go in any order, also inside of what they run.
void ownership() {
  Engine engine;
  int gone = 0;
  const auto counted = [&] { return std::make_shared<Counter>(&gone); };
  {
    std::optional<Call> call;
    {
      Guest guest(engine, [counter = counted()](std::int32_t n) { return not_yet(n); });
      call = guest.call("twice", 1);
      CHECK(call->run() == CallStatus::Waiting);
    }
    CHECK(gone == 0 && finish(*call, 2) == 34); // the call has kept its store
    CHECK(gone == 0);
  }
  CHECK(gone == 1);
  { // with a guest that waits
    std::optional<Call> call;
    {
      Guest guest(engine, [counter = counted()](std::int32_t n) { return not_yet(n); });
      call = guest.call("twice", 1);
      CHECK(call->run() == CallStatus::Waiting);
    }
    CHECK(gone == 1);
    call.reset();
    CHECK(gone == 2);
  }
  { // a host function ends the handle of the call that runs it, and of one that waits
    std::optional<Call> call, other;
    Guest guest(engine, [&](std::int32_t n) -> Result<std::int32_t> {
      if (n == 100) return NotYet(1);
      CHECK(call->status() == CallStatus::Running);
      FAILS(call->try_run(), ErrorCode::State, "runs");
      call.reset();
      other.reset();
      return n;
    });
    guest.store.call_limit(2);
    other = guest.call("twice", 100);
    CHECK(other->run() == CallStatus::Waiting);
    call = guest.call("traps", 100 - 1);
    const Result<CallStatus> status = call->try_run();
    CHECK(!call && !other && !status && status.error().trap_code() == TrapCode::MemoryOutOfBounds);
    Call one = guest.call("plain", 1), two = guest.call("plain", 1); // both are gone
    CHECK(one.run() == CallStatus::Finished);
  }
  { // the same where plain C runs it
    std::optional<Call> call;
    Guest guest(engine, [&](std::int32_t n) {
      call.reset();
      return n;
    });
    guest.store.call_limit(1);
    call = guest.call("twice", 1);
    stepwell_call_t *raw = call->raw();
    CHECK(!stepwell_call_run(raw, nullptr, nullptr));
    CHECK(!call);
    CHECK(guest.instance.func("plain").call(1)[0].i32() == 2); // the last of it goes here
    Call next = guest.call("plain", 1);
    CHECK(next.run() == CallStatus::Finished);
  }
  { // many, on other threads in turn
    Guest guest(engine);
    std::vector<Call> calls;
    for (std::int32_t i = 0; i < 8; i++) calls.push_back(guest.call("twice", i));
    for (int turn = 0; turn < 3; turn++) {
      std::thread([&] {
        for (Call &call : calls) {
          if (call.status() == CallStatus::Waiting) call.answer(turn);
          CHECK(call.run() == (turn < 2 ? CallStatus::Waiting : CallStatus::Finished));
        }
      }).join();
    }
    CHECK(calls[3].results().at(0).i32() == 30 + 1 + 40 + 2);
    std::thread([&] { calls.clear(); }).join();
  }
}

void slices() {
  Engine engine(Config().fuel(true).fuel_slices(true).kept_stacks(1));
  Guest guest(engine);
  guest.store.set_fuel(10'000'000);
  std::vector<Call> calls;
  for (std::int32_t i = 1; i <= 3; i++) calls.push_back(guest.call("count", 1000 * i));
  int turns = 0;
  for (std::size_t done = 0; done < calls.size(); turns++) {
    for (Call &call : calls) {
      if (call.status() == CallStatus::Finished) continue;
      const CallStatus status = call.run_slice(500);
      CHECK(status == CallStatus::OutOfSlice || status == CallStatus::Finished);
      if (status == CallStatus::Finished) done++;
      if (status == CallStatus::OutOfSlice) FAILS(call.try_answer(1), ErrorCode::State, "wait");
    }
  }
  CHECK(turns > 20 && calls[2].results().at(0).i32() == 3000);
  Guest plain{Engine()};
  FAILS(plain.call("count", 1).try_run_slice(5), ErrorCode::State, "slices");
  // The fuel of the store ends them as ever.
  guest.store.set_fuel(1000);
  Call call = guest.call("count", 100'000);
  CHECK(call.run_slice(500) == CallStatus::OutOfSlice);
  const Result<CallStatus> ended = call.try_run();
  CHECK(!ended && ended.error().trap_code() == TrapCode::OutOfFuel);
}

/// A guest sleeps, and nobody with it.
void blocked() {
  Engine engine;
  Store store(engine);
  Linker linker(engine);
  linker.define_wasi(store, WasiConfig());
  const Instance instance = linker.instantiate(store, Module(store, bytes(IO_GUEST)));
  Call call(instance.func("sleep"), 100);
  call.wait_at_io();
  CHECK(!call.io_timeout() && call.io().empty());
  CHECK(call.run() == CallStatus::Blocked && *call.io_timeout() <= std::chrono::milliseconds(100) && call.io().empty());
  while (call.status() != CallStatus::Finished) {
    std::this_thread::sleep_for(*call.io_timeout());
    call.run();
  }
  CHECK(call.results().at(0).i32() == 0);
  Call end(instance.func("read"), 0); // nothing is waited for
  end.wait_at_io();
  CHECK(end.run() == CallStatus::Finished && end.results().at(0).i32() == -1);
  Call usual(instance.func("sleep"), 1);
  CHECK(usual.run() == CallStatus::Finished);
}

void deadlines() {
  Engine engine(Config().epoch(true));
  Guest guest(engine);
  guest.store.set_epoch_deadline(0);
  Call call = guest.call("count", 100'000), other = guest.call("count", 100'000);
  call.wait_at_deadline();
  CHECK(call.run() == CallStatus::AtDeadline);
  const Result<CallStatus> ended = other.try_run(); // one that was not told ends
  CHECK(!ended && ended.error().is_trap());
  guest.store.set_epoch_deadline(10);
  CHECK(call.run() == CallStatus::Finished && call.results().at(0).i32() == 100'000);
  // A guest that a host function has called in turn ends there, and the host function sees it.
  std::optional<Func> count;
  Store *nesting_store = nullptr;
  Guest nesting(engine, [&](std::int32_t n) -> Result<std::int32_t> {
    nesting_store->set_epoch_deadline(0);
    const Result<std::vector<Val>> inner = count->try_call(n);
    CHECK(!inner && inner.error().trap_code() == TrapCode::Interrupt);
    return NotYet(1);
  });
  count = nesting.instance.func("count");
  nesting_store = &nesting.store;
  call = nesting.call("traps", 100'000);
  call.wait_at_deadline();
  nesting.store.set_epoch_deadline(0);
  CHECK(call.run() == CallStatus::AtDeadline); // before it begins
  CHECK(call.run() == CallStatus::Waiting);
}

/// Stops whose answer comes later, from another thread.
void stops() {
  Engine engine(Config().debug(true));
  Guest guest(engine);
  int told = 0, gone = 0;
  const auto on_stop = [&] {
    return [&, counter = std::make_shared<Counter>(&gone)](Stop &) {
      told++;
      return Action::Later;
    };
  };
  {
    Debugger debugger(guest.store, on_stop());
    debugger.break_at_function(guest.instance.module(), "inner");
    Call call = guest.call("twice", 1);
    FAILS(debugger.try_stop_of(call), ErrorCode::State, "stand");
    FAILS(debugger.try_answer(call, Action::Continue), ErrorCode::State, "stand");
    CHECK(call.run() == CallStatus::Stopped && told == 1 && call.status() == CallStatus::Stopped && !call.token());
    std::optional<Stop> stop;
    for (int steps = 0; steps < 3; steps++) {
      std::thread([&] {
        stop = debugger.stop_of(call);
        CHECK(stop->valid() && stop->frame_count() == 2 && stop->frame().local(0)->i32() == 1);
        CHECK(*stop->frame().func_name() == "inner" && *stop->frame(1).func_name() != "inner");
        CHECK(stop->reason() == (steps == 0 ? StopReason::Breakpoint : StopReason::Step));
        CHECK(guest.instance.func("plain").call(41)[0].i32() == 42); // as in its callback
        debugger.answer(call, Action::Step);
        debugger.answer(call, Action::StepOver); // what was said last counts
      }).join();
      CHECK(stop->valid() && call.run() == CallStatus::Stopped && told == steps + 2);
      CHECK(!stop->valid()); // it is another stop
      THROWS(stop->frame(), Error, "after");
    }
    stop = debugger.stop_of(call);
    stop->message("enough");
    debugger.answer(call, Action::Trap);
    THROWS(call.run(), Trap, "enough");
    CHECK(call.status() == CallStatus::Finished && !stop->valid());
    // Without an answer it goes on; what the action needs is said at the stop.
    call = guest.call("twice", 1);
    CHECK(call.run() == CallStatus::Stopped);
    debugger.answer(call, debugger.stop_of(call).step_out_of(1));
    CHECK(call.run() == CallStatus::Waiting); // in the host function
    call.answer(3);
    CHECK(call.run() == CallStatus::Stopped && debugger.stop_of(call).frame_count() == 1);
    CHECK(call.run() == CallStatus::Stopped && debugger.stop_of(call).reason() == StopReason::Breakpoint);
    stop = debugger.stop_of(call);
    call = guest.call("plain", 1); // one that stands is given up
    CHECK(!stop->valid());
    // One that was called as usual cannot wait.
    FAILS(guest.instance.func("twice").try_call(1), ErrorCode::Trap, "cannot wait");
  }
  CHECK(gone == 1);
  // Whose debugger goes while it stands goes on without it; and the debugger goes with the call.
  {
    std::optional<Debugger> debugger(std::in_place, guest.store, on_stop());
    debugger->break_at_function(guest.instance.module(), "inner");
    Call call = guest.call("twice", 1), other = guest.call("twice", 2);
    CHECK(call.run() == CallStatus::Stopped && other.run() == CallStatus::Stopped);
    const int before = told;
    debugger.reset();
    CHECK(call.run() == CallStatus::Waiting && finish(call, 5) == 40 && told == before && gone == 1);
  }
  CHECK(gone == 2);
  { // where a host function is told of no guest can wait
    Debugger debugger(guest.store, on_stop());
    debugger.events(Event::HostCall);
    Call call = guest.call("twice", 1);
    FAILS(call.try_run(), ErrorCode::Trap, "cannot wait");
    CHECK(call.status() == CallStatus::Finished);
  }
  CHECK(gone == 3);
  told = 0;
  {
    Debugger debugger(guest.store, [&](Stop &) { told++; }); // there is room for one again
    debugger.break_at_function(guest.instance.module(), "inner");
    Call call = guest.call("twice", 1);
    CHECK(call.run() == CallStatus::Waiting && told == 1 && finish(call, 5) == 40 && told == 2);
  }
}

/// A module that writes a letter, and then calls the host:
/// (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32))) (import "host" "later" (func (param i32) (result i32)))
/// (memory (export "memory") 1) (data (i32.const 0) "\10\00\00\00\01\00\00\00\00\00\00\00\00\00\00\00x")
/// (func (export "go") (result i32) (drop (call 0 (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))) (call 1 (i32.const 0)))
const unsigned char WRITES_AND_WAITS[] = {
  0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x12, 0x03, 0x60, 0x04, 0x7f, 0x7f, 0x7f,
  0x7f, 0x01, 0x7f, 0x60, 0x01, 0x7f, 0x01, 0x7f, 0x60, 0x00, 0x01, 0x7f, 0x02, 0x30, 0x02, 0x16,
  0x77, 0x61, 0x73, 0x69, 0x5f, 0x73, 0x6e, 0x61, 0x70, 0x73, 0x68, 0x6f, 0x74, 0x5f, 0x70, 0x72,
  0x65, 0x76, 0x69, 0x65, 0x77, 0x31, 0x08, 0x66, 0x64, 0x5f, 0x77, 0x72, 0x69, 0x74, 0x65, 0x00,
  0x00, 0x04, 0x68, 0x6f, 0x73, 0x74, 0x05, 0x6c, 0x61, 0x74, 0x65, 0x72, 0x00, 0x01, 0x03, 0x02,
  0x01, 0x02, 0x05, 0x03, 0x01, 0x00, 0x01, 0x07, 0x0f, 0x02, 0x02, 0x67, 0x6f, 0x00, 0x02, 0x06,
  0x6d, 0x65, 0x6d, 0x6f, 0x72, 0x79, 0x02, 0x00, 0x0a, 0x13, 0x01, 0x11, 0x00, 0x41, 0x01, 0x41,
  0x00, 0x41, 0x01, 0x41, 0x08, 0x10, 0x00, 0x1a, 0x41, 0x00, 0x10, 0x01, 0x0b, 0x0b, 0x17, 0x01,
  0x00, 0x41, 0x00, 0x0b, 0x11, 0x10, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
  0x00, 0x00, 0x00, 0x00, 0x00, 0x78,
};

/// What is thrown where the guest waits before it ends.
void stops_and_failures() {
  Engine engine(Config().debug(true));
  {
    Store store(engine);
    Module module(store, bytes(WRITES_AND_WAITS));
    Linker linker(engine);
    linker.func("host", "later", not_yet);
    linker.define_wasi(store, WasiConfig().stdout_callback([](Span<const char>) { throw Mine("output"); }));
    Instance instance = linker.instantiate(store, module);
    Call call(instance.func("go")), other(instance.func("go"));
    CHECK(call.run() == CallStatus::Waiting && other.run() == CallStatus::Waiting);
    call.answer(1);
    THROWS(call.run(), Mine, "output"); // when the program has come to its end, and not before
    CHECK(call.status() == CallStatus::Finished && call.results().at(0).i32() == 1);
    other.answer_trap(Trap("gone"));
    THROWS(other.run(), Trap, "gone"); // what has ended the guest
  }
  Guest guest(engine);
  int stops = 0, limit = 1000;
  Debugger debugger(guest.store, [&](Stop &) {
    if (++stops == limit) throw Mine("stop");
    return Action::Later;
  });
  // A trap that was told before it ends the guest.
  Call call = guest.call("traps", 2);
  CHECK(call.run() == CallStatus::Waiting);
  call.answer(1);
  CHECK(call.run() == CallStatus::Stopped && debugger.stop_of(call).reason() == StopReason::Trap);
  CHECK(debugger.stop_of(call).trap_code() == TrapCode::MemoryOutOfBounds && stops == 1);
  CHECK(guest.instance.func("plain").call(1)[0].i32() == 2);
  THROWS(call.run(), Trap, "out of bounds");
  // What a stop callback throws in a later run.
  Breakpoint breakpoint = debugger.break_at_function(guest.instance.module(), "inner");
  call = guest.call("twice", 1);
  CHECK(call.run() == CallStatus::Stopped);
  debugger.answer(call, Action::Step);
  limit = stops + 1;
  THROWS(call.run(), Mine, "stop");
  CHECK(call.status() == CallStatus::Finished);
  breakpoint.remove();
  // A failure for an answer is no stop: host functions that fail are none.
  call = guest.call("twice", 1);
  CHECK(call.run() == CallStatus::Waiting);
  call.answer_trap(std::make_exception_ptr(Mine("answer")));
  const int before = stops;
  THROWS(call.run(), Mine, "answer");
  CHECK(stops == before);
}

} // namespace

int main() {
  many();
  ways();
  within();
  failures();
  ownership();
  slices();
  blocked();
  deadlines();
  stops();
  stops_and_failures();
}
