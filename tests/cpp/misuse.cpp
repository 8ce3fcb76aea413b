// Handles that were moved from, and objects of another store: errors, never undefined behaviour.
#include "check.hpp"

#include <memory>

using namespace stepwell;

namespace {

/// Moves an object away, and shows that the rest is an error that names its class.
template <class T, class... Uses> void moved(T &object, Uses... uses) {
  T away = std::move(object);
  CHECK(!object.valid() && away.valid() && !object.raw());
  const std::string text = std::string("a stepwell::") + T::class_name + " was used after it was moved from";
  const auto check = [&](auto use) {
    THROWS(use(), Error, text.c_str());
    try {
      use();
    } catch (const Error &error) {
      CHECK(error.code() == ErrorCode::Argument);
    }
  };
  (check(uses), ...);
  object = std::move(away);
  CHECK(object.valid());
  T &self = object;
  object = std::move(self); // to itself
}

void moved_from() {
  Config config;
  Config taken = std::move(config);
  THROWS(config.debug(true), Error, "a stepwell::Config was used after it was moved from");
  THROWS(Engine(std::move(config)), Error, "a stepwell::Config was used after it was moved from");
  Engine engine(std::move(taken));
  Store store(engine);
  SharedModule shared(engine, bytes(FIB));
  Module module(store, shared);
  Instance instance(store, module);
  Linker linker(engine);
  Func func = instance.func("fib");
  auto typed = func.typed<int(int)>();
  Global global(store, {ValKind::I32, true}, 1);
  Memory memory(store, {{1, 2}});
  Table table(store, {ValKind::FuncRef, {1, 2}});
  Extern item = func.clone();

  moved(engine, [&] { Store another(engine); }, [&] { Linker another(engine); }, [&] { SharedModule(engine, bytes(FIB)); });
  moved(store, [&] { store.limits(1, 1, 1); }, [&] { (void)store.is_poisoned(); }, [&] { Module(store, bytes(FIB)); },
        [&] { Module(store, shared); }, [&] { (void)Module::try_validate(store, bytes(FIB)).value(); },
        [&] { Instance(store, module); }, [&] { Func(store, [] {}); }, [&] { Func(store, FuncType(), [](Caller &, Span<const Val>, Span<Val>) {}); },
        [&] { Memory(store, MemoryType()); }, [&] { Global(store, GlobalType(), 1); }, [&] { Table(store, TableType()); },
        [&] { Ref::make(store); }, [&] { linker.instantiate(store, module); }, [&] { linker.get(store, "a", "b"); },
        [&] { linker.define_wasi(store, WasiConfig()); }, [&] { linker.fill_missing_with_defaults(store, module); },
        [&] { store.set_data(1); }, [&] { (void)store.data<int>(); }, [&] { store.wasi(WasiConfig()); },
        [&] { store.limiter([](const Growth &) { return true; }); },
        [&] { store.at_deadline([] { return std::optional<std::uint64_t>(); }); },
        [&] { linker.define_module(store, "lib", module); }, [&] { Debugger(store, [](Stop &) {}); });
  moved(shared, [&] { Module(store, shared); }, [&] { shared.compile_debug(); });
  moved(module, [&] { Instance(store, module); }, [&] { module.imports(); }, [&] { module.exports(); }, [&] { module.name(); },
        [&] { module.share(); }, [&] { module.func_count(); }, [&] { module.func_name(0); }, [&] { module.func_find("fib"); },
        [&] { module.compile_debug(); }, [&] { module.clone(); }, [&] { module.to_ref(); }, [&] { same(module, module); });
  moved(instance, [&] { instance.func("fib"); }, [&] { instance.func<int(int)>("fib"); }, [&] { instance.memory("m"); },
        [&] { instance.global("m"); }, [&] { instance.table("m"); }, [&] { instance.find("fib"); }, [&] { instance.exports(); },
        [&] { instance.func_at(0); }, [&] { instance.module(); }, [&] { linker.define_instance("x", instance); });
  moved(linker, [&] { linker.func("a", "b", [] {}); }, [&] { linker.shadowing(true); }, [&] { linker.instantiate(store, module); },
        [&] { linker.define("a", "b", item); }, [&] { linker.define_instance("x", instance); }, [&] { linker.get(store, "a", "b"); },
        [&] { linker.define_wasi(store, WasiConfig()); }, [&] { linker.fill_missing_with_defaults(store, module); },
        [&] { linker.define_wasi(); }, [&] { linker.clone(); }, [&] { linker.define_unknown_imports_as_traps(module); },
        [&] { linker.define_module(store, "lib", module); }, [&] { linker.instantiate_pre(shared); });
  moved(func, [&] { func.call(1); }, [&] { func.type(); }, [&] { func.param_count(); }, [&] { func.result_count(); },
        [&] { (void)func.typed<int(int)>(); }, [&] { func.clone(); }, [&] { Val val(func); }, [&] { (void)func.try_call(1).value(); });
  Call call(func, 1);
  moved(call, [&] { call.run(); }, [&] { call.run_slice(1); }, [&] { call.status(); }, [&] { call.token(); }, [&] { call.answer(1); },
        [&] { call.answer_trap(Trap("no")); }, [&] { call.answer_trap(std::make_exception_ptr(1)); }, [&] { call.results(); },
        [&] { call.wait_at_deadline(); }, [&] { call.clone(); });
  moved(func, [&] { Call another(func, 1); });
  moved(store, [&] { store.call_limit(1); });
  moved(global, [&] { global.get(); }, [&] { global.set(1); }, [&] { global.type(); });
  moved(memory, [&] { memory.data(); }, [&] { memory.size(); }, [&] { memory.pages(); }, [&] { memory.grow(1); }, [&] { memory.type(); },
        [&] { memory.read<int>(0); }, [&] { memory.write(0, 1); }, [&] { memory.read_c_string(0); }, [&] { memory.bytes(0, 0); });
  SharedMemory together(Engine(), {{1, 2}, false, 16, true});
  moved(together, [&] { together.data(); }, [&] { together.size(); }, [&] { together.pages(); }, [&] { together.grow(1); },
        [&] { together.type(); }, [&] { together.read(0, nullptr, 0); }, [&] { together.write(0, nullptr, 0); },
        [&] { together.notify(0, 1); }, [&] { Memory::from_shared(store, together); });
  moved(table, [&] { table.get(0); }, [&] { table.set(0, Ref()); }, [&] { table.grow(1); }, [&] { table.size(); }, [&] { table.type(); });
  moved(item, [&] { item.kind(); }, [&] { item.type(); }, [&] { item.as_func(); }, [&] { linker.define("a", "b", item); });
  {
    auto away = std::move(typed);
    THROWS(typed(1), Error, "a stepwell::TypedFunc was used after it was moved from");
    THROWS(typed.clone(), Error, "moved from");
    CHECK(!typed.valid() && away(10) == 55);
  }
  Func gone = std::move(func);
  FAILS(Instance::try_make(store, module, func), ErrorCode::Argument, "import 0 is a handle that was moved from");
  FAILS(TypedFunc<int(int)>::try_make(std::move(func)), ErrorCode::Argument, "a stepwell::Func was used");

  Engine debug(Config().debug(true));
  Store debugged(debug);
  Module other(debugged, bytes(FIB));
  Debugger debugger(debugged, [](Stop &) {});
  moved(debugger, [&] { debugger.break_at(other, 0); }, [&] { debugger.break_at_function(other, "fib"); },
        [&] { debugger.break_at_function_index(other, 0); }, [&] { debugger.step_always(true); }, [&] { debugger.stop_at_exceptions(ExceptionStops::All); }, [&] { debugger.breakpoint_count(); });
  Call standing(Instance(debugged, other).func("fib"), 1);
  moved(debugger, [&] { debugger.stop_of(standing); }, [&] { debugger.answer(standing, Action::Continue); });
  moved(standing, [&] { debugger.stop_of(standing); }, [&] { debugger.answer(standing, Action::Continue); });
  FAILS(debugger.try_stop_of(call), ErrorCode::Argument, "another store");
  FAILS(debugger.try_answer(call, Action::Continue), ErrorCode::Argument, "another store");
  Module nowhere = std::move(other);
  THROWS(debugger.break_at(other, 0), Error, "a stepwell::Module was used after it was moved from");
}

void of_another_store() {
  Engine engine, other_engine;
  Store store(engine), other(engine), stranger(other_engine);
  Module module(store, bytes(KINDS));
  Func f(other, [](int a, std::int64_t b) { return a + double(b); });
  Global g(store, {ValKind::I64, true}, std::int64_t{1});
  Table t(store, {ValKind::FuncRef, {2, 8}});
  Memory m(store, {{1, 3}});
  FAILS(Instance::try_make(store, module, f, g, t, m), ErrorCode::Argument, "another store");
  FAILS(t.try_set(0, f.to_ref()), ErrorCode::Argument, "another store");
  FAILS(t.try_grow(1, f.to_ref()), ErrorCode::Argument, "another store");
  FAILS(Table::try_make(store, {ValKind::FuncRef, {1, 2}}, f.to_ref()), ErrorCode::Argument, "another store");
  FAILS(Global::try_make(store, {ValKind::FuncRef, true}, Val(f)), ErrorCode::Argument, "another store");
  Func takes(store, [](std::optional<Func>) {});
  FAILS(takes.try_call(Val(f)), ErrorCode::Argument, "another store");
  auto typed = takes.typed<void(std::optional<Func>)>();
  FAILS(typed.try_call(f.clone()), ErrorCode::Argument, "another store");
  typed(std::nullopt);
  Func gives(store, [&]() -> std::optional<Func> { return f.clone(); });
  FAILS(gives.try_call(), ErrorCode::Host, "another store");
  FAILS(Call::try_make(takes, Val(f)), ErrorCode::Argument, "another store");
  Call call(Func(store, []() -> Result<std::optional<Func>> { return NotYet(1); }));
  CHECK(call.run() == CallStatus::Waiting);
  FAILS(call.try_answer(f), ErrorCode::Argument, "another store");
  call.answer(takes);
  CHECK(call.run() == CallStatus::Finished && same(*call.results().at(0).func(), takes));
  CHECK(!Instance::try_make(stranger, module).ok());
  CHECK(!store.is_poisoned() && takes.try_call(Val(gives)).ok());
}

/// Results and errors themselves.
void results() {
  Result<int> good(1);
  const Result<int> bad(Error("bad"));
  CHECK(good && good.value() == 1 && *good == 1 && !bad);
  THROWS(bad.value(), Error, "bad");
  THROWS(*bad, Error, "bad");
  THROWS(good.error(), Error, "a success was asked for its error");
  THROWS(Result<void>().error(), Error, "a success was asked for its error");
  THROWS(Result<void>(Trap("t")).value(), Trap, "t");
  THROWS(Result<int>(ExitStatus(2)).value(), ExitStatus, "status 2");
  Result<std::unique_ptr<int>> owned(std::make_unique<int>(3));
  CHECK(*std::move(owned).value() == 3);
  Error error("one"), copy = error, away = std::move(error);
  CHECK(copy.message() == "one" && away.message() == "one" && std::string(error.what()).find("moved") != std::string::npos);
  CHECK(error.frames().empty() && !error.is_trap() && !error.exit_status() && !error.offset() && !error.cause());
  CHECK(error.code() == ErrorCode::Argument && error.backtrace().empty());
  const std::vector<int> numbers = {1, 2};
  const Span<const int> span = numbers;
  CHECK(span.at(1) == 2 && span[0] == 1);
  THROWS(span.at(2), Error, "element 2 of 2");
}

} // namespace

int main() {
  moved_from();
  of_another_store();
  results();
}
