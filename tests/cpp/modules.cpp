// What modules say, where in the source their instructions are, and modules from bytes and files.
#include "check.hpp"

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <thread>
#include <unistd.h>

using namespace stepwell;

/// Steps by lines of the source, out of frames, and to a place.
static void steps(Engine &engine) {
  const std::string here = __FILE__;
  std::ifstream file(here.substr(0, here.rfind('/') + 1) + "../support/steps/steps.wasm", std::ios::binary);
  const std::vector<std::uint8_t> binary{std::istreambuf_iterator<char>(file), {}};
  Store store(engine);
  Module module(store, binary);
  Instance instance(store, module);
  std::vector<std::uint32_t> lines;
  std::vector<std::size_t> depths;
  std::size_t answered = 0;
  std::vector<Action (*)(Stop &)> answers;
  const auto on_stop = [&](Stop &stop) {
    lines.push_back(stop.frame().sources().at(0).line);
    depths.push_back(stop.frame_count());
    for (const Breakpoint &breakpoint : stop.breakpoints()) breakpoint.remove();
    return answered < answers.size() ? answers[answered++](stop) : Action::Continue;
  };
  Debugger debugger(store, on_stop);
  const auto stops = [&](std::uint32_t line, const char *name, int argument, std::vector<Action (*)(Stop &)> given) {
    lines.clear(), depths.clear();
    answered = 0;
    answers = std::move(given);
    debugger.break_at_line(module, "steps.c", line);
    instance.func<int(int)>(name)(argument);
    return lines;
  };
  const auto next = [](Stop &) { return Action::NextLine; };
  const auto into = [](Stop &) { return Action::StepLine; };
  CHECK((stops(28, "run", 3, {next, next, next, next}) == std::vector<std::uint32_t>{28, 29, 30, 29, 30}));
  CHECK((stops(57, "dive", 2, {into, into, into}) == std::vector<std::uint32_t>{57, 15, 17, 15}));
  CHECK(depths.back() == 3);
  const auto out_of = [](Stop &stop) {
    FAILS(stop.try_step_out_of(stop.frame_count()), ErrorCode::Argument, "one must stay");
    return stop.step_out_of(2);
  };
  CHECK((stops(57, "dive", 2, {into, into, into, out_of}) == std::vector<std::uint32_t>{57, 15, 17, 15, 57}));
  const auto to_line = [](Stop &stop) {
    FAILS(stop.try_run_to_line(8), ErrorCode::Argument, "has no code at line 8");
    return stop.run_to_line(38);
  };
  CHECK((stops(28, "run", 3, {to_line}) == std::vector<std::uint32_t>{28, 38}));
  static std::size_t place;
  place = module.find_source("steps.c", 34).at(0);
  const auto to_offset = [](Stop &stop) {
    FAILS(stop.try_run_to_offset(0), ErrorCode::Argument, "outside of function");
    return stop.run_to_offset(place);
  };
  CHECK((stops(28, "run", 3, {to_offset}) == std::vector<std::uint32_t>{28, 34}));
}

/// What of the source is reached.
static void coverage() {
  const std::string here = __FILE__;
  std::ifstream file(here.substr(0, here.rfind('/') + 1) + "../support/steps/steps.wasm", std::ios::binary);
  const std::vector<std::uint8_t> binary{std::istreambuf_iterator<char>(file), {}};
  Engine engine(Config().debug(true).debug_tier(DebugTier::Blocks));
  Store store(engine);
  Module module(store, binary);
  Instance instance(store, module);
  Debugger debugger(store, [](Stop &) { CHECK(!"coverage stops nobody"); });
  CHECK(debugger.coverage(module).empty() && debugger.coverage_branches(module).empty());
  debugger.cover(&module);
  const auto taken = [&] {
    std::size_t count = 0;
    for (const stepwell_covered_side_t &side : debugger.coverage_branches(module)) count += side.is_reached;
    return count;
  };
  const std::size_t all = debugger.coverage_branches(module).size();
  CHECK(all > 4 && taken() == 0 && !debugger.coverage(module).empty());
  CHECK(debugger.lcov().find("BRH:0\n") != std::string::npos);
  instance.func<int(int)>("run")(3);
  CHECK(taken() > 0 && taken() < all && debugger.coverage_branches(module).size() == all);
  CHECK(debugger.lcov().find("BRH:0\n") == std::string::npos);
  Module moved = std::move(module);
  THROWS(debugger.coverage_branches(module), Error, "a stepwell::Module was used after it was moved from");
  CHECK(debugger.coverage_branches(moved).size() == all);
}

/// The same as answers of a queue.
static void steps_of_a_queue(Engine &engine) {
  const std::string here = __FILE__;
  std::ifstream file(here.substr(0, here.rfind('/') + 1) + "../support/steps/steps.wasm", std::ios::binary);
  const std::vector<std::uint8_t> binary{std::istreambuf_iterator<char>(file), {}};
  Store store(engine);
  Module module(store, binary);
  Instance instance(store, module);
  StopQueue queue;
  Debugger debugger(store, queue);
  debugger.break_at_line(module, "steps.c", 28);
  std::thread guest([&] { instance.func<int(int)>("run")(3); });
  const auto line = [](const Stop &stop) { return stop.frame().sources().at(0).line; };
  std::optional<Stop> stop = queue.next();
  CHECK(stop && line(*stop) == 28 && queue.answer(*stop, stop->run_to_line(32)));
  stop = queue.next();
  CHECK(stop && line(*stop) == 32 && queue.answer(*stop, Action::StepLine));
  stop = queue.next();
  CHECK(stop && line(*stop) == 12 && queue.answer(*stop, stop->step_out_of(1)));
  stop = queue.next();
  CHECK(stop && line(*stop) == 32 && queue.answer(*stop));
  guest.join();
}

int main(int, char **argv) {
  Engine engine(Config().debug(true));
  steps(engine);
  steps_of_a_queue(engine);
  coverage();
  Store store(engine);
  Module module(store, bytes(FIB));
  CHECK(module.local_name(0, 0) == "n" && module.local_name(0, 1) == "twice" && !module.local_name(0, 2) && !module.local_name(9, 0));
  CHECK(module.global_name(0) == "calls" && !module.global_name(1) && !module.table_name(0) && !module.memory_name(0));
  CHECK(!module.data_name(0) && !module.elem_name(0));
  CHECK(module.import_count() == 0 && module.export_count() == 3 && !module.has_start());
  CHECK(Module(store, bytes(START_TRAPS)).has_start() && module.text_size() > 0 && module.debug_text_size() == 0);
  module.compile_debug();
  CHECK(module.debug_text_size() > module.text_size());
  const std::vector<CustomSection> sections = module.custom_sections();
  CHECK(sections.size() == 1 && sections[0].name == "name" && module.custom_section("name")->data.size() == sections[0].data.size());
  CHECK(sections[0].data.at(2) == 3 && sections[0].data[3] == 'f' && !module.custom_section("none"));
  CHECK(!module.custom_section(std::string("name\0", 5)) && module.sources(FIB[100]).empty() && module.find_source("fib.c", 1).empty());

  // names for people: demangled, escaped, whole behind a NUL, and of nothing
  CHECK(name_to_show("_ZN3foo3barEi").find("foo::bar") == 0 && name_to_show("fib") == "fib" && name_to_show("").empty());
  for (const char c : name_to_show(std::string("a\x1b[31m\0\xff\nb", 10))) CHECK(c >= ' ' || c < 0);

  // serialized: in memory, in a file, shared
  const std::vector<std::uint8_t> compiled = module.serialize();
  CHECK((Instance(store, Module::deserialize(store, compiled)).func<int(int)>("fib"))(10) == 55);
  const std::string path = std::string(argv[0]) + "." + std::to_string(getpid()) + ".compiled";
  module.serialize_file(path);
  CHECK((Instance(store, Module::deserialize_file(store, path)).func<int(int)>("fib"))(10) == 55);
  module.share().serialize_file(path);
  CHECK(module.share().serialize() == compiled);
  CHECK(Module(store, SharedModule::deserialize_file(engine, path)).name() == "fib");
  CHECK(Module(store, SharedModule::deserialize(engine, compiled)).name() == "fib");
  CHECK(std::remove(path.c_str()) == 0);
  FAILS(Module::try_deserialize_file(store, path), ErrorCode::System, "");
  FAILS(Module::try_deserialize_file(store, std::string("a\0b", 3)), ErrorCode::Argument, "`path` has a NUL");
  FAILS(SharedModule::try_deserialize_file(engine, path), ErrorCode::System, "");
  FAILS(module.try_serialize_file("/no/such/folder/file"), ErrorCode::System, "");
  FAILS(Module::try_deserialize(store, bytes(FIB)), ErrorCode::InvalidModule, "");
  std::vector<std::uint8_t> damaged = compiled;
  damaged[damaged.size() / 2] ^= 1;
  CHECK(!Module::try_deserialize(store, damaged).ok());
  Engine other(Config().signals(false));
  FAILS(SharedModule::try_deserialize(other, compiled), ErrorCode::Unsupported, "");
  Module moved = std::move(module);
  THROWS(module.serialize(), Error, "a stepwell::Module was used after it was moved from");
  THROWS(module.custom_sections(), Error, "a stepwell::Module was used after it was moved from");

  // DWARF: of a trap, of an instruction, of a stop, and back from a line
  std::ifstream file(GUEST, std::ios::binary);
  const std::vector<std::uint8_t> binary{std::istreambuf_iterator<char>(file), {}};
  Module guest(store, binary);
  Linker linker(engine);
  linker.fill_missing_with_defaults(store, guest);
  Instance instance = linker.instantiate(store, guest);
  const Error error = instance.func("divide").try_call(1, 0).error();
  const TrapFrame &frame = error.frames().at(0);
  CHECK(frame.func_name == "divide" && frame.sources.size() == 1 && frame.sources[0].function == "divide");
  const Source source = guest.sources(frame.module_offset).at(0);
  CHECK(source.file == frame.sources[0].file && source.line == frame.sources[0].line && source.line > 0);
  CHECK(source.file->find("warehouse.c") != std::string::npos);
  const std::vector<std::size_t> places = guest.find_source("warehouse.c", source.line);
  CHECK(!places.empty() && guest.find_source("nothing.c", 1).empty());
  CHECK(guest.missing_split_dwarf().empty());
  // source and code as data
  const std::vector<LinePlace> at_line = guest.line_places("warehouse.c", source.line);
  CHECK(at_line.size() == places.size() && at_line[0].offset == places[0] && at_line[0].source.line == source.line);
  CHECK(at_line[0].source.function == "divide" && guest.line_places("nothing.c", 1).empty() && guest.line_places(std::string("a\0b", 3), 1).empty());
  CHECK(!guest.source_files().empty() && guest.source_files()[0].find("warehouse.c") != std::string::npos);
  const std::vector<stepwell_line_t> table = guest.line_table();
  CHECK(table.size() > 100 && table.back().is_end && guest.code_start() > 0 && table[0].offset >= guest.code_start());
  const std::vector<FunctionInfo> functions = guest.functions();
  CHECK(functions.size() == guest.func_count() && guest.functions(1, 2).size() == 2 && guest.functions(UINT32_MAX).empty());
  const FunctionInfo &divide = functions.at(frame.func_index);
  CHECK(divide.name == "divide" && divide.line > 0 && divide.file == source.file && divide.begin < divide.entry && divide.entry < divide.end);
  const std::vector<Instruction> code = guest.instructions(frame.func_index);
  CHECK(code.size() > 3 && code[0].offset == divide.entry && code.back().text == "end" && code.back().offset + code.back().size == divide.end);
  CHECK(guest.instructions(frame.func_index, code[1].offset, 2).at(1).text == code[2].text && guest.instructions(frame.func_index, divide.end).empty());
  FAILS(guest.try_instructions(UINT32_MAX), ErrorCode::Argument, "is not there");
  for (const bool debug : {false, true}) {
    const std::vector<MachineCode> machine = guest.machine_code(frame.func_index, debug);
    CHECK(machine.size() > 1 && machine[1].offset == machine[0].offset + machine[0].bytes.size() && !machine[0].bytes.empty());
    std::size_t of_wasm = 0;
    for (const MachineCode &piece : machine) of_wasm += piece.module_offset && *piece.module_offset >= divide.entry && *piece.module_offset < divide.end;
    CHECK(of_wasm > 0 && (!machine[0].text || !machine[0].text->empty()));
  }
  FAILS(guest.try_machine_code(UINT32_MAX), ErrorCode::Argument, "is not there");
  const Error refused = guest.try_add_split_dwarf(bytes(FIB)).error();
  CHECK(refused.code() == ErrorCode::Argument);
  int stops = 0;
  std::optional<Variable> left;
  {
    Debugger debugger(store, [&](Stop &stop) {
      stops++;
      const Frame here = stop.frame();
      CHECK(here.sources().at(0).line == source.line && *here.sources()[0].file == *source.file);
      CHECK(here.evaluate("a").text == "6" && here.evaluate("b").type_name == "int");
      FAILS(here.try_evaluate("nobody"), ErrorCode::Argument, "no variable `nobody`");
      FAILS(here.try_evaluate(std::string("a\0b", 3)), ErrorCode::Argument, "`path` has a NUL");
      FAILS(here.try_assign("a", "many"), ErrorCode::Argument, "no variable `many`");
      CHECK(here.evaluate("a * 2 + 1").text == "13" && here.variable("a < b || a > 5").text() == "true");
      FAILS(here.try_expression("a = 7", Evaluate::Nothing), ErrorCode::Argument, "assignments are not allowed here");
      FAILS(here.try_expression(std::string("a\0b", 3), Evaluate::Assign), ErrorCode::Argument, "`text` has a NUL");
      CHECK(here.expression("a += 1", Evaluate::Assign | Evaluate::Call).text() == "7" && here.evaluate("a").text == "7");
      const Error zero = here.try_evaluate("a / 0").error();
      CHECK(zero.columns() && zero.columns()->first == 3 && zero.columns()->second == 4 && !refused.columns());
      here.assign("a", "8");
      CHECK(here.evaluate("a").text == "8");
      const std::vector<std::uint8_t> dump = stop.core_dump();
      const Module read(store, dump);
      CHECK(read.custom_section("corestack") && read.custom_section("coreinstances") && dump.size() < instance.memory("memory").size());
      CHECK(!here.host_symbol());
      // as objects
      const Variable scope = here.variables(Scope::Parameters);
      const std::vector<Variable> parameters = scope.children();
      CHECK(scope.kind() == VariableKind::Scope && scope.name() == "parameters" && scope.child_count() == 2 && parameters.size() == 2);
      const Variable &a = parameters[0];
      CHECK(a.name() == "a" && a.scope() == Scope::Parameters && a.type_name() == "int" && a.text() == "8" && a.kind() == VariableKind::Number);
      CHECK(a.number().kind == NumberKind::Signed && a.number().integer() == 8 && a.number().real == 8.0 && a.size() == 4);
      CHECK(a.line() > 0 && a.depth() == 0 && !a.is_shadowed() && !a.missing() && a.children().empty());
      CHECK(scope.children(1, 5).size() == 1 && scope.children(2, 5).empty() && scope.children(0, 0).empty());
      CHECK(here.variables(Scope::Locals).child_count() == 0 && here.variables(Scope::Module).child_count() > 5);
      for (const Variable &variable : here.variables(Scope::Statics).children(0, 20)) CHECK(!variable.name().empty() && !variable.text().empty());
      here.variable("b").assign("4");
      CHECK(here.variable("b").number().integer() == 4 && here.variable("b").scope() == std::nullopt);
      FAILS(a.try_assign("many"), ErrorCode::Argument, "no variable `many`");
      FAILS(a.try_assign(std::string("1\0", 2)), ErrorCode::Argument, "`text` has a NUL");
      FAILS(here.try_variable("nobody"), ErrorCode::Argument, "no variable `nobody`");
      FAILS(here.try_variable(std::string("a\0b", 3)), ErrorCode::Argument, "`path` has a NUL");
      FAILS(here.try_variables(Scope::Locals, 9), ErrorCode::Argument, "no function 9 of the source here");
      FAILS(scope.try_number(), ErrorCode::Argument, "is a scope");
      CHECK(!scope.address() && !scope.missing());
      const Watchpoint on_a = debugger.watch_variable(a, WatchKind::Write);
      CHECK(on_a.kind() == WatchKind::Write && debugger.watchpoints() == std::vector<Watchpoint>{on_a});
      on_a.remove();
      FAILS(debugger.try_watch_variable(scope), ErrorCode::Argument, "is a scope");
      left.emplace(here.variable("a"));
      Variable moved = std::move(*left);
      FAILS(left->try_text(), ErrorCode::Argument, "a stepwell::Variable was used after it was moved from");
      FAILS(debugger.try_watch_variable(*left), ErrorCode::Argument, "a stepwell::Variable was used after it was moved from");
      THROWS(left->name(), Error, "a stepwell::Variable was used after it was moved from");
      left.emplace(std::move(moved));
    });
    for (const std::size_t place : places) debugger.break_at(guest, place);
    CHECK(instance.func("divide").call(6, 2)[0].i32() == 2 && stops > 0);
    // behind the stop
    CHECK(left->name() == "a" && left->valid());
    FAILS(left->try_text(), ErrorCode::Argument, "`variable` is used after its stop callback returned");
    FAILS(left->try_kind(), ErrorCode::Argument, "after its stop");
    THROWS(left->missing(), Error, "after its stop");
    THROWS(left->address(), Error, "after its stop");
    FAILS(left->try_children(0, 1), ErrorCode::Argument, "after its stop");
    FAILS(debugger.try_watch_variable(*left), ErrorCode::Argument, "after its stop");
  }
}
