// The pieces of code that docs/cpp.md shows: each function here stands in it word for word, and is run.
#include "check.hpp"

#include <deque>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <thread>

void imports_and_exports(stepwell::Store &store, const stepwell::Module &module) {
    using namespace stepwell;
    Func host(store, [](std::int32_t a, std::int64_t b) { return a + double(b); }); // (i32 i64) -> (f64)
    Global global(store, {ValKind::I64, true}, std::int64_t{40});
    Table table(store, {ValKind::FuncRef, {2, 8}});
    Memory memory(store, {{1, 3}});
    Instance instance(store, module, host, global, table, memory); // in the order the module asks for them

    auto call = instance.func<double(std::int32_t, std::int64_t)>("call_f"); // checked here
    std::cout << call(1, 2) << '\n';
    global.set(std::int64_t{41});
    table.set(0, instance.func("twice").to_ref());
    memory.write<std::uint32_t>(100, 0xdeadbeef);         // bounds are checked
    std::cout << memory.read<std::uint16_t>(102) << '\n'; // 0xdead
    for (std::uint8_t &byte : memory.bytes(0, 16)) byte = 0;
}

void types_of_references() {
    using namespace stepwell;
    const ValType eq = ValType::ref(HeapKind::Eq, false), i31 = ValType::parse("i31ref"); // not null; null too
    std::cout << to_string(eq) << ' ' << to_string(i31) << ' ' << i31.matches(ValKind::AnyRef) << ' ' << i31.matches(eq) << '\n';
    const FuncType unary = {{ValKind::I32}, {ValKind::I32}};
    const ValType function = ValType::ref(unary); // (ref null $type), where $type is that of `unary`
    std::cout << (function.func_type() == unary) << ' ' << function.is_nullable() << ' ' << function.matches(ValKind::FuncRef) << '\n';
}

void structures_and_arrays(stepwell::Store &store, const stepwell::Instance &instance) {
    using namespace stepwell;
    const ValType point = ValType::structure({{ValKind::I32, Storage::Value, false}, {ValKind::I64}}); // (i32 (mut i64))
    Ref made = Ref::structure(store, point, {40, std::int64_t{1}});
    made.set(1, std::int64_t{2});
    std::cout << instance.func("sum").call(Val::any(made.clone()))[0].i64() << '\n';
    const Ref given = instance.func("point").call(7, std::int64_t{8})[0].ref(); // the guest makes one
    std::cout << given.get(0).i32() << ' ' << (given.type() == point) << ' ' << given.length() << '\n';

    Ref text = Ref::array_of(store, ValType::array({ValKind::I32, Storage::I8}), 0, 5); // (array (mut i8))
    text.write_elements<char>(0, std::string("hello"));
    for (const char letter : text.read_elements<char>(0, text.length())) std::cout << letter;
    const Result<void> result = made.try_set(0, 1); // this field may not change
    if (!result) std::cout << '\n' << result.error().what() << '\n';
    std::cout << *Ref::i31(store, -5).as_i31() << ' ' << same(made.to_extern().to_any(), made) << '\n';
}

void exceptions_of_guests(stepwell::Store &store, const stepwell::Module &module) {
    using namespace stepwell;
    Tag tag(store, {{ValKind::I32}});
    Func throws(store, [&](std::int32_t n) { throw GuestException(ExnRef::make(tag, n + 1)); });
    Instance instance(store, module, tag, throws);
    std::cout << "caught: " << instance.func<std::int32_t(std::int32_t)>("catches")(1) << '\n';
    try {
        instance.func<void(std::int32_t)>("throws")(5);
    } catch (const GuestException &exception) {
        std::cout << same(exception.exn().tag(), tag) << ": " << exception.exn().values()[0].i32() << '\n';
    }
}

void failing_host_functions(const stepwell::Engine &engine) {
    using namespace stepwell;
    Store store(engine);
    auto fail = Func(store, [](std::int32_t a) -> std::int32_t {
                    if (a == 0) throw std::invalid_argument("zero");
                    if (a == 1) throw Trap("one");
                    return a;
                }).typed<std::int32_t(std::int32_t)>();
    try {
        fail(0); // through as many guests and hosts as there are between
    } catch (const std::invalid_argument &error) {
        std::cout << error.what() << '\n';
    }
    const Result<std::int32_t> result = fail.try_call(1); // does not throw
    if (!result) std::cout << result.error().what() << ", " << result.error().frames().size() << " frames\n";
}

void without_exceptions(const stepwell::Engine &engine, stepwell::Span<const std::uint8_t> binary) {
    using namespace stepwell;
    Result<Store> store = Store::try_make(engine);
    Result<Module> module = Module::try_make(*store, binary);
    if (!module) {
        std::cout << module.error().what() << '\n';
        return;
    }
    auto fail = Func::try_make(*store, [](std::int32_t a) -> Result<std::int32_t> {
        if (a == 0) return Trap("zero"); // ends the guest
        return a;
    });
    if (fail && !fail->try_call(0)) std::cout << "zero it was\n";
}

void callers_memory(stepwell::Linker &linker) {
    using stepwell::Caller;
    linker.func("host", "print", [](Caller &caller, std::uint32_t at, std::uint32_t size) { // (i32 i32) -> ()
        std::cout << caller.memory().read_string(at, size) << '\n';                        // of the instance that called
    });
}

void calls_that_wait(stepwell::Store &store, const stepwell::Module &module) {
    using namespace stepwell;
    Func fetch(store, [](std::uint32_t key) -> Result<std::int32_t> { return NotYet(key); }); // no answer yet
    Instance instance(store, module, fetch);
    std::deque<Call> calls;
    for (const int key : {1, 2, 3}) calls.emplace_back(instance.func("twice"), key);
    while (!calls.empty()) { // an event loop
        Call call = std::move(calls.front());
        calls.pop_front();
        if (call.run() == CallStatus::Waiting) {
            std::cout << "asked for " << *call.token() << '\n';
            call.answer(100); // when it is there: here, at once
            calls.push_back(std::move(call));
        } else {
            std::cout << "a result: " << call.results()[0].i32() << '\n';
        }
    }
}

void limiting(stepwell::Span<const std::uint8_t> binary) {
    using namespace stepwell;
    Engine engine(Config().fuel(true).epoch(true));
    Store store(engine);
    store.limits(1 << 20, 1000, 10); // bytes of memories, elements of tables, instances
    store.core_dumps(true);          // each trap carries a core dump from now on: error.core_dump()
    Instance instance(store, Module(store, binary));
    auto fib = instance.func<std::int32_t(std::int32_t)>("fib");

    store.set_fuel(10000); // as many instructions
    const Result<std::int32_t> result = fib.try_call(30);
    if (!result && result.error().trap_code() == TrapCode::OutOfFuel) std::cout << "out of fuel\n";

    store.set_fuel(UINT64_MAX);
    Interrupt interrupt(store);
    std::thread watchdog([&] { interrupt.raise(); }); // from any thread
    try {
        fib(40);
    } catch (const Trap &trap) {
        std::cout << trap.what() << '\n';
    }
    watchdog.join();
}

void saving(const stepwell::Engine &engine, const stepwell::SharedModule &module, const std::string &path) {
    using namespace stepwell;
    module.serialize_file(path); // compiled code: load it only from where you trust
    Result<SharedModule> loaded = SharedModule::try_deserialize_file(engine, path);
    if (!loaded) std::cout << "compile it again: " << loaded.error().what() << '\n';
}

void threads(const stepwell::Engine &engine, stepwell::Span<const std::uint8_t> binary) {
    const stepwell::SharedModule shared(engine, binary); // compiled once
    const auto work = [&] {
        stepwell::Store store(engine); // a store for each thread
        stepwell::Module module(store, shared);
        stepwell::Instance instance(store, module);
        std::cout << instance.func("fib").call(10)[0].i32() << '\n';
    };
    std::thread other(work);
    work();
    other.join();
}

void wasi(const stepwell::Engine &engine, stepwell::Span<const std::uint8_t> binary) {
    using namespace stepwell;
    Store store(engine);
    Module module(store, binary);
    std::string output;
    Linker linker(engine);
    linker.define_wasi(store, WasiConfig()
                                  .args({"program", "argument"})
                                  .env({{"HOME", "/"}})
                                  .stdout_callback([&](Span<const char> text) { output.append(text.begin(), text.end()); }));
    Instance instance = linker.instantiate(store, module);
    try {
        instance.func("exit").call(3);
    } catch (const ExitStatus &exit) {
        std::cout << "the program exited with status " << exit.status() << '\n';
    }
}

void stopping(const stepwell::Engine &engine, stepwell::Span<const std::uint8_t> binary) {
    using namespace stepwell;
    Store store(engine); // of an engine with Config().debug(true)
    Module module(store, binary);
    Instance instance(store, module);
    Debugger debugger(store, [](Stop &stop) {
        const Frame frame = stop.frame(); // the innermost
        std::cout << *frame.func_name() << '(' << frame.local(0)->i32() << "), " << stop.frame_count() << " frames\n";
        if (frame.local(0)->i32() == 3) {
            for (const Breakpoint &hit : stop.breakpoints()) hit.remove();
        }
        return Action::Continue; // or Step, NextLine, StepOut, Trap and others
    });
    Breakpoint at = debugger.break_at_function(module, "fib");
    instance.func("fib").call(5);
}

int main(int, char **argv) {
    stepwell::Engine engine(stepwell::Config().debug(true));
    stepwell::Store store(engine);
    imports_and_exports(store, stepwell::Module(store, bytes(KINDS)));
    types_of_references();
    {
        stepwell::Module module(store, bytes(HEAP_OBJECTS));
        stepwell::Linker linker(engine);
        linker.fill_missing_with_defaults(store, module);
        structures_and_arrays(store, linker.instantiate(store, module));
    }
    exceptions_of_guests(store, stepwell::Module(store, bytes(REFERENCES)));
    failing_host_functions(engine);
    without_exceptions(engine, bytes(FIB));
    stepwell::Linker linker(engine);
    callers_memory(linker);
    calls_that_wait(store, stepwell::Module(store, bytes(SUSPENDED)));
  limiting(bytes(FIB));
    const std::string path = std::string(argv[0]) + ".compiled";
    saving(engine, stepwell::SharedModule(engine, bytes(FIB)), path);
    CHECK(std::remove(path.c_str()) == 0);
    threads(engine, bytes(FIB));
    wasi(engine, bytes(WASI));
    stopping(engine, bytes(FIB));
}
