// Debugging from C++: stops, frames, breakpoints that go while they are hit, callbacks that throw or end what is running.
#include "check.hpp"

#include <functional>
#include <memory>
#include <stdexcept>
#include <sys/socket.h>
#include <sys/time.h>
#include <thread>
#include <unistd.h>

using namespace stepwell;

namespace {

struct Mine : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Guest {
  Engine engine{Config().debug(true)};
  Store store{engine};
  Module module{store, bytes(FIB)};
  Instance instance{store, module};
  TypedFunc<int(int)> fib = instance.func<int(int)>("fib"), outer = instance.func<int(int)>("outer");
};

/* One breakpoint for a name, in modules that are there and that come. */
void places() {
  Engine engine{Config().debug(true)};
  Store store{engine};
  int stops = 0;
  Debugger debugger(store, [&](Stop &stop) {
    stops++;
    CHECK(stop.breakpoints().size() == 1);
  });
  const Breakpoint any = debugger.break_at_function("fib"), line = debugger.break_at_line("fib.c", 3);
  CHECK(any.place_count() == 0 && any.places().empty() && !any.offset() && !any.func_index() && any.sources().empty());
  Module module(store, bytes(FIB));
  Instance instance(store, module);
  CHECK(any.place_count() == 1 && any.places().size() == 1 && any.places()[0].offset == any.offset());
  CHECK(any.places()[0].func_index == 0 && same(any.places()[0].module, module) && any.place_sources(0).empty());
  CHECK(any.place_sources(1).empty() && line.place_count() == 0);
  CHECK(instance.func<int(int)>("fib")(1) == 1 && stops == 1);
  FAILS(debugger.try_break_at_line(module, "fib.c", 1), ErrorCode::Argument, "compile it with -g");
  FAILS(debugger.try_break_at_line(module, std::string("f\0c", 3), 1), ErrorCode::Argument, "NUL");
  FAILS(debugger.try_break_at_line(std::string("f\0c", 3), 1), ErrorCode::Argument, "NUL");
  FAILS(debugger.try_break_at_function(std::string("f\0c", 3)), ErrorCode::Argument, "NUL");
  any.remove();
  CHECK(any.place_count() == 0 && any.places().empty() && instance.func<int(int)>("fib")(1) == 1 && stops == 1);
}

/* What a breakpoint may have. */
void options() {
  Guest guest;
  int stops = 0, asked = 0;
  Debugger debugger(guest.store, [&](Stop &) { stops++; });
  const Breakpoint at = debugger.break_at_function(guest.module, "fib");
  CHECK(at.enabled() && !at.one_shot() && at.ignore_count() == 0 && !at.condition() && !at.instance() && at.hit_count() == 0);
  at.enabled(false);
  CHECK(!at.enabled() && guest.fib(5) == 5 && stops == 0);
  at.enabled(true);
  at.ignore_count(14);
  CHECK(at.ignore_count() == 14 && guest.fib(5) == 5 && stops == 1 && at.hit_count() == 15 && at.ignore_count() == 0);
  at.hit_count(0);
  at.condition("local(0) == 5");
  CHECK(at.condition() == "local(0) == 5" && guest.fib(5) == 5 && stops == 2 && at.hit_count() == 1);
  FAILS(at.try_condition("local(9) == 5"), ErrorCode::Argument, "has no local 9");
  FAILS(at.try_condition(std::string("l\0l", 3)), ErrorCode::Argument, "NUL");
  at.condition_callback([&](Stop &stop) {
    asked++;
    return stop.frame().local(0)->i32() == 4;
  });
  CHECK(!at.condition() && guest.fib(5) == 5 && stops == 3 && asked == 15);
  at.condition_callback([&](Stop &) -> bool { throw Mine("no answer"); });
  THROWS(guest.fib(5), Mine, "no answer");
  at.no_condition();
  const Instance other(guest.store, guest.module);
  at.instance(other);
  CHECK(same(*at.instance(), other) && guest.fib(5) == 5 && stops == 3);
  at.all_instances();
  at.one_shot(true);
  CHECK(at.one_shot() && !at.instance() && guest.fib(5) == 5 && stops == 4 && debugger.breakpoint_count() == 0);
  CHECK(!at.enabled() && !at.one_shot() && !at.condition() && !at.instance() && at.hit_count() == 0);
  FAILS(at.try_enabled(true), ErrorCode::Argument, "there is no breakpoint");
  // Sets that were prepared.
  BreakpointSet set;
  const Breakpoint placed = debugger.break_at_function(guest.module, "fib");
  set.add(guest.module, *placed.offset());
  placed.remove();
  set.add_at_function(guest.module, "fib");
  set.add_at_function_index(guest.module, *guest.module.func_find("fib"));
  FAILS(set.try_add(guest.module, 0), ErrorCode::Argument, "in no function's body");
  FAILS(set.try_add_at_line(guest.module, "fib.c", 1), ErrorCode::Argument, "");
  const std::vector<Breakpoint> prepared = debugger.break_at_set(set);
  CHECK(set.count() == 3 && prepared.size() == 3 && prepared[1].offset() == prepared[2].offset());
  debugger.remove_all({prepared.data(), prepared.size()});
  BreakpointSet moved = std::move(set);
  CHECK(moved.valid() && !set.valid() && set.count() == 0);
  FAILS(debugger.try_break_at_set(set), ErrorCode::Argument, "moved");
  // Sets.
  const std::size_t first = *debugger.break_at_function(guest.module, "fib").offset();
  const std::size_t offsets[] = {first, first + 1, first + 2}, wrong[] = {first, 0};
  const std::vector<Breakpoint> all = debugger.break_at_all(guest.module, {offsets, 3});
  CHECK(all.size() == 3 && debugger.breakpoint_count() == 4 && all[0].offset() == first);
  FAILS(debugger.try_break_at_all(guest.module, {wrong, 2}), ErrorCode::Argument, "in no function's body");
  CHECK(debugger.breakpoint_count() == 4);
  debugger.remove_all({all.data(), all.size()});
  CHECK(debugger.breakpoint_count() == 1);
  FAILS(debugger.try_remove_all({all.data(), all.size()}), ErrorCode::Argument, "there is no breakpoint");
}

void looking() {
  Guest guest;
  int stops = 0;
  std::optional<Stop> kept;
  std::optional<Frame> kept_frame;
  std::optional<Breakpoint> at;
  Debugger debugger(guest.store, [&](Stop &stop) {
    stops++;
    CHECK(stop.valid() && stop.reason() == StopReason::Breakpoint && !stop.trap_code() && !stop.trap_message());
    CHECK(stop.breakpoints().size() == 1 && stop.breakpoints()[0] == *at);
    const std::vector<Frame> frames = stop.frames();
    CHECK(frames.size() == stop.frame_count() && !frames.empty() && !stop.try_frame(frames.size()).ok());
    const Frame &frame = frames[0];
    CHECK(frame.func_index() == 0 && frame.func_name() == "fib" && frame.offset() == at->offset() && frame.id() != 0);
    CHECK(frame.local_count() == 2 && frame.locals().size() == 2 && frame.local(0)->i32() == frame.locals()[0].i32());
    CHECK(!frame.local(2) && frame.local_name(0) == "n" && frame.local_name(1) == "twice" && !frame.local_name(2));
    CHECK(frame.operand_count() == 0 && frame.operands().empty() && !frame.called_through_host());
    CHECK(same(frame.module(), guest.module) && same(frame.instance(), guest.instance));
    CHECK(frame.instance().memory_at(0)->read_string(8, 5) == "hello");
    if (frames.size() > 1) {
      CHECK(frames[1].operand_count() > 0 && frames[1].operands()[0].kind() == ValKind::I32 && frames[1].id() != frame.id());
    }
    CHECK(same(Memory(*frame.instance().memory_at(0)).clone(), *guest.instance.memory_at(0)));
    if (stops == 3) CHECK(guest.outer(7) == 22); // a nested call, which does not stop
    Store store = stop.store();
    CHECK(store.raw() == guest.store.raw());
    kept.emplace(stop);
    kept_frame.emplace(frame);
  });
  at.emplace(debugger.break_at_function(guest.module, "fib"));
  CHECK(guest.fib(5) == 5 && stops == 15 && debugger.breakpoint_count() == 1 && at->func_index() == 0u);
  // a stop that is over
  CHECK(!kept->valid() && !kept_frame->valid());
  THROWS(kept->reason(), Error, "after its stop callback returned");
  THROWS(kept->frame(), Error, "after its callback returned");
  THROWS(kept->frames(), Error, "after its stop callback returned");
  THROWS(kept->breakpoints(), Error, "after its stop callback returned");
  THROWS(kept->store(), Error, "after its stop callback returned");
  THROWS(kept->message("x"), Error, "after its stop callback returned");
  THROWS(kept->break_at(guest.module, 100), Error, "the stop is over");
  THROWS(kept_frame->func_index(), Error, "`frame` is used after");
  THROWS(kept_frame->func_name(), Error, "`frame` is used after");
  THROWS(kept_frame->locals(), Error, "`frame` is used after");
  THROWS(kept_frame->instance(), Error, "`frame` is used after");
  at->remove();
  FAILS(at->try_remove(), ErrorCode::Argument, "breakpoint");
  CHECK(!at->offset() && !at->func_index() && guest.fib(5) == 5 && stops == 15);
  // places
  CHECK(debugger.break_at_function_index(guest.module, 1).func_index() == 1u);
  FAILS(debugger.try_break_at(guest.module, 1 << 20), ErrorCode::Argument, "offset");
  FAILS(debugger.try_break_at_function(guest.module, "nobody"), ErrorCode::Argument, "nobody");
  FAILS(debugger.try_break_at_function(guest.module, std::string("fib\0", 4)), ErrorCode::Argument, "NUL");
  FAILS(debugger.try_break_at_function_index(guest.module, 4), ErrorCode::Argument, "");
  FAILS(Debugger::try_make(guest.store, [](Stop &) {}), ErrorCode::State, "attached");
  Engine plain;
  Store refused(plain);
  FAILS(Debugger::try_make(refused, [](Stop &) {}), ErrorCode::State, "debug");
  std::optional<Breakpoint> left(debugger.break_at_function(guest.module, "outer"));
  { const Debugger ended = std::move(debugger); }
  CHECK(!left->offset() && guest.outer(1) == 4);
  FAILS(left->try_remove(), ErrorCode::State, "is gone");
}

void changing() {
  Guest guest;
  int stops = 0;
  Debugger debugger(guest.store, [&](Stop &stop) {
    const Frame frame = stop.frame();
    if (stop.frame_count() > 1) return;
    if (++stops == 1) {
      FAILS(frame.try_set_local(0, Val(std::int64_t(1))), ErrorCode::Argument, "local 0 is of type i32");
      FAILS(frame.try_set_local(2, Val(1)), ErrorCode::Argument, "no local 2");
      FAILS(frame.try_set_operand(0, Val(1)), ErrorCode::Argument, "no operand 0");
      FAILS(stop.try_jump(1), ErrorCode::Argument, "no instruction");
      FAILS(stop.try_return_early({}), ErrorCode::Argument, "0 results");
      frame.set_local(0, Val(7));
      CHECK(frame.local(0)->i32() == 7);
    } else {
      stop.return_early({Val(-3)});
      CHECK(frame.operands().size() == 1 && frame.operands()[0].i32() == -3);
      frame.set_operand(0, Val(-4));
    }
  });
  const Breakpoint at = debugger.break_at_function(guest.module, "fib");
  CHECK(guest.fib(5) == 13 && guest.fib(5) == -4 && stops == 2);
}

/* Frames that wait for a call: fib(n) adds what two calls return. */
void changing_callers() {
  Guest guest;
  int stops = 0;
  Debugger debugger(guest.store, [&](Stop &stop) {
    if (stop.frame(0).local(0)->i32() != 1 || stop.frame_count() != 5) return;
    // fib(5) waits for fib(4), and so on.
    stops++;
    const Frame outer = stop.frame(4), waiting = stop.frame(2);
    CHECK(outer.local(0)->i32() == 5 && waiting.local(0)->i32() == 3);
    FAILS(outer.try_set_local(0, Val(std::int64_t(1))), ErrorCode::Argument, "local 0 is of type i32");
    FAILS(outer.try_set_operand(outer.operand_count() - 1, Val(1)), ErrorCode::Argument, "is gone");
    FAILS(waiting.try_return_early({}), ErrorCode::Argument, "0 results");
    outer.set_local(0, Val(2));
    CHECK(outer.local(0)->i32() == 2);
    const std::size_t id = waiting.id();
    waiting.return_early({Val(100)});
    CHECK(stop.frame_count() == 3 && stop.frame().id() == id && stop.frame().operands().at(0).i32() == 100);
    CHECK(stop.frame(2).local(0)->i32() == 2);
  });
  const Breakpoint at = debugger.break_at_function(guest.module, "fib");
  // fib(3) is 100, so fib(4) is 100 + fib(2); fib(5) then adds fib(2 - 2), as if it were fib(2).
  const int whole = guest.fib(5);
  CHECK(stops == 1);
  at.remove();
  CHECK(whole == 100 + guest.fib(2) + guest.fib(0) && guest.fib(5) == 5);
}

void stepping() {
  Guest guest;
  std::string log;
  Action answer = Action::StepOver;
  Debugger debugger(guest.store, [&](Stop &stop) {
    log += *stop.frame().func_name() + std::to_string(stop.frame_count()) + " ";
    return answer;
  });
  Breakpoint at = debugger.break_at_function(guest.module, "outer");
  CHECK(guest.outer(5) == 16 && log == "outer1 outer1 outer1 outer1 outer1 ");
  log.clear();
  answer = Action::Step;
  CHECK(guest.outer(5) == 16 && log.find("helper2 ") != std::string::npos);
  at.remove();
  log.clear();
  answer = Action::StepOut;
  at = debugger.break_at_function(guest.module, "helper");
  CHECK(guest.outer(5) == 16 && log == "helper2 outer1 ");
  at.remove();
  log.clear();
  answer = Action::Continue;
  debugger.step_always(true);
  CHECK(guest.fib(3) == 2 && log.size() > 100);
  debugger.step_always(false);
  log.clear();
  CHECK(guest.fib(3) == 2 && log.empty());
}

/// Stops at exceptions: the frame that catches.
void at_exceptions() {
  Engine engine{Config().debug(true)};
  Store store{engine};
  Module module{store, bytes(EXCEPTIONS)};
  Instance instance{store, module};
  auto caught = instance.func<int(int)>("caught"), uncaught = instance.func<int(int)>("uncaught");
  std::string log;
  Debugger debugger(store, [&](Stop &stop) {
    CHECK(stop.reason() == StopReason::Exception && !stop.trap_code());
    const std::optional<Frame> catching = stop.catching_frame();
    log += catching ? *catching->func_name() + " " : "- ";
  });
  const auto both = [&] { CHECK(caught(7) == 7 && !uncaught.try_call(9).ok()); };
  both();
  CHECK(log.empty());
  debugger.stop_at_exceptions(ExceptionStops::Uncaught);
  both();
  CHECK(log == "- ");
  debugger.stop_at_exceptions(ExceptionStops::All);
  both();
  CHECK(log == "- caught - ");
}

/// What is told of instances, memories and calls of the host.
void events() {
  Engine engine{Config().debug(true)};
  Store store{engine};
  Module module{store, bytes(EVENTS)};
  std::string log;
  Debugger debugger(store, [&](Stop &stop) {
    switch (stop.reason()) {
      case StopReason::Module:
        CHECK(stop.module() && !stop.instance() && !stop.memory() && !stop.host_func() && !stop.host_import());
        log += "module ";
        break;
      case StopReason::Instance:
        CHECK(stop.module() && stop.instance()->global_at(0)->get().i32() == 0);
        log += "instance ";
        break;
      case StopReason::MemoryGrown: log += "grown " + std::to_string(stop.memory_old_size()) + " " + std::to_string(stop.memory()->pages()) + " "; break;
      default: {
        CHECK(stop.reason() == StopReason::HostCall || stop.reason() == StopReason::HostReturn);
        CHECK(stop.host_func() && stop.host_import()->first == "host" && !stop.host_failed());
        log += stop.host_import()->second + " " + std::to_string(stop.host_values().size()) + " ";
      }
    }
  });
  CHECK(debugger.events() == Event::Trap);
  const Event all = Event::Module | Event::Instance | Event::MemoryGrown | Event::HostCall | Event::HostReturn;
  debugger.events(all);
  CHECK(debugger.events() == all && (all & Event::Trap) == Event::None);
  CHECK(!debugger.try_events(static_cast<Event>(1 << 20)).ok());
  Linker linker{engine};
  linker.func("host", "add", [](std::int32_t a, std::int64_t b) { return a + b; });
  linker.func("host", "fail", [](std::int32_t) {});
  Instance instance = linker.instantiate(store, module);
  CHECK(instance.func<std::int64_t(std::int32_t)>("add")(2) == 42 && instance.func<int(int)>("grow")(2) == 1);
  CHECK(log == "module instance add 2 add 1 grown 1 3 ");
  debugger.events(Event::None);
  const std::string before = log;
  CHECK(instance.func<std::int64_t(std::int32_t)>("add")(2) == 42 && log == before);
}

/// Breakpoints that a callback removes while they are hit, also its own.
void removing() {
  Guest guest;
  int stops = 0;
  Debugger debugger(guest.store, [&](Stop &stop) {
    stops++;
    for (const Breakpoint &breakpoint : stop.breakpoints()) breakpoint.remove();
    CHECK(!stop.breakpoints()[0].offset());
    if (stops == 1) {
      std::size_t at = stop.frame().offset();
      while (FIB[at] != 0x6a) at++; // i32.add, in the same activation
      CHECK(stop.break_at(guest.module, at).offset() == at);
    }
  });
  debugger.break_at_function(guest.module, "fib");
  CHECK(guest.fib(5) == 5 && stops == 2 && debugger.breakpoint_count() == 0);
}

void throwing() {
  Guest guest;
  int stops = 0, when = 4;
  std::function<Action(Stop &)> what;
  Debugger debugger(guest.store, [&](Stop &stop) -> Action {
    if (++stops < when) return Action::Continue;
    stops = 0;
    return what(stop);
  });
  debugger.break_at_function(guest.module, "fib");
  what = [](Stop &) -> Action { throw Mine("stopped"); };
  try {
    guest.fib(6);
    CHECK(false);
  } catch (const Mine &mine) {
    CHECK(std::string(mine.what()) == "stopped");
  }
  const Result<int> result = guest.fib.try_call(6);
  CHECK(!result && result.error().cause() && !result.error().frames().empty());
  what = [](Stop &) -> Action { throw Mine("\xff\xfe"); };
  THROWS(guest.fib(6), Mine, "\xff\xfe");
  what = [](Stop &) -> Action { throw 7; };
  try {
    guest.fib(6);
    CHECK(false);
  } catch (int value) {
    CHECK(value == 7);
  }
  what = [](Stop &) -> Action { throw Trap("from the stop"); };
  THROWS(guest.fib(6), Trap, "from the stop");
  what = [](Stop &stop) {
    stop.message("enough");
    return Action::Trap;
  };
  THROWS(guest.fib(6), Trap, "enough");
  what = [](Stop &) { return static_cast<Action>(17); };
  THROWS(guest.fib(6), Trap, "17, which is no action");
  when = 1000;
  CHECK(guest.fib(6) == 8 && !guest.store.is_poisoned());

  // in a guest that a callback called, of a guest that was stopped: out through all of them
  int depth = 0, out = 0;
  when = 1;
  what = [&](Stop &) -> Action {
    if (++depth == 5) throw Mine("deep");
    try {
      guest.fib(3);
    } catch (const Mine &) {
      out++;
      throw;
    }
    return Action::Continue;
  };
  THROWS(guest.fib(6), Mine, "deep");
  CHECK(depth == 5 && out == 4);
  // caught half way, the outer call goes on
  depth = 0;
  what = [&](Stop &) -> Action {
    if (++depth == 3) throw Mine("caught");
    if (depth == 2) {
      THROWS(guest.fib(3), Mine, "caught");
      when = 1000;
    } else {
      guest.fib(3);
    }
    return Action::Continue;
  };
  CHECK(guest.fib(6) == 8);
}

void results() {
  Guest guest;
  int stops = 0;
  {
    Debugger debugger(guest.store, [&](Stop &) -> Result<Action> {
      if (++stops == 2) return Error("a result");
      return Action::Continue;
    });
    debugger.break_at_function(guest.module, "fib");
    THROWS(guest.fib(4), Error, "a result");
  }
  Debugger debugger(guest.store, [&](Stop &) -> Result<void> { return Trap("nothing"); });
  debugger.break_at_function(guest.module, "fib");
  THROWS(guest.fib(4), Trap, "nothing");
}

/// At a trap: what the callback throws is thrown, although the guest ends by its own trap.
void trapping() {
  Engine engine(Config().debug(true));
  Store store(engine);
  Instance instance(store, Module(store, bytes(TRAPS)));
  bool fails = false;
  int stops = 0;
  Debugger debugger(store, [&](Stop &stop) {
    stops++;
    CHECK(stop.reason() == StopReason::Trap && stop.trap_code() == TrapCode::IntegerDivisionByZero);
    CHECK(stop.trap_message() == "integer divide by zero" && stop.frame_count() == 2 && stop.breakpoints().empty());
    CHECK(stop.frame().operands()[0].i32() == 41 && stop.frame(1).local(0)->i32() == 41);
    if (fails) throw Mine("at the trap");
  });
  auto nested = instance.func<int(int, int)>("nested");
  THROWS(nested(41, 0), Trap, "integer divide by zero");
  fails = true;
  THROWS(nested(41, 0), Mine, "at the trap");
  CHECK(stops == 2 && nested(41, 1) == 41);
}

struct Counter {
  int *gone;
  explicit Counter(int &count) : gone(&count) {}
  ~Counter() { ++*gone; }
};

void ownership() {
  int gone = 0;
  Guest guest;
  {
    Debugger debugger(guest.store, [owned = std::make_unique<Counter>(gone)](Stop &) { CHECK(owned); });
    debugger.break_at_function(guest.module, "fib");
    CHECK(guest.fib(3) == 2 && gone == 0);
    CHECK(!Debugger::try_make(guest.store, [owned = std::make_unique<Counter>(gone)](Stop &) {}).ok());
    CHECK(gone == 1); // also when it fails
  }
  CHECK(gone == 2);
  // a debugger that its own callback ends: no further stop, and it is gone when the call is
  std::optional<Debugger> debugger;
  int stops = 0;
  std::optional<Breakpoint> at;
  debugger.emplace(guest.store, [&, owned = std::make_unique<Counter>(gone)](Stop &stop) {
    stops++;
    debugger.reset();
    CHECK(owned && gone == 2 && !at->offset() && stop.valid());
    FAILS(stop.try_break_at(guest.module, stop.frame().offset()), ErrorCode::State, "gone");
    FAILS(stop.breakpoints()[0].try_remove(), ErrorCode::State, "gone");
    return Action::Step;
  });
  at.emplace(debugger->break_at_function(guest.module, "fib"));
  CHECK(guest.fib(5) == 5 && stops == 1 && gone == 3 && !debugger);
  // then another can be attached
  debugger.emplace(guest.store, [&](Stop &) { stops++; });
  debugger->break_at_function(guest.module, "fib");
  CHECK(guest.fib(5) == 5 && stops == 16);
  debugger.reset();
  // a store and everything else ended inside its stop
  std::optional<Guest> other(std::in_place);
  std::optional<TypedFunc<int(int)>> fib(other->fib.clone());
  debugger.emplace(other->store, [&, owned = std::make_unique<Counter>(gone)](Stop &) {
    other.reset();
    fib.reset();
    debugger.reset();
    throw Mine("all gone");
  });
  debugger->break_at_function(other->module, "fib");
  THROWS((*fib)(5), Mine, "all gone");
  CHECK(gone == 4 && !other && !fib && !debugger);
  // the debugger last
  other.emplace();
  debugger.emplace(other->store, [owned = std::make_unique<Counter>(gone)](Stop &) {});
  other.reset();
  CHECK(gone == 4);
  debugger.reset();
  CHECK(gone == 5);
}

void compiling_ahead() {
  Guest guest;
  std::size_t calls = 0, all = 0;
  FAILS(guest.module.try_compile_debug([](std::size_t, std::size_t) { return false; }), ErrorCode::Cancelled, "cancelled");
  THROWS(guest.module.compile_debug([](std::size_t, std::size_t) -> bool { throw Mine("no progress"); }), Mine, "no progress");
  const auto nothing = [](Stop &) {};
  FAILS(Debugger::try_make(guest.store, nothing, [](std::size_t, std::size_t) { return false; }), ErrorCode::Cancelled, "cancelled");
  THROWS(Debugger(guest.store, nothing, [](std::size_t, std::size_t) -> bool { throw Mine("no attaching"); }), Mine, "no attaching");
  const auto progress = [&](std::size_t, std::size_t total) {
    all = total;
    return ++calls > 0;
  };
  guest.module.share().compile_debug(progress);
  CHECK(calls == all && all >= 1);
  guest.module.compile_debug();
  guest.module.share().compile_debug();
  Engine plain;
  FAILS(SharedModule(plain, bytes(FIB)).try_compile_debug(), ErrorCode::State, "debug");
}

/// Two stores, two threads, one debugged.
void threads() {
  Engine engine(Config().debug(true));
  SharedModule shared(engine, bytes(FIB));
  int stops = 0;
  const auto run = [&](bool debugged) {
    Store store(engine);
    Module module(store, shared);
    Instance instance(store, module);
    std::optional<Debugger> debugger;
    if (debugged) {
      debugger.emplace(store, [&](Stop &) {
        if (++stops == 100) throw Mine("on this thread");
      });
      debugger->break_at_function(module, "fib");
    }
    auto fib = instance.func<int(int)>("fib");
    if (debugged) {
      THROWS(fib(12), Mine, "on this thread");
    } else {
      for (int i = 0; i < 100; i++) CHECK(fib(12) == 144);
    }
  };
  std::thread other(run, false);
  run(true);
  other.join();
  CHECK(stops == 100);
}

/// What a watched global becomes, by the guest and by the host.
void watched() {
  Engine engine{Config().debug(true)};
  Store store{engine};
  Module module(store, bytes(WATCH));
  std::unique_ptr<Global> count;
  std::vector<WatchHit> hits;
  std::vector<std::size_t> stood;
  Debugger debugger(store, [&](Stop &stop) {
    CHECK(stop.reason() == StopReason::Watchpoint && stop.breakpoints().empty());
    for (const WatchHit &hit : stop.watch_hits()) hits.push_back(hit);
    stood.push_back(stop.frame().offset());
  });
  Func set(store, [&](std::int32_t value) { count->set(value); });
  Instance instance(store, module, set);
  count = std::make_unique<Global>(instance.try_global("count").value());
  FAILS(debugger.try_watch_global(instance.try_global("fixed").value()), ErrorCode::Argument, "immutable");
  const Watchpoint watchpoint = debugger.watch_global(*count);
  CHECK(watchpoint.kind() == WatchKind::Change && watchpoint.enabled() && watchpoint.hit_count() == 0);
  CHECK(debugger.watchpoints() == std::vector<Watchpoint>{watchpoint});
  instance.func<void(int)>("down")(1);
  instance.func<void(int)>("host")(20);
  CHECK(hits.size() == 2 && hits[0].watchpoint == watchpoint && hits[1].watchpoint == watchpoint);
  CHECK(hits[0].old_bytes == std::vector<std::uint8_t>({10, 0, 0, 0}) && hits[0].new_bytes == std::vector<std::uint8_t>({9, 0, 0, 0}));
  CHECK(!hits[0].by_host && hits[0].func_index == 1 && stood[0] == hits[0].offset + 2);
  CHECK(hits[1].by_host && hits[1].func_index == 2 && hits[1].new_bytes == std::vector<std::uint8_t>({20, 0, 0, 0}));
  CHECK(watchpoint.hit_count() == 2);
  watchpoint.enabled(false);
  CHECK(!watchpoint.enabled());
  instance.func<void(int)>("down")(1);
  CHECK(hits.size() == 2);
  Memory memory = instance.try_memory("memory").value();
  const Watchpoint bytes_of = debugger.watch_memory(memory, 64, 4, WatchKind::Access);
  instance.func<void(int)>("store")(5);
  instance.func<void(int)>("load")(64);
  instance.func<void(int)>("load")(60);
  CHECK(hits.size() == 4 && hits[2].watchpoint == bytes_of && hits[2].address == 64u && !hits[2].is_read);
  CHECK(hits[3].is_read && hits[3].new_bytes == std::vector<std::uint8_t>({5, 0, 0, 0}) && !hits[0].address);
  FAILS(debugger.try_watch_memory(memory, 65536, 1), ErrorCode::Argument, "bytes");
  bytes_of.remove();
  watchpoint.remove();
  FAILS(watchpoint.try_remove(), ErrorCode::Argument, "no watchpoint");
  CHECK(!watchpoint.kind() && debugger.watchpoints().empty());
  const Watchpoint last = debugger.watch_global(*count, WatchKind::Write);
  CHECK(last != watchpoint);
  {
    Debugger gone(std::move(debugger));
    FAILS(debugger.try_watch_global(*count), ErrorCode::Argument, "moved");
  }
  CHECK(!last.kind() && !last.enabled() && last.hit_count() == 0);
  FAILS(last.try_remove(), ErrorCode::State, "gone");
}

/// A local of a frame, until that is gone.
void watched_locals() {
  Engine engine{Config().debug(true)};
  Store store{engine};
  Module module(store, bytes(WATCH));
  std::vector<WatchHit> hits;
  std::optional<Watchpoint> watchpoint;
  std::optional<Frame> left;
  Debugger debugger(store, [&](Stop &stop) {
    if (stop.reason() == StopReason::Breakpoint) {
      FAILS(debugger.try_watch_local(stop.frame(), 1), ErrorCode::Argument, "no local 1");
      FAILS(debugger.try_watch_local(stop.frame(), 0, WatchKind::Access), ErrorCode::Argument, "reads of locals");
      watchpoint = debugger.watch_local(stop.frame(), 0);
      left = stop.frame();
    }
    for (const WatchHit &hit : stop.watch_hits()) {
      hits.push_back(hit);
      CHECK(stop.frame().offset() == hit.offset + 2 && stop.frame().func_index() == hit.func_index);
    }
  });
  Func set(store, [](std::int32_t) {});
  Instance instance(store, module, set);
  debugger.break_at_function(module, "down");
  instance.func<void(int)>("outer")(1);
  CHECK(hits.size() == 2 && hits[0].watchpoint == *watchpoint && hits[1].watchpoint == *watchpoint && !hits[0].address);
  CHECK(!hits[0].is_end && hits[0].old_bytes[0] == 1 && hits[0].new_bytes == std::vector<std::uint8_t>(4, 0));
  CHECK(hits[1].is_end && hits[1].old_bytes == std::vector<std::uint8_t>(4, 0) && hits[1].new_bytes.empty());
  CHECK(!watchpoint->kind() && debugger.watchpoints().empty());
  FAILS(debugger.try_watch_local(*left, 0), ErrorCode::Argument, "after its stop");
}

/// A store is served to debuggers of other programs; none comes.
void served() {
  Guest guest;
  {
    ServeOptions options;
    options.wait = true;
    options.name = "main";
    Server server(guest.store, options);
    CHECK(server.address().compare(0, 10, "127.0.0.1:") == 0 && !server.wait(std::chrono::milliseconds(1)));
    server.module_file(guest.module, "/nowhere/guest.wasm");
    FAILS(server.try_module_file(guest.module, std::string("a\0b", 3)), ErrorCode::Argument, "NUL");
    FAILS(Server::try_make(guest.store), ErrorCode::State, "attached");
    server.output(OutputStream::Out, Span<const char>("hello", 5));
    int result = 0;
    std::thread thread([&] { result = guest.fib(5); });
    server.stop();
    thread.join();
    CHECK(result == 5 && !server.wait());
    Server moved(std::move(server));
    moved.exited(0);
    THROWS(server.stop(), Error, "moved");
  }
  ServeOptions outside;
  outside.tcp = "0.0.0.0:0";
  FAILS(Server::try_make(guest.store, outside), ErrorCode::Argument, "token");
  outside.token = "secret";
  outside.on_disconnect = OnDisconnect::EndGuests;
  Server open(guest.store, outside);
  open.trapped("too bad");
  CHECK(guest.fib(4) == 3);
}

/// An editor, by hand: requests are sent, and messages are read up to one with a text.
class Editor {
public:
  explicit Editor(int descriptor) : descriptor_(descriptor) {
    const timeval most{20, 0};
    CHECK(setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most) == 0);
  }
  ~Editor() { close(descriptor_); }
  Editor(const Editor &) = delete;

  void ask(const std::string &command, const std::string &arguments = "{}") {
    const std::string body = "{\"seq\":" + std::to_string(++number_) + ",\"type\":\"request\",\"command\":\"" + command +
                             "\",\"arguments\":" + arguments + "}";
    const std::string message = "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    CHECK(write(descriptor_, message.data(), message.size()) == static_cast<ssize_t>(message.size()));
  }
  /// Whether a message has come that has this, be it long ago.
  bool hears(const std::string &text) {
    while (heard_.find(text) == std::string::npos) {
      char more[4096];
      const ssize_t count = read(descriptor_, more, sizeof more);
      if (count <= 0) return false;
      heard_.append(more, static_cast<std::size_t>(count));
    }
    return true;
  }

private:
  int descriptor_;
  int number_ = 0;
  std::string heard_;
};

/// A store is served to an editor, which comes, stops its guest, looks, and leaves.
void served_to_an_editor() {
  Guest guest;
  int both[2];
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, both) == 0);
  Editor editor(both[0]);
  ServeOptions options;
  options.protocol = Protocol::Dap;
  options.descriptors = std::make_pair(both[1], both[1]);
  options.wait = true;
  Server server(guest.store, options);
  close(both[1]); // the server has one of its own
  CHECK(server.wait(std::chrono::seconds(20)));
  int result = 0;
  std::thread thread([&] { result = guest.fib(5); });
  editor.ask("initialize", R"({"adapterID":"stepwell"})");
  CHECK(editor.hears("\"supportsConfigurationDoneRequest\":true"));
  editor.ask("attach");
  CHECK(editor.hears("\"event\":\"initialized\""));
  editor.ask("setFunctionBreakpoints", R"({"breakpoints":[{"name":"fib","hitCondition":"3"}]})");
  editor.ask("configurationDone");
  CHECK(editor.hears("\"event\":\"stopped\"") && editor.hears("\"reason\":\"function breakpoint\""));
  editor.ask("stackTrace", R"({"threadId":1})");
  CHECK(editor.hears("\"totalFrames\":4") && result == 0); // the first call has stood at its beginning already
  server.output(OutputStream::Err, Span<const char>("words", 5));
  CHECK(editor.hears("\"category\":\"stderr\""));
  editor.ask("disconnect", R"({"terminateDebuggee":false})");
  thread.join();
  CHECK(result == 5);
}

/// A guest that computes is paused, and its stops are looked at, on another thread.
void elsewhere() {
  Guest guest;
  StopQueue queue;
  Debugger debugger(guest.store, queue);
  Pauser pauser(debugger);
  CHECK(!queue.next(std::chrono::milliseconds(1)) && pauser.pause());
  int result = 0;
  std::thread thread([&] { result = guest.fib(5); });
  std::optional<Stop> stop = queue.next();
  CHECK(stop && stop->valid() && stop->reason() == StopReason::Pause && stop->frame_count() == 1);
  CHECK(stop->frame().func_name() == "fib" && stop->frame().local(0)->i32() == 5);
  Breakpoint at = debugger.break_at_function(guest.module, "fib");
  stop->frame().set_local(0, 6);
  FAILS(guest.fib.try_call(1), ErrorCode::State, "another stack");
  CHECK(queue.answer(*stop, Action::Continue) && !queue.answer(*stop));
  for (int i = 0; i < 24; i++) { // fib(6) is 25 calls, of which the first had begun
    stop = queue.next();
    CHECK(stop && stop->breakpoints().size() == 1 && stop->breakpoints()[0] == at);
    if (i == 23) at.remove();
    CHECK(queue.answer(*stop));
  }
  thread.join();
  CHECK(result == 8);
  // Who waits goes on when the queue is closed, and stops no more.
  CHECK(pauser.pause());
  std::thread last([&] { result = guest.fib(3); });
  CHECK(queue.next());
  queue.close();
  last.join();
  CHECK(result == 2 && !queue.next() && pauser.pause() && guest.fib(4) == 3);
  pauser.cancel();
  Pauser moved(std::move(pauser));
  THROWS(pauser.pause(), Error, "moved");

  Guest other;
  int served = 0;
  Debugger lending(other.store, [&](Stop &stopped) {
    stopped.serve([&] { served++; });
    stopped.serve([] { throw Mine("while it waited"); });
  });
  lending.break_at_function(other.module, "fib");
  THROWS(other.fib(1), Mine, "while it waited");
  CHECK(served == 1);
}

/// A debugger is attached to guests that run: in a host function, and where another thread asks for it.
void running() {
  Engine engine{Config().debug(true).epoch(true)};
  Store store{engine};
  Module module(store, bytes(ATTACH));
  std::optional<Debugger> debugger;
  int stops = 0, asked = 0;
  bool ends = false;
  std::optional<Instance> instance;
  const auto attach = [&] {
    if (debugger) return;
    debugger.emplace(store, [&](Stop &stop) {
      stops++;
      const Frame top = stop.frame(), outer = stop.frame(1);
      CHECK(!top.is_production() && top.local(0) && outer.is_production() && outer.id() > top.id() && outer.local_count() == 1);
      CHECK(outer.func_name() && outer.sources().empty() && same(outer.instance(), *instance));
      THROWS(outer.local(0), Error, "production code");
      THROWS(outer.locals(), Error, "production code");
      THROWS(outer.operands(), Error, "production code");
      THROWS(outer.operand_count(), Error, "production code");
      if (ends) instance->global("end").set(1);
    });
    debugger->break_at_function("leaf");
  };
  Func host(store, [&] { attach(); });
  instance.emplace(store, module, host);
  const TypedFunc<int(int)> deep = instance->func<int(int)>("deep"), spin = instance->func<int(int)>("spin"), leaf = instance->func<int(int)>("leaf");
  for (int i = 0; i < 2; i++) {
    stops = 0;
    CHECK(deep(30) == 30 * 31 / 2 + 30 && stops == 30);
    debugger.reset();
  }
  ends = true;
  stops = 0;
  Attacher attacher(store, [&] {
    asked++;
    attach();
  });
  std::thread thread([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    attacher.request();
  });
  CHECK(spin(1) > 1 && stops == 1 && asked == 1);
  thread.join();
  debugger.reset();
  attacher.request();
  attacher.cancel();
  CHECK(leaf(1) == 2 && asked == 1 && !debugger);
  Attacher moved(std::move(attacher));
  CHECK(!attacher.valid() && moved.valid());
  THROWS(attacher.request(), Error, "moved");
  Attacher fails(store, [] { throw Mine("a mistake"); });
  fails.request();
  THROWS(leaf(1), Mine, "a mistake");
  CHECK(leaf(1) == 2);
  Engine plain;
  Store without(plain);
  FAILS(Attacher::try_make(without, [] {}), ErrorCode::State, "configured for debugging");
}

} // namespace

int main() {
  looking();
  places();
  options();
  changing();
  changing_callers();
  stepping();
  removing();
  throwing();
  at_exceptions();
  events();
  results();
  trapping();
  ownership();
  compiling_ahead();
  threads();
  watched();
  watched_locals();
  served();
  served_to_an_editor();
  elsewhere();
  running();
}
