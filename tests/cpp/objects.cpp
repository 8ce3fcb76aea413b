// Normal use of every kind of object.
#include "check.hpp"

#include <cmath>
#include <functional>
#include <limits>
#include <thread>

using namespace stepwell;

static void modules_and_functions() {
  CHECK(version_number() == STEPWELL_VERSION_NUMBER && std::string(version()) == STEPWELL_VERSION_STRING);
  Engine engine;
  Store store(engine);
  Module module(store, bytes(FIB));
  CHECK(module.name() == "fib" && module.func_count() == 4);
  CHECK(module.func_name(1) == "helper" && !module.func_name(9) && module.func_find("outer") == 2u && !module.func_find("none"));
  CHECK(module.imports().empty() && module.exports().size() == 3 && module.exports()[0].name == "fib");
  const FuncType type = {{ValKind::I32}, {ValKind::I32}};
  CHECK(std::get<FuncType>(module.exports()[0].type) == type && to_string(type) == "(i32) -> (i32)");

  Instance instance(store, module);
  Func fib = instance.func("fib");
  CHECK(fib.type() == type && fib.param_count() == 1 && fib.result_count() == 1);
  CHECK(fib.call(10).at(0).i32() == 55);
  const std::vector<Val> args = {20};
  CHECK(fib.call_with(args)[0].get<std::uint32_t>() == 6765);
  const TypedFunc<std::int32_t(std::int32_t)> typed = fib.typed<std::int32_t(std::int32_t)>();
  CHECK(typed(10) == 55 && typed.call(11) == 89 && typed.try_call(12).value() == 144);
  CHECK((instance.func<unsigned(int)>("outer"))(5) == 16);
  THROWS(fib.typed<void(std::int32_t)>(), Error, "(i32) -> (i32), and was asked for as (i32) -> ()");
  THROWS(fib.call(), Error, "");
  THROWS(fib.call(1.5), Error, "parameter 0 is");
  THROWS(instance.func("nobody"), Error, "no function \"nobody\"");
  CHECK(!instance.find("nobody") && !instance.find(std::string("fib\0", 4)));

  CHECK(instance.exports().size() == 3 && instance.exports()[1].first == "outer");
  CHECK(instance.exports()[1].second.kind() == ExternKind::Func && instance.exports()[1].second.as_func()->call(1)[0].i32() == 4);
  CHECK(same(*instance.func_at(0), fib) && same(fib.clone(), fib) && !same(fib, *instance.func_at(1)) && !instance.func_at(99));
  CHECK(same(instance.module(), module));
  Memory memory = *instance.memory_at(0);
  CHECK(memory.read_string(8, 5) == "hello" && instance.global_at(0)->get<std::int32_t>() > 0 && !instance.table_at(0));

  FAILS(Module::try_make(store, std::vector<std::uint8_t>{'n', 'o', 'n', 'e'}), ErrorCode::InvalidModule, "");
  CHECK(Module::try_validate(store, bytes(FIB)).ok());
  FAILS(Module::try_validate(store, Span<const std::uint8_t>()), ErrorCode::InvalidModule, "");
  try {
    const std::vector<std::uint8_t> broken(FIB, FIB + 100);
    Module refused(store, broken);
    CHECK(false);
  } catch (const Error &error) {
    CHECK(error.code() == ErrorCode::InvalidModule && error.offset());
  }
}

static void shared_modules() {
  Engine engine;
  SharedModule shared(engine, bytes(FIB));
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; i++) {
    threads.emplace_back([&] {
      Store store(engine);
      Module module(store, shared);
      CHECK((Instance(store, module).func<int(int)>("fib"))(15) == 610);
      CHECK(module.share().valid());
    });
  }
  for (std::thread &thread : threads) thread.join();
  Engine other;
  Store stranger(other);
  FAILS(Module::try_make(stranger, shared), ErrorCode::Argument, "engine");
}

static void imports() {
  Engine engine;
  Store store(engine);
  Module module(store, bytes(KINDS));
  Func f(store, [](std::int32_t a, std::int64_t b) { return a + static_cast<double>(b) / 2; });
  Global g(store, {ValKind::I64, true}, std::int64_t{40});
  Table t(store, {ValKind::FuncRef, {2, 8}});
  Memory m(store, {{1, 3}});
  Instance instance(store, module, f, g, t, m);
  CHECK((instance.func<double(int, std::int64_t)>("call_f"))(1, 3) == 2.5);
  g.set(std::int64_t{41});
  CHECK((instance.func<std::int64_t()>("get_g"))() == 41 && instance.global("g").get().i64() == 41);
  CHECK(g.type().is_mutable && g.type().content == ValKind::I64);
  THROWS(g.set(1.0), Error, "f64");
  THROWS(g.get<float>(), Error, "a value is i64, and was asked for as f32");
  Global own = instance.global("own");
  THROWS(own.set(8), Error, "");
  CHECK(own.get<int>() == 7 && !own.type().is_mutable);

  // memory: typed access, bounds, growing
  m.write<std::uint32_t>(100, 0xdeadbeef);
  CHECK(m.read<std::uint32_t>(100) == 0xdeadbeef && (instance.func<int(int)>("load"))(100) == 0xef);
  struct Point {
    std::int16_t x, y;
  };
  m.write(65532, Point{1, -2});
  CHECK(m.read<Point>(65532).y == -2 && m.size() == 65536 && m.pages() == 1 && m.type().limits.max == 3u);
  THROWS(m.read<std::uint64_t>(65529), Error, "8 bytes at 65529 are not all in a memory of 65536 bytes");
  THROWS(m.write(65536, char{}), Error, "65536");
  THROWS(m.read<char>(std::numeric_limits<std::uint64_t>::max()), Error, "");
  THROWS(m.bytes(1, std::numeric_limits<std::uint64_t>::max()), Error, "");
  CHECK(m.bytes(65536, 0).empty());
  m.write_bytes(200, std::string("bytes"));
  m.write_bytes(300, std::vector<std::uint8_t>{1, 2, 3});
  CHECK(m.read_c_string(200) == "bytes" && m.read_string(301, 1) == "\2");
  for (std::uint8_t &byte : m.bytes(65500, 36)) byte = 'x';
  THROWS(m.read_c_string(65500), Error, "no NUL-terminated string at 65500");
  THROWS(m.read_c_string(65536), Error, "");
  THROWS(m.write_bytes(65530, std::string("too long")), Error, "");
  m.grow(2);
  CHECK(m.pages() == 3 && (instance.func<int()>("size"))() == 3 && m.data().size() == 3 * 65536);
  THROWS(m.grow(1), Error, "");
  THROWS(m.data().at(3 * 65536), Error, "");
  m.data()[0] = 9;
  CHECK((instance.func<int(int)>("load"))(0) == 9);
#if defined(STEPWELL_HPP_STD_SPAN)
  const std::span<std::uint8_t> view = m.data();
  CHECK(view.size() == m.size() && view[0] == 9);
#endif

  // tables
  t.set(1, instance.func("twice").to_ref());
  CHECK((instance.func<std::int64_t(int)>("call_t"))(1) == 42 && t.get(0).is_null() && t.size() == 2);
  CHECK(same(*t.get(1).as_func(), instance.func("twice")) && t.type().limits.max == 8u);
  t.grow(3, f.to_ref());
  CHECK(t.size() == 5 && same(*t.get(4).as_func(), f) && instance.table("t").size() == 5);
  THROWS(t.get(5), Error, "element 5 of a table of 5");
  THROWS(t.set(5, Ref()), Error, "");
  THROWS(t.set(0, Ref::make(store)), Error, "");
  THROWS(t.grow(4), Error, "");

  // as lists, and what does not fit
  std::vector<Extern> list;
  list.emplace_back(f.clone());
  list.emplace_back(g.clone());
  list.emplace_back(t.clone());
  CHECK(!Instance::try_make_with(store, module, list).ok());
  list.emplace_back(m.clone());
  CHECK(Instance::try_make_with(store, module, list).ok());
  CHECK(list[1].kind() == ExternKind::Global && list[1].as_global() && !list[1].as_memory() && !list[1].as_func());
  CHECK(std::get<TableType>(list[2].type()).limits.min == 5 && std::get<MemoryType>(list[3].type()).limits.max == 3u);
  FAILS(Instance::try_make(store, module, f, g, m, t), ErrorCode::Link, "");
  FAILS(Memory::try_make(store, {{70000, std::nullopt}}), ErrorCode::Limit, "");
  FAILS(Memory::try_make(store, {{1, std::nullopt}, false, 12}), ErrorCode::Argument, "no pages of 2^12 bytes");
  {
    Memory wide(store, {{1, std::uint64_t(1) << 40}, true});
    CHECK(wide.type().is_64 && wide.type().limits.max == std::uint64_t(1) << 40 && wide.type().page_size_log2 == 16);
    Memory small(store, {{5, 9}, false, 0});
    small.grow(4);
    CHECK(small.pages() == 9 && small.size() == 9 && small.type().page_size_log2 == 0 && !small.type().is_64);
    FAILS(small.try_grow(1), ErrorCode::Limit, "cannot grow by 1 pages");
    CHECK(Table(store, {ValKind::FuncRef, {1, std::nullopt}, true}).type().is_64);
  }
  FAILS(Global::try_make(store, {ValKind::I32, false}, 1.0f), ErrorCode::Argument, "");
  FAILS(Table::try_make(store, {ValKind::I32, {1, 2}}), ErrorCode::Argument, "");
  CHECK(module.imports()[3].module == "env" && module.imports()[3].name == "m");
  CHECK(std::get<GlobalType>(module.imports()[1].type).is_mutable);
}

static void values() {
  Engine engine;
  Store store(engine);
  Module module(store, bytes(VALUES));
  Linker linker(engine);
  using F = std::optional<Func>;
  linker.func("host", "swap", [](std::int32_t a, std::int64_t b, float c, double d, F e, Ref f) {
    return std::tuple<Ref, F, double, float, std::int64_t, std::int32_t>(std::move(f), std::move(e), d, c, b, a);
  });
  linker.func("host", "fail", [](std::int32_t a) { return a; });
  Instance instance = linker.instantiate(store, module);
  auto through = instance.func<std::tuple<Ref, F, double, float, std::int64_t, std::int32_t>(
      std::int32_t, std::int64_t, float, double, F, Ref)>("through");
  float signalling;
  const std::uint32_t bits = 0x7fa00001;
  std::memcpy(&signalling, &bits, 4);
  Ref object = Ref::make(store);
  const auto [a, b, c, d, e, f] = through(-5, std::numeric_limits<std::int64_t>::min(), signalling, 0.5, through.func().clone(), object.clone());
  CHECK(same(a, object) && !same(a, Ref::make(store)) && !a.as_func() && same(*b, through.func()) && c == 0.5);
  CHECK(std::memcmp(&d, &bits, 4) == 0 && e == std::numeric_limits<std::int64_t>::min() && f == -5);
  const auto nulls = through(0, 0, 0, 0, std::nullopt, Ref());
  CHECK(!std::get<0>(nulls) && !std::get<1>(nulls) && same(std::get<0>(nulls), Ref()));

  std::vector<Val> vals = through.func().call(1, std::int64_t{2}, 3.0f, 4.0, Val(through.func()), Val(object.clone()));
  CHECK(vals.size() == 6 && same(vals[0].ref(), object) && same(*vals[1].func(), through.func()) && vals[5].i32() == 1);
  vals.push_back(vals[0]);
  vals[1] = vals[6];
  CHECK(same(vals[1].get<Ref>(), object) && vals[1].kind() == ValKind::ExternRef);
  Val moved = std::move(vals[1]);
  CHECK(moved.is_ref() && !vals[1].is_ref() && Val::zero(ValKind::FuncRef).func() == std::nullopt);
  THROWS(moved.i32(), Error, "externref");
  THROWS(moved.func(), Error, "externref");
  THROWS(Val(1).ref(), Error, "i32");
  CHECK(Val(1u).i32() == 1 && Val(std::uint64_t{1}).i64() == 1 && Val(1.5).get<double>() == 1.5 && Val() .i32() == 0);
  // every object can be an external reference
  CHECK(same(std::get<0>(through(0, 0, 0, 0, std::nullopt, instance.to_ref())), instance.to_ref()));

  // a function whose type is known only at run time
  const FuncType type = {{ValKind::I32, ValKind::ExternRef}, {ValKind::ExternRef, ValKind::I32}};
  Func dynamic(store, type, [](Caller &caller, Span<const Val> args, Span<Val> results) {
    CHECK(caller.store().valid());
    results[0] = args[1];
    results[1] = args[0].i32() + 1;
  });
  CHECK(dynamic.type() == type && dynamic.call(1, object.clone())[1].i32() == 2);
  CHECK(same(dynamic.call(1, object.clone())[0].ref(), object));
}

static void vectors() {
  Engine engine(Config().debug(true));
  Store store(engine);
  Module module(store, bytes(VECTORS));
  const V128 ints = V128::of<std::int32_t>({1, 2, 3, 4}), floats = V128::of<double>({0.5, -1}), zeros;
  CHECK(ints == V128::of<std::uint8_t>({1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4}) && ints != floats && V128() == zeros);
  CHECK(ints.as<std::int32_t>()[3] == 4 && floats.as<double>()[1] == -1 && floats.as<float>().size() == 4);

  // values: owned, copied, moved, of another kind
  Val value(ints), copy(value), other = 1;
  CHECK(value.kind() == ValKind::V128 && !value.is_ref() && value.v128() == ints && value.get<V128>() == ints);
  other = value;
  value = floats;
  const Val moved = std::move(copy);
  CHECK(other.v128() == ints && value.v128() == floats && moved.v128() == ints && copy.i32() == 0);
  CHECK(Val::zero(ValKind::V128).v128() == zeros && std::string(to_string(ValKind::V128)) == "v128");
  THROWS(value.i32(), Error, "a value is v128, and was asked for as i32");
  THROWS(Val(1).v128(), Error, "a value is i32, and was asked for as v128");

  // host functions, raw and not, of a linker and of a store; a global
  Linker linker(engine);
  const auto twice = [](const V128 &a) {
    std::array<std::int32_t, 4> lanes = a.as<std::int32_t>();
    for (std::int32_t &lane : lanes) lane *= 2;
    return V128::of<std::int32_t>(lanes);
  };
  linker.func("host", "turn", [&](V128 a, std::int32_t b) { return std::tuple<std::int32_t, V128>(b, twice(a)); });
  linker.func("host", "raw", [](Caller &, std::int32_t, V128 a, V128 b) -> Result<std::tuple<V128, V128>> { return std::tuple<V128, V128>(b, a); });
  linker.func("host", "mixed", [](Ref a, V128 b, double c) {
    return std::tuple<V128, Ref, V128>(b, std::move(a), V128::of<double>({c, c}));
  });
  Global shared(store, {ValKind::V128, true}, floats);
  linker.define("host", "shared", shared.clone());
  Instance instance = linker.instantiate(store, module);
  CHECK(std::get<FuncType>(module.imports()[0].type) == FuncType({{ValKind::V128, ValKind::I32}, {ValKind::I32, ValKind::V128}}));
  CHECK((instance.func<V128(V128, V128)>("add"))(ints, ints) == twice(ints));
  auto turn = instance.func<std::tuple<std::int32_t, V128>(V128, std::int32_t)>("turn");
  CHECK(turn(ints, 5) == (std::tuple<std::int32_t, V128>(5, twice(ints))));
  CHECK((instance.func<std::tuple<V128, V128>(int, V128, V128)>("raw"))(7, ints, floats) == (std::tuple<V128, V128>(floats, ints)));
  Ref object = Ref::make(store);
  auto mixed = instance.func<std::tuple<V128, Ref, V128>(Ref, V128, double)>("mixed");
  const auto [a, b, c] = mixed(object, ints, 0.5);
  CHECK(a == ints && same(b, object) && c == V128::of<double>({0.5, 0.5}));
  std::vector<Val> vals = instance.func("add").call(ints, zeros);
  CHECK(vals.size() == 1 && vals[0].v128() == ints && instance.func("raw").call(1, ints, vals[0])[1].v128() == ints);
  THROWS(instance.func("add").call(ints, 1), Error, "parameter 1 is i32");
  THROWS((instance.func<V128(V128)>("add")), Error, "(v128 v128) -> (v128), and was asked for as (v128) -> (v128)");
  CHECK((instance.func<V128()>("shared"))() == floats && shared.get<V128>() == floats);
  shared.set(ints);
  CHECK((instance.func<V128()>("shared"))() == ints && shared.type().content == ValKind::V128);
  THROWS(shared.set(1.0), Error, "");
  CHECK(instance.global("own").get().v128() == ints);

  // a function whose type is known only at run time
  Func dynamic(store, {{ValKind::V128}, {ValKind::V128, ValKind::V128}}, [](Caller &, Span<const Val> args, Span<Val> results) {
    CHECK(results[0].v128() == V128());
    results[0] = args[0];
  });
  CHECK(dynamic.call(floats)[0].v128() == floats && dynamic.call(floats)[1].v128() == zeros);

  // at a debugger's stops
  int stops = 0;
  Debugger debugger(store, [&](Stop &stop) {
    const Frame frame = stop.frame();
    const std::vector<Val> locals = frame.locals();
    CHECK(locals.size() == 5 && locals[0].v128() == ints && frame.local(0)->v128() == ints && locals[3].kind() == ValKind::I64);
    for (const Val &operand : frame.operands()) CHECK(operand.kind() == ValKind::V128 || operand.kind() == ValKind::I32);
    stops++;
    return Action::Step;
  });
  debugger.break_at_function(module, "seen");
  CHECK((instance.func<V128(V128, int)>("seen"))(ints, 0) == ints && stops > 10);
}

static std::int32_t plain(std::int32_t a) { return a * 2; }
static void quiet(Caller &) noexcept {}

static void callables() {
  Engine engine;
  Store store(engine);
  CHECK((Func(store, plain).typed<int(int)>())(4) == 8);
  CHECK((Func(store, &plain).typed<int(int)>())(4) == 8);
  Func(store, quiet).typed<void()>()();
  int calls = 0;
  Func counting(store, [n = 0, &calls](const std::int32_t &by) mutable { return n += by, calls++, n; });
  auto count = counting.typed<int(int)>();
  CHECK(count(2) == 2 && count(3) == 5 && calls == 2);
  struct Functor {
    double operator()(double a) const noexcept { return std::sqrt(a); }
  };
  CHECK((Func(store, Functor()).typed<double(double)>())(9) == 3);
  const std::function<std::uint64_t(unsigned, std::uint64_t)> function = [](unsigned a, std::uint64_t b) { return a + b; };
  CHECK((Func(store, function).typed<std::uint64_t(unsigned, std::uint64_t)>())(1, ~std::uint64_t{1}) == ~std::uint64_t{0});
  CHECK((Func(store, [](long long a) { return a; }).type().params[0] == ValKind::I64));
}

static void linkers() {
  Engine engine;
  Store store(engine);
  Module fib(store, bytes(FIB)), kinds(store, bytes(KINDS)), values(store, bytes(VALUES));
  Linker linker(engine);
  FAILS(linker.try_instantiate(store, values), ErrorCode::Link, "\"host\".\"swap\"");
  Instance instance = linker.instantiate(store, fib);
  linker.define_instance("fib", instance).define("env", "g", Global(store, {ValKind::I64, true}, std::int64_t{3}));
  FAILS(linker.try_define_instance("fib", instance), ErrorCode::Argument, "defined already");
  linker.shadowing(true).define_instance("fib", instance).fill_missing_with_defaults(store, kinds);
  CHECK((linker.instantiate(store, kinds).func<std::int64_t()>("get_g"))() == 3);
  CHECK(linker.get(store, "fib", "fib").as_func()->call(6)[0].i32() == 8);
  FAILS(linker.try_get(store, "fib", "none"), ErrorCode::Argument, "not defined");
  FAILS(linker.try_func("e", std::string("a\0b", 3), plain), ErrorCode::Argument, "`name` has a NUL");
  Store other(engine);
  CHECK(!linker.try_get(other, "env", "g").ok());
  // the same host function in two stores
  Linker twice(engine);
  std::vector<wasm_store_t *> seen;
  twice.func("host", "fail", [&](Caller &caller, std::int32_t a) { return seen.push_back(caller.store().raw()), a; });
  twice.func("host", "swap", std::get<FuncType>(values.imports()[0].type), [](Caller &, Span<const Val>, Span<Val>) {});
  Store *stores[] = {&store, &other};
  for (Store *each : stores) {
    Module module(*each, bytes(VALUES));
    CHECK((twice.instantiate(*each, module).func<int(int)>("fail"))(7) == 7);
  }
  CHECK(seen.size() == 2 && seen[0] == store.raw() && seen[1] == other.raw());
}

/// Types of references: what they refer to, and whether null is among them.
static void references() {
  const HeapKind heaps[] = {HeapKind::Func, HeapKind::NoFunc, HeapKind::Extern, HeapKind::NoExtern, HeapKind::Exn, HeapKind::NoExn,
                            HeapKind::Any, HeapKind::Eq, HeapKind::I31, HeapKind::Struct, HeapKind::Array, HeapKind::None};
  for (const HeapKind heap : heaps) {
    const ValType plain = ValType::ref(heap, false), nullable = ValType::ref(heap);
    CHECK(plain.is_ref() && plain.heap() == heap && !plain.is_nullable() && nullable.is_nullable() && plain != nullable);
    CHECK(plain.matches(nullable) && !nullable.matches(plain) && plain.kind() == nullable.kind() && !plain.func_type());
    CHECK(ValType::parse(to_string(plain)) == plain && ValType::parse(to_string(nullable)) == nullable);
    CHECK(nullable.matches(ValType(nullable.kind())));
  }
  CHECK(ValType::ref(HeapKind::Func) == ValKind::FuncRef && ValType::ref(HeapKind::Any) == ValKind::AnyRef);
  CHECK(to_string(ValType(ValKind::I64)) == "i64" && to_string(ValType::ref(HeapKind::None)) == "nullref");
  CHECK(to_string(ValType::ref(HeapKind::Eq, false)) == "(ref eq)" && ValType(ValKind::F32).heap() == std::nullopt);
  CHECK(!ValType(ValKind::F32).is_nullable() && ValType(ValKind::ExnRef).heap() == HeapKind::Exn && ValType() == ValKind::I32);
  CHECK(ValType::ref(HeapKind::I31).matches(ValType::ref(HeapKind::Eq)) && !ValType(ValKind::I32).matches(ValKind::I64));
  FAILS(ValType::try_ref(HeapKind::DefinedArray), ErrorCode::Argument, "none of the kinds");
  FAILS(ValType::try_parse("(ref what)"), ErrorCode::Argument, "(ref what)");

  // those of functions of one type, of whatever module
  const FuncType func = {{ValKind::I32}, {ValKind::I32}};
  const ValType typed = ValType::ref(func, false), nullable = ValType::ref(func);
  CHECK(typed.func_type() == func && typed.heap() == HeapKind::DefinedFunc && typed.kind() == ValKind::FuncRef);
  CHECK(typed.matches(nullable) && nullable.matches(ValKind::FuncRef) && ValType::ref(func) == nullable && typed != ValKind::FuncRef);
  CHECK(to_string(typed).find("(ref $type") == 0 && to_string(FuncType{{typed}, {}}).find("((ref $type") == 0);
  Engine engine;
  Store store(engine);
  Module module(store, bytes(REFERENCES));
  Instance instance(store, module, Tag(store, {{ValKind::I32}}), Func(store, [](std::int32_t) {}));
  CHECK(instance.func("typed").type() == FuncType({{typed, nullable}, {ValType::ref(HeapKind::Func, false)}}));
  CHECK(instance.table("table").type().element == nullable && instance.global("global").type().content == nullable);
  Func twice = instance.func("twice");
  CHECK((instance.func<int(std::optional<Func>, int)>("call"))(twice.clone(), 21) == 42);
  FAILS(instance.func("call").try_call(Val::zero(ValKind::FuncRef), 1), ErrorCode::Argument, "");
  FAILS(instance.func("call").try_call(Func(store, [] {}), 1), ErrorCode::Argument, "");
  instance.global("global").set(twice);
  FAILS(instance.global("global").try_set(Func(store, [] {})), ErrorCode::Argument, "");
  // a host function, a table and a global of such types
  Func host(store, FuncType{{nullable}, {typed}}, [&](Caller &, Span<const Val> args, Span<Val> results) { results[0] = args[0]; });
  CHECK(host.type().params[0] == nullable && same(*host.call(twice)[0].func(), twice));
  Table table(store, {nullable, {1, std::nullopt}});
  table.set(0, twice.to_ref());
  FAILS(table.try_set(0, Func(store, [] {}).to_ref()), ErrorCode::Argument, "");
  Global global(store, {typed, false}, twice);
  CHECK(global.type().content == typed && same(*global.get().func(), twice));
}

/* A memory of two stores. */
static void shared_memories() {
  Engine engine;
  Store a(engine), b(engine);
  SharedMemory shared(engine, {{1, 3}, false, 16, true});
  const SharedMemory copy = shared;
  Memory in_a = Memory::from_shared(a, shared), in_b = Memory::from_shared(b, copy);
  CHECK(in_a.type().is_shared && in_a.data().data() == in_b.data().data() && copy.data() == in_a.data().data());
  in_a.grow(1);
  CHECK(in_b.pages() == 2 && copy.size() == 2 << 16 && copy.pages() == 2 && copy.type().limits.min == 2);
  copy.grow(1);
  FAILS(copy.try_grow(1), ErrorCode::Limit, "cannot grow by 1 pages");
  in_b.write<std::uint32_t>(8, 77);
  std::uint32_t number = 0;
  copy.read(8, &number, sizeof number);
  CHECK(number == 77);
  number = 78;
  copy.write(8, &number, sizeof number);
  CHECK(in_a.read<std::uint32_t>(8) == 78);
  FAILS(copy.try_read(3 << 16, &number, 1), ErrorCode::Argument, "beyond a memory");
  CHECK(copy.notify(8, 1) == 0);
  CHECK(in_a.shared()->data() == copy.data() && !Memory(a, {{1, 3}}).shared());
  FAILS(SharedMemory::try_make(engine, {{1, 3}}), ErrorCode::Argument, "must be shared");
  FAILS(Memory::try_make(a, {{1, std::nullopt}, false, 16, true}), ErrorCode::Argument, "must have a maximum");
  Engine other;
  Store stranger(other);
  FAILS(Memory::try_from_shared(stranger, copy), ErrorCode::Argument, "another engine");
}

static void limits() {
  Engine engine(Config().signals(false).optimize(false).parallel(false).max_stack(1 << 18).memory_reservation(1 << 20).memory_guard(0));
  Store store(engine);
  store.limits(65536, 10, 100);
  CHECK(!store.is_poisoned());
  FAILS(Memory::try_make(store, {{2, 3}}), ErrorCode::Limit, "");
  Config config;
  config.debug(true).debug_tier(DebugTier::Simple).nan_canonicalization(true).relaxed_simd_deterministic(true).rerun_cache(1 << 20).stop_reserve(1 << 18).copied_code(false);
  Engine debug(std::move(config));
  Engine seen(Config().check_handles(false).profiler(Profiler::None).native_debug_info(true).debug_eagerly(true));
  THROWS(Config().profiler(static_cast<Profiler>(99)), Error, "no profiler");
  THROWS(Config().debug_tier(static_cast<DebugTier>(99)), Error, "");
  THROWS(Config().processor("x86-64-v9"), Error, "x86-64-v2");
}

/* A module from text, found again in a cache that cannot be, for a processor that has the least. */
static void texts() {
  Engine engine(Config().cache("/dev/null/inside", 1 << 20).processor(""));
  Store store(engine);
  const Module module(store, wat2wasm("(func (export \"f\") (result i32) i32.const 9)"));
  const Instance instance(store, module);
  CHECK(instance.func("f").call()[0].i32() == 9);
  FAILS(try_wat2wasm("(modul)"), ErrorCode::InvalidModule, "line 1, column 2");
  FAILS(try_wat2wasm({}), ErrorCode::InvalidModule, "no module");
  Config config;
  FAILS(config.try_cache("", 1), ErrorCode::Argument, "folder");
}

/* What a module tells of its imports is exactly their type, also where others look alike. */
static void grouped() {
  Engine engine;
  Store store(engine);
  const Module module(store, bytes(GROUPED));
  const auto types = module.imports();
  const auto add_ten = [](Caller &, Span<const Val> args, Span<Val> results) { results[0] = args[0].i32() + 10; };
  FuncType unary = std::get<FuncType>(types[0].type);
  const TagType carries = std::get<TagType>(types[1].type);
  const auto instantiate = [&](const FuncType &func, const TagType &tag) {
    return Instance::try_make(store, module, Func(store, func, add_ten), Tag(store, tag));
  };
  const Instance instance = instantiate(unary, carries).value();
  CHECK(instance.func("run").call(1)[0].i32() == 11);
  CHECK(instantiate(instance.func("f").type(), instance.tag("t").type()).ok());
  const FuncType anew{unary.params, unary.results};
  CHECK(anew == unary && !instantiate(anew, carries).ok());
  CHECK(!instantiate(unary, {carries.params}).ok());
  /* One that was changed is what it says by now. */
  unary.params.push_back(ValKind::I32);
  CHECK(Func(store, unary, add_ten).type().params.size() == 2);
}

int main() {
  modules_and_functions();
  shared_modules();
  imports();
  values();
  vectors();
  callables();
  linkers();
  references();
  shared_memories();
  limits();
  texts();
  grouped();
}
