// Structures, arrays and integers of 31 bits: types, objects of host and guest, what is refused, how long they are held.
#include "check.hpp"

using namespace stepwell;

namespace {

const ValType &point_type() {
  static const ValType type = ValType::structure({{ValKind::I32, Storage::Value, false}, {ValKind::I64}});
  return type;
}

const ValType &bytes_type() {
  static const ValType type = ValType::array({ValKind::I32, Storage::I8});
  return type;
}

/// An array of the bytes of a text.
Ref text_of(Store &store, const std::string &text) {
  Ref ref = Ref::array_of(store, bytes_type(), 0, static_cast<std::uint32_t>(text.size()));
  ref.write_elements<char>(0, text);
  return ref;
}

/// An instance of `heap_objects`, whose host puts points into boxes.
Instance make(Engine &engine, Store &store) {
  Linker linker(engine);
  Module module(store, bytes(HEAP_OBJECTS));
  linker.func("host", "fill", std::get<FuncType>(module.imports().at(0).type),
              [](Caller &caller, Span<const Val> args, Span<Val>) {
                Ref box = args[0].ref();
                const std::int32_t number = args[1].i32();
                if (number == 7) throw Error("seven");
                CHECK(box.type().heap() == HeapKind::DefinedStruct && box.length() == 1);
                for (int i = 0; i < 3; i++) Ref::structure(caller.store(), point_type(), {i, std::int64_t{i}});
                box.set(0, Val::any(Ref::structure(caller.store(), point_type(), {0, std::int64_t{number}})));
              });
  return linker.instantiate(store, module);
}

void types(const Instance &instance) {
  const ValType &point = point_type(), &text = bytes_type();
  CHECK(point.heap() == HeapKind::DefinedStruct && text.heap() == HeapKind::DefinedArray && !point.is_nullable());
  const std::vector<FieldType> fields = point.fields();
  CHECK(fields.size() == 2 && fields[0] == (FieldType{ValKind::I32, Storage::Value, false}) && fields[1] == FieldType{ValKind::I64});
  CHECK(fields[0] != fields[1] && text.fields().size() == 1 && text.fields()[0].storage == Storage::I8);
  CHECK(instance.func("point").type().results[0] == point && ValType::structure(fields) == point);
  CHECK(instance.func("sum").type().params[0].fields() == fields && point.matches(instance.func("sum").type().params[0]));
  CHECK(ValType(ValKind::I32).fields().empty() && ValType(ValKind::AnyRef).fields().empty() && ValType::structure({}).fields().empty());
  CHECK(ValType::ref(HeapKind::Struct).fields().empty() && ValType::ref(FuncType{}).fields().empty());
  FAILS(ValType::try_structure({{ValKind::I32}, {ValKind::I64, Storage::I16}}), ErrorCode::Argument, "`fields[1]` is kept in fewer bits");
  FAILS(ValType::try_array({ValKind::AnyRef, Storage::I8}), ErrorCode::Argument, "`element` is kept in fewer bits");
  FAILS(ValType::try_array({ValKind::I32, static_cast<Storage>(9)}), ErrorCode::Argument, "the storage of `element` is 9");
  FAILS(ValType::try_structure(std::vector<FieldType>(10001)), ErrorCode::Limit, "at most 10000 fields");
  // a type that refers to itself
  const ValType list = instance.func("cons").type().results[0];
  CHECK(list.fields().size() == 2 && list.matches(list.fields()[1].type) && list.fields()[1].type.fields() == list.fields());
}

void structures(Store &store, const Instance &instance) {
  Ref point = Ref::structure(store, point_type(), {40, std::int64_t{2}});
  CHECK(point.type() == point_type() && point.length() == 2 && point.get(0).i32() == 40);
  CHECK(instance.func("sum").call(Val::any(point.clone()))[0].i64() == 42);
  point.set(1, std::int64_t{-1});
  CHECK(instance.func("sum").call(Val::any(point.clone()))[0].i64() == 39);
  const Ref made = instance.func("point").call(1, std::int64_t{5})[0].ref();
  CHECK(made.type() == point_type() && made.get(1).i64() == 5 && !same(made, point));
  THROWS(point.set(0, 1), Error, "field 0 may not change");
  FAILS(point.try_set(1, 1), ErrorCode::Argument, "i64");
  FAILS(point.try_get(2), ErrorCode::Argument, "no field or element 2");
  FAILS(point.try_read_elements<std::int32_t>(0, 1), ErrorCode::Argument, "not to an array");
  FAILS(Ref::try_structure(store, point_type(), {40}), ErrorCode::Argument, "1 fields given for a structure of 2");
  FAILS(Ref::try_structure(store, point_type(), {0, 2}), ErrorCode::Argument, "value 1 is i32");
  FAILS(Ref::try_structure(store, bytes_type(), {}), ErrorCode::Argument, "no type of structures");
  FAILS(Ref::try_structure(store, ValKind::AnyRef, {}), ErrorCode::Argument, "`type` is anyref");
  FAILS(Ref::try_array(store, point_type(), {}), ErrorCode::Argument, "no type of arrays");
  THROWS(instance.func("sum").call(point.clone()), Error, ""); // an externref

  // what is kept in fewer bits has no sign
  const ValType packed =
      ValType::structure({{ValKind::I32, Storage::I8}, {ValKind::I32, Storage::I16}, {ValKind::I32, Storage::I8, false}});
  const Ref small = Ref::structure(store, packed, {-1, 0x12345678, 3});
  CHECK(small.get(0).i32() == 255 && small.get(1).i32() == 0x5678);
  CHECK(instance.func("packed").call(Val::any(small.clone()))[0].i32() == -1000000 + 0x5678 + 3);
}

void arrays(Store &store, const Instance &instance) {
  Ref text = text_of(store, "hello");
  CHECK(instance.func("total").call(Val::any(text.clone()))[0].i32() == 532);
  text.set(0, std::int32_t{'J'});
  const std::vector<char> read = text.read_elements<char>(0, 5);
  CHECK(std::string(read.begin(), read.end()) == "Jello" && text.read_elements<std::uint8_t>(5, 0).empty());
  const Ref hello = instance.func("hello").call()[0].ref();
  CHECK(hello.read_elements<std::uint8_t>(1, 2) == (std::vector<std::uint8_t>{'e', 'l'}));
  FAILS(text.try_read_elements<char>(4, 2), ErrorCode::Argument, "no 2 elements from 4 on: there are 5");
  FAILS(text.try_read_elements<char>(6, 0), ErrorCode::Argument, "no 0 elements from 6");
  FAILS(text.try_read_elements<char>(1, UINT32_MAX), ErrorCode::Argument, "no 4294967295 elements");
  FAILS(text.try_read_elements<std::uint16_t>(0, 1), ErrorCode::Argument, "elements have 1 bytes, and were asked for as ones of 2");
  FAILS(text.try_write_elements<char>(3, std::string("abc")), ErrorCode::Argument, "no 3 elements from 3");
  FAILS(text.try_write_elements<double>(0, std::vector<double>{1}), ErrorCode::Argument, "asked for as ones of 8");

  const ValType longs_type = instance.func("longs").type().params[0];
  Ref longs = Ref::array(store, longs_type, {std::int64_t{5}, std::int64_t{7}});
  CHECK(instance.func("longs").call(Val::any(longs.clone()))[0].i64() == -2);
  CHECK(longs.read_elements<std::uint64_t>(0, 2)[1] == 7);
  FAILS(longs.try_write_elements<std::int64_t>(0, std::vector<std::int64_t>{1}), ErrorCode::Argument, "may not change");
  FAILS(Ref::try_array(store, longs_type, std::vector<Val>{std::int64_t{1}, 2}), ErrorCode::Argument, "value 1 is i32");

  Ref vectors = Ref::array_of(store, ValType::array({ValKind::V128}), V128::of<float>({1, 2, 3, 4}), 3);
  CHECK(vectors.get(2).v128().as<float>()[3] == 4);
  vectors.write_elements<V128>(1, std::vector<V128>{V128::of<std::int32_t>({9, 0, 0, 0})});
  CHECK(vectors.read_elements<V128>(0, 3)[1].as<std::int32_t>()[0] == 9);
  Ref singles = Ref::array(store, ValType::array({ValKind::F32}), {1.5f, 2.5f});
  CHECK(singles.read_elements<float>(0, 2) == (std::vector<float>{1.5f, 2.5f}));

  Ref lists = instance.func("lists").call(2)[0].ref();
  CHECK(lists.length() == 2 && lists.get(1).kind() == ValKind::AnyRef && lists.get(1).ref().is_null());
  lists.set(1, instance.func("cons").call(Val::any(text.clone()), Val::any(Ref()))[0]);
  CHECK(same(lists.get(1).ref().get(0).ref(), text));
  FAILS(lists.try_set(0, Val::any(text.clone())), ErrorCode::Argument, "value 0");
  FAILS(lists.try_read_elements<std::uint32_t>(0, 1), ErrorCode::Argument, "they have no bytes");
}

void conversions(Store &store, const Instance &instance) {
  const Ref one = Ref::i31(store, -1), big = Ref::i31(store, 1 << 30);
  CHECK(one.as_i31() == -1 && big.as_i31() == -(1 << 30) && one.type() == ValType::ref(HeapKind::I31, false));
  CHECK(instance.func("is_i31").call(Val::any(big.clone()))[0].i32() == -(1 << 30));
  CHECK(same(one, Ref::i31(store, -1)) && !same(one, big));
  const Ref point = Ref::structure(store, point_type(), {1, std::int64_t{2}});
  CHECK(!point.as_i31() && !Ref().as_i31() && !Ref::make(store).as_i31());
  const Ref external = point.to_extern();
  CHECK(same(external.to_any(), point) && same(external.to_extern(), external) && external.type() == ValType::ref(HeapKind::Extern, false));
  CHECK(same(instance.func("any").call(external.clone())[0].ref(), point));
  CHECK(same(instance.func("external").call(Val::any(point.clone()))[0].ref(), external));
  CHECK(one.to_extern().to_any().as_i31() == -1);
  FAILS(external.try_length(), ErrorCode::Argument, "neither");

  // an object of the host's carries its value through both
  const Ref mine = Ref::make(store, std::string("mine")), any = mine.to_any();
  CHECK(*any.to_extern().get_if<std::string>() == "mine");
  const Ref back = instance.func("external").call(Val::any(any.clone()))[0].ref();
  CHECK(*back.get_if<std::string>() == "mine" && same(back, mine));
  CHECK(Ref().to_any().is_null() && Ref().to_extern().is_null());
  const Ref func = instance.func("sum").to_ref();
  FAILS(func.try_to_any(), ErrorCode::Argument, "function");
  CHECK(func.type().func_type() == instance.func("sum").type() && same(func.to_extern(), func));
}

void held(Engine &engine) {
  Store store(engine);
  const std::uint64_t before = store.heap_bytes();
  std::optional<Ref> kept;
  {
    const Ref inner = text_of(store, std::string(100000, 'x'));
    kept = Ref::array(store, ValType::array({ValKind::AnyRef}), {Val::any(inner.clone()), Val::any(inner.clone())});
  }
  store.collect();
  CHECK(store.heap_bytes() >= before + 100000);
  const Val inner = kept->get(1);
  kept.reset();
  store.collect();
  CHECK(store.heap_bytes() >= before + 100000 && inner.ref().length() == 100000);
  kept = inner.ref();
  const Val copy = inner;
  CHECK(same(copy.ref(), *kept));
  Store limited(engine);
  limited.heap_limit(1000000);
  FAILS(Ref::try_array_of(limited, bytes_type(), 0, 2000000), ErrorCode::Limit, "full");
  CHECK(Ref::array_of(limited, bytes_type(), 1, 500000).get(499999).i32() == 1);
  FAILS(Ref::try_array(limited, ValType::array({ValKind::AnyRef}), {inner}), ErrorCode::Argument, "reference of another store");
}

void misused(Store &store) {
  Ref null;
  FAILS(null.try_length(), ErrorCode::Argument, "`ref` must not be NULL");
  FAILS(null.try_get(0), ErrorCode::Argument, "`ref` must not be NULL");
  FAILS(null.try_set(0, 1), ErrorCode::Argument, "`ref` must not be NULL");
  FAILS(null.try_type(), ErrorCode::Argument, "`ref` must not be NULL");
  FAILS(null.try_read_elements<char>(0, 0), ErrorCode::Argument, "`ref` must not be NULL");
  FAILS(null.try_write_elements<char>(0, std::string()), ErrorCode::Argument, "`ref` must not be NULL");
  THROWS(null.type(), Error, "`ref` must not be NULL");
  Store gone = Store(std::move(store));
  FAILS(Ref::try_structure(store, point_type(), {1, std::int64_t{2}}), ErrorCode::Argument, "a stepwell::Store was used after");
  FAILS(Ref::try_array(store, bytes_type(), {1}), ErrorCode::Argument, "a stepwell::Store was used after");
  FAILS(Ref::try_array_of(store, bytes_type(), 1, 1), ErrorCode::Argument, "a stepwell::Store was used after");
  FAILS(Ref::try_i31(store, 1), ErrorCode::Argument, "a stepwell::Store was used after");
  store = std::move(gone);
}

/// What a frame holds at a stop, looked into and changed.
void debugged() {
  Engine engine(Config().debug(true));
  Store store(engine);
  Instance instance = make(engine, store);
  Ref taken;
  int stops = 0;
  Debugger debugger(store, [&](Stop &stop) {
    std::vector<Val> locals = stop.frame().locals();
    Ref point = locals[0].ref();
    const std::vector<char> name = locals[1].ref().read_elements<char>(0, 3);
    CHECK(point.type() == point_type() && std::string(name.begin(), name.end()) == "Bob");
    point.set(1, std::int64_t{1000 + ++stops});
    if (Ref made = locals[5].ref()) {
      CHECK(made.get(1).i32() == 65535);
      taken = std::move(made);
    }
    if (!locals[6].ref().is_null()) CHECK(locals[6].ref().as_i31() == -5);
    return Action::Step;
  });
  debugger.break_at_function(instance.module(), "shows");
  const std::int64_t result = instance.func("shows").call(Val::any(Ref::structure(store, point_type(), {1, std::int64_t{2}})),
                                                          Val::any(text_of(store, "Bob")), Val::any(Ref()), Val::any(Ref()),
                                                          Ref::make(store))[0].i64();
  CHECK(stops > 10 && result > 1000 && result < 1000 + stops && taken.get(0).i32() == 255);
}

} // namespace

int main() {
  Engine engine;
  Store store(engine);
  Instance instance = make(engine, store);
  types(instance);
  structures(store, instance);
  arrays(store, instance);
  conversions(store, instance);
  held(engine);
  misused(store);
  // a host function that makes objects, and one that fails
  CHECK(instance.func("makes").call(6)[0].i64() == 6 * 7 / 2 + 2);
  THROWS(instance.func("makes").call(1000), Error, "seven");
  debugged();
}
