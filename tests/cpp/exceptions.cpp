// What host functions and callbacks throw: it passes no frame of the library, and comes out of the call that ran the guest.
#include "check.hpp"

#include <memory>
#include <new>
#include <stdexcept>
#include <thread>

using namespace stepwell;

namespace {

/// An exception of the host's own, not copied on its way.
struct Mine : std::runtime_error {
  using std::runtime_error::runtime_error;
  int number = 0;
};

struct MyTrap : Trap {
  using Trap::Trap;
  int number = 7;
};

/// An instance of `values`, with `host.fail` as given.
template <class F> Instance failing(Engine &engine, Store &store, F fail) {
  Linker linker(engine);
  Module module(store, bytes(VALUES));
  linker.func("host", "fail", std::move(fail));
  linker.fill_missing_with_defaults(store, module);
  return linker.instantiate(store, module);
}

void thrown() {
  Engine engine;
  Store store(engine);
  Instance instance = failing(engine, store, [](std::int32_t which) -> std::int32_t {
    switch (which) {
    case 0: return 100;
    case 1: throw Mine("mine");
    case 2: throw 42;
    case 3: throw Trap("a trap");
    case 4: throw MyTrap("my trap");
    case 5: throw Error(ErrorCode::System, "an error");
    case 6: throw ExitStatus(3);
    case 7: throw std::bad_alloc();
    case 8: throw std::runtime_error(std::string("\xff not UTF-8 \xfe"));
    case 9: throw std::runtime_error(std::string("a\0b", 3));
    case 10: throw std::runtime_error("");
    default: throw std::make_unique<int>(which);
    }
  });
  auto fail = instance.func<int(int)>("fail");
  CHECK(fail(0) == 100);
  THROWS(fail(1), Mine, "mine");
  try {
    fail(2);
    CHECK(false);
  } catch (int value) {
    CHECK(value == 42);
  }
  try {
    fail(3);
    CHECK(false);
  } catch (const Trap &trap) {
    CHECK(trap.message() == "a trap" && trap.code() == TrapCode::Host && trap.is_trap());
    CHECK(trap.frames().size() == 1 && trap.frames()[0].func_index == 3);
    CHECK(trap.backtrace().find("a trap") != std::string::npos);
  }
  try {
    fail(4);
    CHECK(false);
  } catch (const MyTrap &trap) {
    CHECK(trap.number == 7 && trap.frames().size() == 1);
  }
  try {
    fail(5);
    CHECK(false);
  } catch (const Trap &) {
    CHECK(false);
  } catch (const Error &error) {
    CHECK(error.code() == ErrorCode::System && error.frames().size() == 1);
  }
  try {
    fail(6);
    CHECK(false);
  } catch (const ExitStatus &exit) {
    CHECK(exit.status() == 3);
  }
  THROWS(fail(7), std::bad_alloc, "");
  THROWS(fail(8), std::runtime_error, "\xff not UTF-8 \xfe");
  THROWS(fail(9), std::runtime_error, "a");
  THROWS(fail(10), std::runtime_error, "");
  try {
    fail(12);
    CHECK(false);
  } catch (const std::unique_ptr<int> &value) {
    CHECK(*value == 12);
  }
  // calls that do not throw have it as a cause, with the guest's frames
  const Result<int> result = fail.try_call(1);
  CHECK(!result && result.error().cause() && result.error().frames().size() == 1 && !result.error().is_trap());
  THROWS(result.value(), Mine, "mine");
  THROWS(fail.func().call(1), Mine, "mine");
  CHECK(fail(0) == 100 && !store.is_poisoned());
  // by a throwing function called directly
  Func direct(store, [] { throw Mine("direct"); });
  THROWS(direct.call(), Mine, "direct");
  Func dynamic(store, FuncType{{}, {ValKind::ExternRef}}, [](Caller &caller, Span<const Val>, Span<Val> results) {
    results[0] = Ref::make(caller.store());
    throw Mine("dynamic");
  });
  THROWS(dynamic.call(), Mine, "dynamic");
}

/// Through guests that call hosts that call guests.
void nested() {
  Engine engine;
  Store store(engine);
  std::optional<TypedFunc<int(int)>> again;
  int caught = 0, passed = 0;
  struct Counted {
    int &count;
    ~Counted() { count++; }
  };
  Instance instance = failing(engine, store, [&](std::int32_t depth) -> std::int32_t {
    const Counted counted{passed};
    if (depth == 0) throw MyTrap("bottom");
    if (depth == 5) {
      try {
        return (*again)(depth - 1);
      } catch (MyTrap &trap) {
        caught++;
        CHECK(trap.frames().size() == (caught == 1 ? 10 : 11)); // those of all runs that were live, and none added on the way
        trap.number = 8;
        throw;
      }
    }
    if (depth == 50) {
      try {
        return (*again)(depth - 41);
      } catch (const Trap &) {
        caught++;
        return 1; // swallowed: the outer call succeeds
      }
    }
    if (depth == 60) {
      try {
        (*again)(3);
      } catch (const MyTrap &) {
        throw Mine("another");
      }
    }
    return (*again)(depth - 1);
  });
  again = instance.func<int(int)>("fail");
  try {
    (*again)(9);
    CHECK(false);
  } catch (const MyTrap &trap) {
    CHECK(trap.number == 8 && caught == 1 && passed == 10); // the same object all the way
  }
  CHECK((*again)(50) == 1 && caught == 3);
  THROWS((*again)(60), Mine, "another");
  CHECK((*again)(50) == 1);

  // plain C between: what it swallows does not come up later
  Func swallow(store, [&]() {
    wasm_val_t arg = Val(0).release(), result = wasm_val_t();
    const wasm_val_vec_t args = {1, &arg};
    wasm_val_vec_t results = {1, &result};
    wasm_trap_t *trap = wasm_func_call(again->func().raw(), &args, &results);
    CHECK(trap);
    wasm_trap_delete(trap);
  });
  swallow.call();
  Func swallow_and_trap(store, [&]() {
    swallow.call();
    throw Mine("of its own");
  });
  THROWS(swallow_and_trap.call(), Mine, "of its own");
}

/// Called by plain C: there is no call to keep the exception, so it is a trap with its message.
void by_plain_c() {
  Engine engine;
  Store store(engine);
  std::optional<Store> kept;
  Instance instance = failing(engine, store, [&](Caller &caller, std::int32_t a) -> std::int32_t {
    if (a == 1) { // a linker's function, called by plain C: the store is the caller's, as long as that lasts
      CHECK(Ref::make(caller.store()) && caller.instance()->func("same").valid());
      kept.emplace(caller.store().box());
    }
    throw Mine("nobody catches");
  });
  Func own(store, [](Caller &caller) {
    CHECK(caller.store().valid());
    throw Mine("here neither");
  });
  const auto message = [](const Func &func, int value, std::size_t count) {
    wasm_val_t arg = Val(value).release(), result = wasm_val_t();
    const wasm_val_vec_t args = {count, &arg};
    wasm_val_vec_t results = {1, &result};
    wasm_trap_t *trap = wasm_func_call(func.raw(), &args, &results);
    CHECK(trap);
    return detail::take_trap(trap, func.store()).message();
  };
  CHECK(message(instance.func("fail"), 0, 1) == "nobody catches");
  CHECK(message(instance.func("fail"), 1, 1) == "nobody catches");
  FAILS(Ref::try_make(*kept), ErrorCode::Argument, "`store` must not be NULL");
  CHECK(message(own, 0, 0) == "here neither");
}

/// Several stores on one thread, with plain C between: each function knows its own, and what it throws goes to its own call.
void several_stores() {
  Engine engine;
  Store a(engine), b(engine);
  std::optional<Func> inner;
  int depth = 0;
  const auto call_c = [](const Func &func) {
    wasm_val_t arg = Val(0).release(), result = wasm_val_t();
    const wasm_val_vec_t args = {1, &arg};
    wasm_val_vec_t results = {1, &result};
    wasm_trap_t *trap = wasm_func_call(func.raw(), &args, &results);
    CHECK(trap);
    CHECK(detail::take_trap(trap, func.store()).message() == "of b");
  };
  Instance in_a = failing(engine, a, [&](Caller &caller, std::int32_t value) -> std::int32_t {
    CHECK(stepwell_store_same(caller.store().raw(), a.raw()) && !stepwell_store_same(caller.store().raw(), b.raw()));
    if (depth++ == 0) call_c(*inner); // the innermost call that this header made is that of `a`
    if (value == 1) throw Mine("of a");
    return value;
  });
  Instance in_b = failing(engine, b, [&](Caller &caller, std::int32_t) -> std::int32_t {
    CHECK(stepwell_store_same(caller.store().raw(), b.raw()) && !stepwell_store_same(caller.store().raw(), a.raw()));
    throw Mine("of b");
  });
  inner.emplace(in_b.func("fail"));
  auto outer = in_a.func<int(int)>("fail");
  CHECK(outer(5) == 5);
  depth = 0;
  THROWS(outer(1), Mine, "of a");
  CHECK(!stepwell_store_same(nullptr, a.raw()) && stepwell_store_same(a.raw(), a.raw()));
}

/// A Result is as good as an exception.
void results() {
  Engine engine;
  Store store(engine);
  Func fail(store, [](std::int32_t a) -> Result<std::int32_t> {
    if (a == 0) return Trap("zero");
    if (a == 1) return Error("one");
    return a;
  });
  auto typed = fail.typed<int(int)>();
  CHECK(typed(5) == 5);
  THROWS(typed(0), Trap, "zero");
  THROWS(typed(1), Error, "one");
  CHECK(typed.try_call(1).error().code() == ErrorCode::Host && !typed.try_call(1).error().is_trap());
  Func nothing(store, []() -> Result<void> { return Error("nothing"); });
  THROWS(nothing.call(), Error, "nothing");
  Func nested(store, [&](std::int32_t a) -> Result<std::int32_t> { return typed.try_call(a); });
  CHECK((nested.typed<int(int)>())(6) == 6);
  THROWS(nested.call(0), Trap, "zero");
  Func dynamic(store, FuncType{{}, {}}, [](Caller &, Span<const Val>, Span<Val>) -> Result<void> { return Trap("values"); });
  THROWS(dynamic.call(), Trap, "values");
}

/// Traps of the guest's, and start functions.
void traps() {
  Engine engine;
  Store store(engine);
  Instance instance(store, Module(store, bytes(TRAPS)));
  auto nested = instance.func<int(int, int)>("nested");
  try {
    nested(1, 0);
    CHECK(false);
  } catch (const Trap &trap) {
    CHECK(trap.code() == TrapCode::IntegerDivisionByZero && trap.frames().size() == 2 && !trap.cause());
    const TrapFrame &frame = trap.frames()[0];
    CHECK(frame.func_name == "divide" && frame.module_name == "traps" && frame.func_index == 0);
    CHECK(TRAPS[frame.module_offset] == 0x6d && frame.func_offset > 0);
    CHECK(trap.backtrace().find("traps!nested") != std::string::npos);
  }
  CHECK(nested.try_call(1, 0).error().trap_code() == TrapCode::IntegerDivisionByZero);
  CHECK(instance.func("recurse").try_call().error().trap_code() == TrapCode::StackOverflow);
  Module start(store, bytes(START_TRAPS));
  THROWS(Instance(store, start), Trap, "unreachable");
  THROWS(Linker(engine).instantiate(store, start), Trap, "unreachable");
  CHECK(Instance::try_make(store, start).error().trap_code() == TrapCode::Unreachable);
}

/// A trap needs no store, and can go to another thread.
void across_threads() {
  std::exception_ptr kept;
  std::thread([&] {
    Engine engine;
    Store store(engine);
    Instance instance(store, Module(store, bytes(TRAPS)));
    try {
      instance.func("unreachable").call();
    } catch (...) {
      kept = std::current_exception();
    }
  }).join();
  THROWS(std::rethrow_exception(kept), Trap, "unreachable");
}

/// Functions that own what cannot be copied, gone exactly once.
struct Counter {
  int *gone;
  explicit Counter(int &count) : gone(&count) {}
  ~Counter() { ++*gone; }
};

void ownership() {
  int gone = 0;
  Engine engine;
  {
    Store store(engine);
    std::optional<Func> func(Func(store, [owned = std::make_unique<Counter>(gone)] { CHECK(owned); }));
    func->call();
    func.reset();
    CHECK(gone <= 1); // when nothing can call it any more
  }
  CHECK(gone == 1);
  {
    Store store(engine);
    Linker linker(engine);
    linker.func("a", "b", [owned = std::make_unique<Counter>(gone)](std::int32_t) {});
    CHECK(gone == 1);
    CHECK(!linker.try_func("a", "b", [owned = std::make_unique<Counter>(gone)](std::int32_t) {}).ok());
    CHECK(gone == 2); // also when it fails
  }
  CHECK(gone == 3);
  { // handles in whatever order
    std::optional<Engine> e(std::in_place);
    std::optional<Store> s(std::in_place, *e);
    std::optional<Func> f(Func(*s, [owned = std::make_unique<Counter>(gone)] { return 1; }));
    s.reset();
    e.reset();
    CHECK(f->call()[0].i32() == 1 && gone == 3);
  }
  CHECK(gone == 4);
  // a function that ends its own handle and the store's in the middle of a call
  {
    std::optional<Store> s(std::in_place, engine);
    std::optional<Func> f;
    f.emplace(Func(*s, [&, owned = std::make_unique<Counter>(gone)]() -> std::int32_t {
      f.reset();
      s.reset();
      CHECK(gone == 4 && owned);
      throw Mine("from beyond");
    }));
    THROWS(f->call(), Mine, "from beyond");
    CHECK(gone == 5 && !f && !s);
  }
  {
    std::optional<Store> s(std::in_place, engine);
    std::optional<TypedFunc<Ref()>> f;
    f.emplace(Func(*s, [&, owned = std::make_unique<Counter>(gone)](Caller &caller) {
                Ref ref = Ref::make(caller.store());
                f.reset();
                s.reset();
                return ref;
              }).typed<Ref()>());
    {
      const Ref ref = (*f)();
      CHECK(ref && gone == 5); // it keeps the store
    }
    CHECK(gone == 6);
  }
}

/// Objects that carry a C++ value, through a guest and back.
void carried_values() {
  int gone = 0;
  Engine engine;
  std::optional<Store> store(std::in_place, engine);
  using F = std::optional<Func>;
  Linker linker(engine);
  linker.func("host", "swap", [](std::int32_t a, std::int64_t b, float c, double d, F e, Ref f) {
    CHECK(*(*f.get_if<std::unique_ptr<Counter>>())->gone == 0 && !f.get_if<int>());
    return std::tuple<Ref, F, double, float, std::int64_t, std::int32_t>(std::move(f), std::move(e), d, c, b, a);
  });
  {
    Instance instance = failing(engine, *store, [](std::int32_t a) { return a; });
    linker.fill_missing_with_defaults(*store, instance.module());
    Instance swapping = linker.instantiate(*store, instance.module());
    auto through = swapping.func<std::tuple<Ref, F, double, float, std::int64_t, std::int32_t>(std::int32_t, std::int64_t, float,
                                                                                             double, F, Ref)>("through");
    Ref carrying = Ref::make(*store, std::make_unique<Counter>(gone));
    const auto back = through(0, 0, 0, 0, std::nullopt, carrying.clone());
    CHECK(same(std::get<0>(back), carrying) && std::get<0>(back).get_if<std::unique_ptr<Counter>>() == carrying.get_if<std::unique_ptr<Counter>>());
    CHECK(!Ref().get_if<int>() && !Ref::make(*store).get_if<int>() && *Ref::make(*store, 7).get_if<int>() == 7 && gone == 0);
    Global holds(*store, {ValKind::ExternRef, true}, Val(std::move(carrying)));
    CHECK(holds.get().ref().get_if<std::unique_ptr<Counter>>());
  }
  // what nothing holds any more is given back
  store->collect();
  CHECK(gone == 1);
  const std::size_t before = store->object_count();
  { Ref dropped = Ref::make(*store, std::make_unique<Counter>(gone)); }
  store->collect();
  CHECK(gone == 2 && store->object_count() <= before);
  Func inside(*store, [](Caller &caller) { FAILS(caller.store().try_collect(), ErrorCode::State, ""); });
  inside.call();
  Ref last = Ref::make(*store, std::make_unique<Counter>(gone));
  store.reset();
  CHECK(gone == 2);
}

/// Exceptions of WebAssembly: made and thrown by the host, caught by guests; thrown by guests, caught by the host.
void guest_exceptions() {
  Engine engine;
  Store store(engine);
  Module module(store, bytes(REFERENCES));
  Tag tag(store, {{ValKind::I32}}), other(store, {{}});
  CHECK(tag.type() == TagType{{ValKind::I32}} && !same(tag, other) && same(tag, tag.clone()));
  CHECK(std::get<TagType>(module.imports()[0].type) == tag.type());
  std::optional<ExnRef> seen;
  int threw = 0;
  Func throws(store, [&](std::int32_t n) {
    threw++;
    if (n == 100) throw Mine("mine");
    if (n == 101) throw GuestException(ExnRef::make(other));
    if (n == 102) ExnRef::make(tag, 102).raise();
    throw GuestException(ExnRef::make(tag, n));
  });
  Instance instance(store, module, tag, throws);
  auto catches = instance.func<int(int)>("catches");
  CHECK(catches(7) == 7 && catches(102) == 102);
  THROWS(catches(100), Mine, "mine");
  try { // of another tag
    catches(101);
    CHECK(false);
  } catch (const GuestException &exception) {
    CHECK(same(exception.exn().tag(), other) && exception.exn().values().empty());
  }
  // what nobody catches arrives with what it carries, and with the guest's frames
  for (const char *name : {"passes", "throws"}) {
    try {
      instance.func<void(int)>(name)(9);
      CHECK(false);
    } catch (const GuestException &exception) {
      CHECK(exception.is_trap() && exception.frames().size() == 1 && exception.exn().values()[0].i32() == 9);
      CHECK(same(exception.exn().tag(), tag));
      seen = exception.exn();
    }
  }
  const Result<void> failed = instance.func<void(int)>("throws").try_call(11);
  CHECK(!failed && failed.error().exn() && failed.error().exn()->values()[0].i32() == 11 && !same(*seen, *failed.error().exn()));
  THROWS(failed.value(), GuestException, "");
  THROWS(failed.value(), Trap, ""); // it is one
  CHECK(!Error("no exception").exn() && !instance.func<int(int)>("catches").try_call(100).error().exn());

  // as a value, through guests and host functions
  const auto caught = instance.func<std::tuple<int, std::optional<ExnRef>>(int)>("caught")(5);
  CHECK(std::get<0>(caught) == 5 && std::get<1>(caught)->values()[0].i32() == 5);
  const Val value(*std::get<1>(caught));
  CHECK(value.kind() == ValKind::ExnRef && same(*value.exn(), *std::get<1>(caught)) && value.is_ref());
  CHECK(Val::zero(ValKind::ExnRef).exn() == std::nullopt && !Ref().as_exn());
  try {
    instance.func<void(std::optional<ExnRef>)>("rethrows")(std::get<1>(caught));
    CHECK(false);
  } catch (const GuestException &exception) {
    CHECK(same(exception.exn(), *std::get<1>(caught)));
  }
  Func handing(store, [&](std::optional<ExnRef> exn) { return exn; });
  CHECK(same(*handing.call(Val(*seen))[0].exn(), *seen) && !handing.call(Val::zero(ValKind::ExnRef))[0].exn());

  // handed on by a host function that a guest called, and by one that looks at it
  Func outer(store, [&](std::int32_t n) {
    try {
      instance.func<void(int)>("throws")(n);
    } catch (const GuestException &exception) {
      if (exception.exn().values()[0].i32() == 1) return;
      throw;
    }
  });
  Instance second(store, module, tag, outer);
  CHECK(second.func<int(int)>("catches")(1) == -1 && second.func<int(int)>("catches")(2) == 2);
  // ... without throwing
  Func returning(store, [&](std::int32_t n) -> Result<void> { return ExnRef::make(tag, n).to_error(); });
  CHECK(Instance(store, module, tag, returning).func<int(int)>("catches")(3) == 3);

  FAILS(ExnRef::try_make(tag), ErrorCode::Argument, "");
  FAILS(ExnRef::try_make(tag, 1.5), ErrorCode::Argument, "");
  FAILS(instance.try_tag("throws"), ErrorCode::Argument, "exports no tag");
  Extern item(tag.clone());
  CHECK(item.kind() == ExternKind::Tag && same(*item.as_tag(), tag) && !item.as_func());
  CHECK(std::get<TagType>(item.type()) == tag.type());
  Linker linker(engine);
  linker.define("host", "tag", tag.clone()).define("host", "throws", throws.clone());
  CHECK(linker.instantiate(store, module).func<int(int)>("catches")(4) == 4);
  // errors may outlive what they came from
  std::optional<Error> kept;
  {
    Store short_lived(engine);
    Tag its(short_lived, {{ValKind::I64}});
    Func fails(short_lived, [&] { throw GuestException(ExnRef::make(its, std::int64_t{12})); });
    kept = fails.try_call().error();
  }
  CHECK(kept->exn()->values()[0].i64() == 12);
  // an exception of another store is no way to throw in this one
  Func wrong(store, [&] { kept->raise(); });
  CHECK(!wrong.try_call().ok() && threw == 7);

  // at the stop before it is thrown
  Engine debug(Config().debug(true));
  Store stopped(debug);
  Module thrower(stopped, bytes(EXCEPTIONS));
  Instance throwing(stopped, thrower);
  std::vector<ExnRef> stops;
  Debugger debugger(stopped, [&](Stop &stop) {
    CHECK(stop.reason() == StopReason::Exception && stop.catching_frame());
    stops.push_back(*stop.exception());
  });
  debugger.stop_at_exceptions(ExceptionStops::All);
  CHECK(throwing.func<int(int)>("caught")(8) == 8 && stops.size() == 1 && stops[0].values()[0].i32() == 8);
  CHECK(same(stops[0].tag(), throwing.tag("t")));
}

void output_callbacks() {
  int gone = 0;
  // threads of WASI end together, which is looked for where guests look at the epoch
  Engine engine(Config().epoch(true));
  Store store(engine);
  Module module(store, bytes(WASI));
  Linker linker(engine);
  std::string out;
  linker.define_wasi(store, WasiConfig()
                                .args({"prog", "one"})
                                .env({{"A", "bc"}})
                                .stdin_bytes(std::string("wxyz"))
                                .stdout_callback([&, owned = std::make_unique<Counter>(gone)](Span<const char> text) {
                                  out.append(text.begin(), text.end());
                                })
                                .stderr_callback([](Span<const char>) { throw Mine("written"); }));
  Instance instance = linker.instantiate(store, module);
  const auto call = [&](const char *name, int a) { return (instance.func<int(int)>(name))(a); };
  CHECK(call("write", 1) == 0 && out == "abcd" && call("args", 0) == 2);
  CHECK(call("environ", 0) == 'A' + ('=' << 8) + ('b' << 16) + ('c' << 24));
  CHECK(call("read", 0) == 0 && call("write", 1) == 0 && out == "abcdwxyz");
  THROWS(call("write", 2), Mine, "written");
  try {
    call("exit", 5);
    CHECK(false);
  } catch (const ExitStatus &exit) {
    CHECK(exit.status() == 5 && exit.exit_status() == 5);
  }
  CHECK(instance.func("exit").try_call(6).error().exit_status() == 6);
  CHECK(!WasiConfig().try_preopen_dir("/no/such/place", ".").ok());
  FAILS(WasiConfig().try_args({std::string("a\0b", 3)}), ErrorCode::Argument, "`args` has a NUL");
  WasiConfig used;
  used.stdout_callback([owned = std::make_unique<Counter>(gone)](Span<const char>) {});
  Linker(engine).define_wasi(store, std::move(used));
  THROWS(used.env_inherit(), Error, "a stepwell::WasiConfig was used after it was moved from");
  CHECK(gone == 0);
  { // the streams that are left: buffers that outlive the store, files, and input by a callback
    WasiBuffer buffer, small(3);
    {
      Store own(engine);
      Linker names(engine);
      int asked = 0;
      names.define_wasi(own, WasiConfig()
                                 .stdin_callback([&asked](Span<char> to) -> std::size_t {
                                   if (++asked == 2) throw Mine("no input");
                                   to.at(0) = 'A' + static_cast<char>(asked);
                                   return asked > 2 ? 0 : 1;
                                 })
                                 .stdout_buffer(buffer)
                                 .stderr_buffer(small)
                                 .max_descriptors(100)
                                 .max_threads(3));
      Module program(own, bytes(WASI));
      Instance running = names.instantiate(own, program);
      const auto run = [&](const char *name, int a) { return (running.func<int(int)>(name))(a); };
      CHECK(run("write", 1) == 0 && run("read", 0) == 0 && run("write", 1) == 0 && buffer.read() == "abcdBbcd");
      THROWS(run("read", 0), Mine, "no input");
      CHECK(run("read", 0) == 0 && asked == 3);
      run("write", 2);
      CHECK(small.size() <= 3);
    }
    CHECK(buffer.size() == 8 && buffer.take() == "abcdBbcd" && buffer.size() == 0 && buffer.read().empty());
    FAILS(WasiConfig().try_stdin_file("/no/such/file"), ErrorCode::System, "/no/such/file");
    FAILS(WasiConfig().try_stdout_file("/no/such/file"), ErrorCode::System, "/no/such/file");
    FAILS(WasiConfig().try_stderr_file("/no/such/file", true), ErrorCode::System, "/no/such/file");
    WasiBuffer moved = std::move(buffer);
    THROWS(buffer.size(), Error, "a stepwell::WasiBuffer was used after it was moved from");
    THROWS(WasiConfig().stdout_buffer(buffer), Error, "a stepwell::WasiBuffer was used after it was moved from");
  }
}

} // namespace

int main() {
  thrown();
  nested();
  by_plain_c();
  several_stores();
  results();
  traps();
  across_threads();
  ownership();
  carried_values();
  guest_exceptions();
  output_callbacks();
}
