/*
 * stepwell.hpp: Stepwell for C++17 and newer. Part of the Stepwell project, Apache-2.0 WITH LLVM-exception.
 *
 * Header-only, over wasm.h and stepwell.h. The guide is docs/cpp.md.
 *
 * Handles. Each class that stands for an object of the library owns its handle and gives it back when it goes. Handles can be
 * moved, not copied; where a second handle of the same object makes sense there is `clone()`. They may go in any order, also inside a
 * callback of their store: what cannot go there goes when the outermost call of the store has returned. A handle that was
 * moved from can be assigned to and destroyed; any other use is an error of code `ErrorCode::Argument` that names its class.
 *
 * Failure. Each method that can fail exists twice: `name()` throws `Error`, or a class derived from it (`Trap`, `ExitStatus`), and
 * `try_name()` returns a `Result`. Constructors have `try_make`. Where exceptions are off (-fno-exceptions, or
 * STEPWELL_NO_EXCEPTIONS defined), a failing `name()` prints what was wrong and ends the process; use `try_name()`.
 *
 * Exceptions thrown by host functions and stop callbacks never pass through the library. They end the guest by a trap, are kept
 * with the call that ran it, on the same thread, and thrown again by it: the same exception object. A call by `try_name()` has them in
 * `Error::cause()`. A `Call` keeps them while its guest waits.
 *
 * Threads. Each class says which rule holds for it:
 *  - any thread: as for a standard container, different threads may call const methods at the same time;
 *  - with its store: all objects of one store together belong to one thread at a time;
 *  - inside the callback: only until the callback that got it returns, on its thread.
 *
 * Exceptions of WebAssembly are `ExnRef`s. One that no guest catches is thrown by the call, as a `GuestException`; a host function that
 * throws such a one throws it in its guest.
 */
#ifndef STEPWELL_HPP
#define STEPWELL_HPP

#include "stepwell.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <exception>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#if __cplusplus < 201703L
#error "stepwell.hpp needs C++17 or newer"
#endif
#if __cplusplus >= 202002L && defined(__has_include)
#if __has_include(<span>)
#include <span>
#define STEPWELL_HPP_STD_SPAN 1
#endif
#endif
#if defined(__cpp_impl_coroutine) && defined(__has_include)
#if __has_include(<coroutine>)
#include <coroutine>
#define STEPWELL_HPP_COROUTINES 1
#endif
#endif

/* Objects of both kinds may be linked into one program: their classes have different names. */
#if (defined(__cpp_exceptions) || defined(__EXCEPTIONS)) && !defined(STEPWELL_NO_EXCEPTIONS)
#define STEPWELL_HPP_EXCEPTIONS 1
#define STEPWELL_HPP_NAMESPACE with_exceptions_0
#else
#define STEPWELL_HPP_EXCEPTIONS 0
#define STEPWELL_HPP_NAMESPACE without_exceptions_0
#endif

namespace stepwell {
inline namespace STEPWELL_HPP_NAMESPACE {

// ---- Numbers with names ----------------------------------------------------------------------------------------

/// What kind of failure an `Error` reports.
enum class ErrorCode : std::int32_t {
  InvalidModule = STEPWELL_ERROR_INVALID_MODULE,
  Unsupported = STEPWELL_ERROR_UNSUPPORTED,
  Link = STEPWELL_ERROR_LINK,
  Limit = STEPWELL_ERROR_LIMIT,
  System = STEPWELL_ERROR_SYSTEM,
  Argument = STEPWELL_ERROR_ARGUMENT,
  State = STEPWELL_ERROR_STATE,
  Poisoned = STEPWELL_ERROR_POISONED,
  Panic = STEPWELL_ERROR_PANIC,
  Trap = STEPWELL_ERROR_TRAP,
  Host = STEPWELL_ERROR_HOST,
  Cancelled = STEPWELL_ERROR_CANCELLED,
};

/// Why a guest trapped.
enum class TrapCode : std::int32_t {
  Host = STEPWELL_TRAP_HOST,
  Unreachable = STEPWELL_TRAP_UNREACHABLE,
  MemoryOutOfBounds = STEPWELL_TRAP_MEMORY_OUT_OF_BOUNDS,
  TableOutOfBounds = STEPWELL_TRAP_TABLE_OUT_OF_BOUNDS,
  UndefinedElement = STEPWELL_TRAP_UNDEFINED_ELEMENT,
  UninitializedElement = STEPWELL_TRAP_UNINITIALIZED_ELEMENT,
  IndirectCallTypeMismatch = STEPWELL_TRAP_INDIRECT_CALL_TYPE_MISMATCH,
  IntegerDivisionByZero = STEPWELL_TRAP_INTEGER_DIVISION_BY_ZERO,
  IntegerOverflow = STEPWELL_TRAP_INTEGER_OVERFLOW,
  InvalidConversion = STEPWELL_TRAP_INVALID_CONVERSION,
  StackOverflow = STEPWELL_TRAP_STACK_OVERFLOW,
  NullReference = STEPWELL_TRAP_NULL_REFERENCE,
  Interrupt = STEPWELL_TRAP_INTERRUPT,
  OutOfFuel = STEPWELL_TRAP_OUT_OF_FUEL,
  CastFailure = STEPWELL_TRAP_CAST_FAILURE,
  ArrayOutOfBounds = STEPWELL_TRAP_ARRAY_OUT_OF_BOUNDS,
  HeapFull = STEPWELL_TRAP_HEAP_FULL,
  UnalignedAtomic = STEPWELL_TRAP_UNALIGNED_ATOMIC,
  ExpectedSharedMemory = STEPWELL_TRAP_EXPECTED_SHARED_MEMORY,
};

/// The proposals to WebAssembly 1.0 that can be switched off.
enum class Feature : std::int32_t {
  SignExtension = STEPWELL_FEATURE_SIGN_EXTENSION,
  SaturatingFloatToInt = STEPWELL_FEATURE_SATURATING_FLOAT_TO_INT,
  MultiValue = STEPWELL_FEATURE_MULTI_VALUE,
  BulkMemory = STEPWELL_FEATURE_BULK_MEMORY,
  ReferenceTypes = STEPWELL_FEATURE_REFERENCE_TYPES,
  ExtendedConst = STEPWELL_FEATURE_EXTENDED_CONST,
  Simd = STEPWELL_FEATURE_SIMD,
  RelaxedSimd = STEPWELL_FEATURE_RELAXED_SIMD,
  MultiMemory = STEPWELL_FEATURE_MULTI_MEMORY,
  Memory64 = STEPWELL_FEATURE_MEMORY64,
  CustomPageSizes = STEPWELL_FEATURE_CUSTOM_PAGE_SIZES,
  FunctionReferences = STEPWELL_FEATURE_FUNCTION_REFERENCES,
  TailCall = STEPWELL_FEATURE_TAIL_CALL,
  WideArithmetic = STEPWELL_FEATURE_WIDE_ARITHMETIC,
  CompactImports = STEPWELL_FEATURE_COMPACT_IMPORTS,
  Exceptions = STEPWELL_FEATURE_EXCEPTIONS,
  Gc = STEPWELL_FEATURE_GC,
  Threads = STEPWELL_FEATURE_THREADS,
  LegacyExceptions = STEPWELL_FEATURE_LEGACY_EXCEPTIONS,
};

/// The kinds of values.
enum class ValKind : std::uint8_t {
  I32 = WASM_I32,
  I64 = WASM_I64,
  F32 = WASM_F32,
  F64 = WASM_F64,
  V128 = STEPWELL_VALKIND_V128,
  ExternRef = WASM_EXTERNREF,
  FuncRef = WASM_FUNCREF,
  ExnRef = STEPWELL_VALKIND_EXNREF,
  AnyRef = STEPWELL_VALKIND_ANYREF,
};

/// What references refer to, by the names of the text format; the last three are of types that have been defined.
enum class HeapKind : std::uint8_t {
  Func = STEPWELL_HEAPKIND_FUNC,
  NoFunc = STEPWELL_HEAPKIND_NOFUNC,
  Extern = STEPWELL_HEAPKIND_EXTERN,
  NoExtern = STEPWELL_HEAPKIND_NOEXTERN,
  Exn = STEPWELL_HEAPKIND_EXN,
  NoExn = STEPWELL_HEAPKIND_NOEXN,
  Any = STEPWELL_HEAPKIND_ANY,
  Eq = STEPWELL_HEAPKIND_EQ,
  I31 = STEPWELL_HEAPKIND_I31,
  Struct = STEPWELL_HEAPKIND_STRUCT,
  Array = STEPWELL_HEAPKIND_ARRAY,
  None = STEPWELL_HEAPKIND_NONE,
  DefinedFunc = STEPWELL_HEAPKIND_DEFINED_FUNC,
  DefinedStruct = STEPWELL_HEAPKIND_DEFINED_STRUCT,
  DefinedArray = STEPWELL_HEAPKIND_DEFINED_ARRAY,
};

/// How a field of a structure or an element of an array is kept.
enum class Storage : std::uint8_t {
  /// As a value of its type.
  Value = STEPWELL_STORAGE_VALUE,
  /// As the lowest 8 bits of an `i32`.
  I8 = STEPWELL_STORAGE_I8,
  /// As the lowest 16 bits of an `i32`.
  I16 = STEPWELL_STORAGE_I16,
};

/// What an import or export is.
enum class ExternKind : std::uint8_t {
  Func = WASM_EXTERN_FUNC,
  Global = WASM_EXTERN_GLOBAL,
  Table = WASM_EXTERN_TABLE,
  Memory = WASM_EXTERN_MEMORY,
  Tag = WASM_EXTERN_TAG,
};

/// What debug code is like.
enum class DebugTier : std::int32_t {
  Regions = STEPWELL_DEBUG_TIER_REGIONS,
  Simple = STEPWELL_DEBUG_TIER_SIMPLE,
  Blocks = STEPWELL_DEBUG_TIER_BLOCKS,
};

/// Which profilers are told where machine code is.
enum class Profiler : std::int32_t {
  None = STEPWELL_PROFILER_NONE,
  PerfMap = STEPWELL_PROFILER_PERF_MAP,
  JitDump = STEPWELL_PROFILER_JITDUMP,
};

/// Why a guest was stopped.
enum class StopReason : std::int32_t {
  Breakpoint = STEPWELL_STOP_BREAKPOINT,
  Step = STEPWELL_STOP_STEP,
  Trap = STEPWELL_STOP_TRAP,
  Exception = STEPWELL_STOP_EXCEPTION,
  Pause = STEPWELL_STOP_PAUSE,
  Watchpoint = STEPWELL_STOP_WATCHPOINT,
  Module = STEPWELL_STOP_MODULE,
  Instance = STEPWELL_STOP_INSTANCE,
  MemoryGrown = STEPWELL_STOP_MEMORY_GROWN,
  HostCall = STEPWELL_STOP_HOST_CALL,
  HostReturn = STEPWELL_STOP_HOST_RETURN,
};

/// Events that are stops where they are asked for, as a set: `Event::Trap | Event::HostCall`.
enum class Event : std::uint32_t {
  None = 0,
  Trap = STEPWELL_EVENT_TRAP,
  Module = STEPWELL_EVENT_MODULE,
  Instance = STEPWELL_EVENT_INSTANCE,
  MemoryGrown = STEPWELL_EVENT_MEMORY_GROWN,
  HostCall = STEPWELL_EVENT_HOST_CALL,
  HostReturn = STEPWELL_EVENT_HOST_RETURN,
};
constexpr Event operator|(Event one, Event other) {
  return static_cast<Event>(static_cast<std::uint32_t>(one) | static_cast<std::uint32_t>(other));
}
constexpr Event operator&(Event one, Event other) {
  return static_cast<Event>(static_cast<std::uint32_t>(one) & static_cast<std::uint32_t>(other));
}

/// What of a watched place is a hit.
enum class WatchKind : std::int32_t {
  Write = STEPWELL_WATCH_KIND_WRITE,
  Change = STEPWELL_WATCH_KIND_CHANGE,
  Read = STEPWELL_WATCH_KIND_READ,
  Access = STEPWELL_WATCH_KIND_ACCESS,
};

/// Which exceptions of guests are stops.
enum class ExceptionStops : std::int32_t {
  None = STEPWELL_EXCEPTION_STOPS_NONE,
  Uncaught = STEPWELL_EXCEPTION_STOPS_UNCAUGHT,
  All = STEPWELL_EXCEPTION_STOPS_ALL,
};

/// What the guest is to do after a stop.
enum class Action : std::int32_t {
  Continue = STEPWELL_ACTION_CONTINUE,
  Step = STEPWELL_ACTION_STEP,
  StepOver = STEPWELL_ACTION_STEP_OVER,
  StepOut = STEPWELL_ACTION_STEP_OUT,
  Trap = STEPWELL_ACTION_TRAP,
  StepLine = STEPWELL_ACTION_STEP_LINE,
  NextLine = STEPWELL_ACTION_NEXT_LINE,
  StepOutOf = STEPWELL_ACTION_STEP_OUT_OF,
  RunTo = STEPWELL_ACTION_RUN_TO,
  /// It is not known yet: the guest waits, `Call::run` returns, and `Debugger::answer` says it later. Only for guests of a `Call`.
  Later = STEPWELL_ACTION_LATER,
};

/// Up to where a `Call` has come.
enum class CallStatus : std::int32_t {
  /// It has not been run.
  New = STEPWELL_CALL_NEW,
  /// It runs: who asks is called by its guest.
  Running = STEPWELL_CALL_RUNNING,
  /// It is done: it has results, or it has failed.
  Finished = STEPWELL_CALL_FINISHED,
  /// A host function has no answer yet (`NotYet`): `Call::answer` or `Call::answer_trap` gives it.
  Waiting = STEPWELL_CALL_WAITING,
  /// The slice of `Call::run_slice` is used up.
  OutOfSlice = STEPWELL_CALL_OUT_OF_SLICE,
  /// The store's deadline is over: `Call::wait_at_deadline`.
  AtDeadline = STEPWELL_CALL_AT_DEADLINE,
  /// The stop callback has said `Action::Later`: `Debugger::stop_of`, `Debugger::answer`.
  Stopped = STEPWELL_CALL_STOPPED,
  /// WASI was to sleep, or to read what is not there yet: `Call::wait_at_io`. `Call::io_timeout` and `Call::io` say what it waits for.
  Blocked = STEPWELL_CALL_BLOCKED,
};

/// A descriptor of the process that a call's guest waits for: plain data.
struct CallIo {
  /// Its number. It is the guest's: it is there until the call is run.
  std::int32_t fd;
  /// Whether there is to be room to write, in the place of something to read.
  bool write;
};

/// Which variables of the source a frame is asked for, or which of them a variable is one of.
enum class Scope : std::int32_t {
  Parameters = STEPWELL_SCOPE_PARAMETERS,
  Locals = STEPWELL_SCOPE_LOCALS,
  Statics = STEPWELL_SCOPE_STATICS,
  Module = STEPWELL_SCOPE_MODULE,
};

/// What an expression may do besides being computed.
enum class Evaluate : std::uint32_t {
  Nothing = 0,
  /// `x = 3`, `$local0 += 1`.
  Assign = STEPWELL_EVALUATE_ASSIGN,
  /// `name(1, 2.5)` calls an export of the frame's instance.
  Call = STEPWELL_EVALUATE_CALL,
};

constexpr Evaluate operator|(Evaluate a, Evaluate b) noexcept {
  return static_cast<Evaluate>(static_cast<std::uint32_t>(a) | static_cast<std::uint32_t>(b));
}

/// What a variable of the source is made of.
enum class VariableKind : std::int32_t {
  Number = STEPWELL_VARIABLE_NUMBER,
  Pointer = STEPWELL_VARIABLE_POINTER,
  Reference = STEPWELL_VARIABLE_REFERENCE,
  Structure = STEPWELL_VARIABLE_STRUCTURE,
  Union = STEPWELL_VARIABLE_UNION,
  Array = STEPWELL_VARIABLE_ARRAY,
  Enumeration = STEPWELL_VARIABLE_ENUMERATION,
  Opaque = STEPWELL_VARIABLE_OPAQUE,
  Scope = STEPWELL_VARIABLE_SCOPE,
};

/// What a number of a variable is.
enum class NumberKind : std::int32_t {
  Signed = STEPWELL_NUMBER_SIGNED,
  Unsigned = STEPWELL_NUMBER_UNSIGNED,
  Float = STEPWELL_NUMBER_FLOAT,
  Bool = STEPWELL_NUMBER_BOOL,
  Char = STEPWELL_NUMBER_CHAR,
};

/// A number of a variable: plain data.
struct Number {
  NumberKind kind;
  /// The lower and the upper 64 bits of an integer, a truth value or a letter.
  std::uint64_t low, high;
  /// A floating-point number; of the others the one that is nearest.
  double real;

  /// The lower 64 bits as a number that may be negative.
  std::int64_t integer() const noexcept { return static_cast<std::int64_t>(low); }
};

/// What an expression comes to: plain data.
struct Evaluated {
  /// The name of its type, as the source has it.
  std::string type_name;
  /// The value, in one line.
  std::string text;
};

/// The name of a kind, as in the text format.
inline const char *to_string(ValKind kind) noexcept {
  switch (kind) {
  case ValKind::I32: return "i32";
  case ValKind::I64: return "i64";
  case ValKind::F32: return "f32";
  case ValKind::F64: return "f64";
  case ValKind::V128: return "v128";
  case ValKind::ExternRef: return "externref";
  case ValKind::FuncRef: return "funcref";
  case ValKind::ExnRef: return "exnref";
  case ValKind::AnyRef: return "anyref";
  }
  return "a value of an unknown kind";
}

/// The version of the library that is linked, as text. Any thread.
inline const char *version() noexcept { return stepwell_version_string(); }

/// The version of the library that is linked, to compare with `STEPWELL_VERSION_NUMBER`. Any thread.
inline std::uint32_t version_number() noexcept { return stepwell_version_number(); }

// ---- Errors ----------------------------------------------------------------------------------------------------

/// A place in the source, as a module's DWARF sections have it. Plain data. Any thread.
struct Source {
  /// The file's path as the compiler was given it, with the directory where that was relative.
  std::optional<std::string> file;
  /// The function as the source names it; of an inlined function, its own name.
  std::optional<std::string> function;
  /// The line and the column, from 1; 0 where it is not known.
  std::uint32_t line = 0, column = 0;
};

/// A place at which a line of the source has code: plain data.
struct LinePlace {
  /// The instruction, in bytes from the start of the module.
  std::size_t offset;
  Source source;
  /// Whether the function is inlined there.
  bool is_inlined;
};

/// A function of a module: plain data.
struct FunctionInfo {
  /// Its index, imports counted.
  std::uint32_t index;
  /// Its name as the source has it, or what the module calls it.
  std::optional<std::string> name;
  /// What the linker knew it by, where that is another name.
  std::optional<std::string> linkage_name;
  /// The file that it is written in.
  std::optional<std::string> file;
  /// The line that it is declared in; 0 where that is not known.
  std::uint32_t line;
  /// Where its body begins and ends, and its first instruction, in bytes from the start of the module; 0 for an import.
  std::size_t begin, end, entry;
};

/// An instruction of a function: plain data.
struct Instruction {
  /// Where it begins, in bytes from the start of the module.
  std::size_t offset;
  /// How many bytes it has.
  std::size_t size;
  /// What the text format calls it.
  std::string text;
};

/// A piece of a function's machine code: plain data. An instruction of the machine, or, in a library that was built without the feature
/// `disassembler`, all that follows each other and is of the same instruction of WebAssembly.
struct MachineCode {
  /// Where it begins in the text that all functions of the module share.
  std::size_t offset;
  /// The offset in the module of the instruction of WebAssembly that it belongs to, where that is known.
  std::optional<std::size_t> module_offset;
  std::vector<std::uint8_t> bytes;
  /// The instruction; `(data)` for what is none. Nothing without the feature `disassembler`.
  std::optional<std::string> text;
};

/// A Wasm frame of a trap: plain data, which needs no store.
struct TrapFrame {
  std::optional<std::string> module_name;
  std::optional<std::string> func_name;
  /// The function's index in its module, imports counted.
  std::uint32_t func_index = 0;
  /// Where the instruction is, in bytes from the start of the function's body.
  std::size_t func_offset = 0;
  /// Where the instruction is, in bytes from the start of the module.
  std::size_t module_offset = 0;
  /// Where the instruction is in the source: in the innermost inlined function first; empty where that is not known.
  std::vector<Source> sources;
};

namespace detail {

struct ExceptionBox;

/// What an error knows. Shared by its copies, so that copying an exception cannot fail; never changed once it is.
struct Failure {
  ErrorCode code = ErrorCode::Host;
  std::string message;
  std::optional<std::size_t> offset;
  std::optional<std::pair<std::size_t, std::size_t>> columns;
  bool is_trap = false;
  TrapCode trap_code = TrapCode::Host;
  std::vector<TrapFrame> frames;
  std::string backtrace;
  std::optional<std::int32_t> exit_status;
  std::exception_ptr cause;
  std::vector<std::uint8_t> core_dump;
  /// Why there is none.
  std::string no_core_dump;
  /// The exception of a guest that nobody has caught.
  std::shared_ptr<ExceptionBox> exn;
  /// It is none: a host function has no answer yet, and this is what it is known by.
  std::optional<std::uint64_t> token;
};

/// Ends the process with a message: for what cannot be reported otherwise.
[[noreturn]] inline void die(const char *message) noexcept {
  std::fprintf(stderr, "stepwell: %s\n", message);
  std::abort();
}

} // namespace detail

class ExnRef;
class Trap;

/// A failure: a code, a message, and the offset in the Wasm binary where there is one. Any thread; it needs no store, unless an exception
/// of a guest is in it: then it is with that store, and keeps it.
class Error : public std::exception {
public:
  /// An error of code `Host`, for host functions and stop callbacks.
  explicit Error(std::string message) : Error(ErrorCode::Host, std::move(message)) {}
  Error(ErrorCode code, std::string message) : Error(make(code, std::move(message), false, std::nullopt)) {}
  explicit Error(std::shared_ptr<const detail::Failure> failure) noexcept : failure_(std::move(failure)) {}

  const char *what() const noexcept override { return failure_ ? failure_->message.c_str() : "an error that was moved from"; }
  ErrorCode code() const noexcept { return failure_ ? failure_->code : ErrorCode::Argument; }
  /// The message, with the offset where there is one.
  std::string message() const { return what(); }
  /// The offset in the Wasm binary that the error belongs to.
  std::optional<std::size_t> offset() const noexcept { return failure_ ? failure_->offset : std::nullopt; }
  /// Where in the text of an expression the error is: the first column and the one behind the last, in characters, from 1.
  std::optional<std::pair<std::size_t, std::size_t>> columns() const noexcept { return failure_ ? failure_->columns : std::nullopt; }

  /// Whether a trap ended the guest; then its frames are there.
  bool is_trap() const noexcept { return failure_ && failure_->is_trap; }
  /// Why the guest trapped, if it did.
  std::optional<TrapCode> trap_code() const noexcept {
    return is_trap() ? std::optional<TrapCode>(failure_->trap_code) : std::nullopt;
  }
  /// The exit status of a program that ended itself by WASI's `proc_exit`.
  std::optional<std::int32_t> exit_status() const noexcept { return failure_ ? failure_->exit_status : std::nullopt; }
  /// The Wasm frames that were live when the guest trapped, innermost first; of very many the innermost 1,024. Also those under
  /// a host function that failed.
  const std::vector<TrapFrame> &frames() const noexcept {
    static const std::vector<TrapFrame> none;
    return failure_ ? failure_->frames : none;
  }
  /// The trap's message and its frames, one a line; empty if there was none.
  std::string backtrace() const { return failure_ ? failure_->backtrace : std::string(); }
  /// The core dump that was made of the trap: see `Store::core_dumps`. Empty if there is none; `no_core_dump` says why.
  const std::vector<std::uint8_t> &core_dump() const noexcept {
    static const std::vector<std::uint8_t> none;
    return failure_ ? failure_->core_dump : none;
  }
  /// Why a trap has no core dump; empty if it has one, and if no trap ended the guest.
  std::string no_core_dump() const { return failure_ ? failure_->no_core_dump : std::string(); }
  /// The exception of a host function or a stop callback that ended the guest; empty if something else did.
  std::exception_ptr cause() const noexcept { return failure_ ? failure_->cause : nullptr; }
  /// The exception that a guest, or a host function, has thrown and nobody has caught; nothing if the guest was ended by something else.
  std::optional<ExnRef> exn() const;

  /// Throws what this is: the cause if there is one, else an `ExitStatus`, a `GuestException`, a `Trap`, a `NotYet` or an `Error`. Without exceptions,
  /// it prints the message and ends the process.
  [[noreturn]] void raise() const;

  /// For this header.
  const std::shared_ptr<const detail::Failure> &failure() const noexcept { return failure_; }
  void failure_set(std::shared_ptr<const detail::Failure> failure) noexcept { failure_ = std::move(failure); }

protected:
  static std::shared_ptr<const detail::Failure> make(ErrorCode code, std::string message, bool is_trap,
                                                     std::optional<std::int32_t> exit_status) {
    auto failure = std::make_shared<detail::Failure>();
    failure->code = code;
    failure->message = std::move(message);
    failure->is_trap = is_trap;
    failure->exit_status = exit_status;
    return failure;
  }

private:
  std::shared_ptr<const detail::Failure> failure_;
};

/// A trap: how a guest, or a host function, ends a call before its time. Any thread; it needs no store.
///
/// A host function ends its guest by throwing one, or by returning one as a `Result`. The frames are filled in on the way out.
class Trap : public Error {
public:
  /// A trap of the host's.
  explicit Trap(std::string message) : Error(make(ErrorCode::Trap, std::move(message), true, std::nullopt)) {}
  explicit Trap(std::shared_ptr<const detail::Failure> failure) noexcept : Error(std::move(failure)) {}
  TrapCode code() const noexcept { return trap_code().value_or(TrapCode::Host); }
};

/// The end of a program that asked for it, by WASI's `proc_exit`. Any thread; it needs no store.
class ExitStatus : public Trap {
public:
  explicit ExitStatus(std::int32_t status)
      : Trap(make(ErrorCode::Trap, "the program exited with status " + std::to_string(status), true, status)) {}
  explicit ExitStatus(std::shared_ptr<const detail::Failure> failure) noexcept : Trap(std::move(failure)) {}
  std::int32_t status() const noexcept { return exit_status().value_or(0); }
};

/// An exception of WebAssembly that no guest has caught. A host function that throws one, or returns one as a `Result`, throws the
/// exception in its guest. Thread: with the exception's store.
class GuestException : public Trap {
public:
  explicit GuestException(const ExnRef &exn);
  explicit GuestException(std::shared_ptr<const detail::Failure> failure) noexcept : Trap(std::move(failure)) {}
  /// The exception: its tag, and what it carries.
  ExnRef exn() const;
};

/// What a host function returns as a `Result`, or throws, when it has no answer yet: the guest waits, and `Call::run` returns with
/// `CallStatus::Waiting`. `Call::token` is the number, which is whatever the host wants to know it by. A guest that was not called by a
/// `Call`, or by a host function in turn, cannot wait, and ends with a trap that says so. Any thread; it needs no store.
class NotYet : public Error {
public:
  explicit NotYet(std::uint64_t token) : Error(make_not_yet(token)) {}
  explicit NotYet(std::shared_ptr<const detail::Failure> failure) noexcept : Error(std::move(failure)) {}
  std::uint64_t token() const noexcept { return failure() ? failure()->token.value_or(0) : 0; }

private:
  static std::shared_ptr<const detail::Failure> make_not_yet(std::uint64_t token) {
    auto failure = std::make_shared<detail::Failure>();
    failure->code = ErrorCode::State;
    failure->message = "a host function has no answer yet";
    failure->token = token;
    return failure;
  }
};

[[noreturn]] inline void Error::raise() const {
#if STEPWELL_HPP_EXCEPTIONS
  if (cause()) std::rethrow_exception(cause());
  if (failure_ && failure_->token) throw NotYet(failure_);
  if (exit_status()) throw ExitStatus(failure_);
  if (failure_ && failure_->exn) throw GuestException(failure_);
  if (is_trap()) throw Trap(failure_);
  throw *this;
#else
  detail::die(what());
#endif
}

/// A value, or the `Error` that there is instead. As a standard container of one element: any thread.
template <class T> class [[nodiscard]] Result {
public:
  using value_type = T;
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return ok(); }
  /// The value; where there is none, throws the error (without exceptions: ends the process).
  T &value() & { return check(), *std::get_if<0>(&state_); }
  const T &value() const & { return check(), *std::get_if<0>(&state_); }
  T &&value() && { return check(), std::move(*std::get_if<0>(&state_)); }
  T &operator*() & { return value(); }
  const T &operator*() const & { return value(); }
  T &&operator*() && { return std::move(*this).value(); }
  T *operator->() { return &value(); }
  const T *operator->() const { return &value(); }
  /// The error. On success, asking for it is an error itself.
  const Error &error() const {
    if (ok()) Error(ErrorCode::Argument, "a Result that is a success was asked for its error").raise();
    return *std::get_if<1>(&state_);
  }

private:
  void check() const {
    if (!ok()) std::get_if<1>(&state_)->raise();
  }
  std::variant<T, Error> state_;
};

/// Success, or an `Error`.
template <> class [[nodiscard]] Result<void> {
public:
  using value_type = void;
  Result() noexcept = default;
  Result(Error error) : error_(std::move(error)) {}
  Result(std::optional<Error> error) : error_(std::move(error)) {}

  bool ok() const noexcept { return !error_; }
  explicit operator bool() const noexcept { return ok(); }
  void value() const {
    if (error_) error_->raise();
  }
  const Error &error() const {
    if (ok()) Error(ErrorCode::Argument, "a Result that is a success was asked for its error").raise();
    return *error_;
  }

private:
  std::optional<Error> error_;
};

/// Some elements in a row that stand elsewhere: a pointer and a size. Converts to `std::span` where there is one.
template <class T> class Span {
public:
  using element_type = T;
  constexpr Span() noexcept = default;
  constexpr Span(T *data, std::size_t size) noexcept : data_(data), size_(size) {}
  template <class C, class = decltype(static_cast<T *>(std::declval<C &>().data()))>
  constexpr Span(C &container) noexcept : data_(container.data()), size_(container.size()) {}
  template <class C, class = decltype(static_cast<T *>(std::declval<const C &>().data())), class = std::enable_if_t<std::is_const_v<T>, C>>
  constexpr Span(const C &container) noexcept : data_(container.data()), size_(container.size()) {}
  template <class U, class = std::enable_if_t<std::is_same_v<const U, T>>>
  constexpr Span(Span<U> other) noexcept : data_(other.data()), size_(other.size()) {}

  constexpr T *data() const noexcept { return data_; }
  constexpr std::size_t size() const noexcept { return size_; }
  constexpr bool empty() const noexcept { return size_ == 0; }
  constexpr T *begin() const noexcept { return data_; }
  constexpr T *end() const noexcept { return data_ + size_; }
  /// Not checked.
  constexpr T &operator[](std::size_t index) const noexcept { return data_[index]; }
  /// Checked.
  T &at(std::size_t index) const {
    if (index >= size_) {
      Error(ErrorCode::Argument, "element " + std::to_string(index) + " of " + std::to_string(size_) + " was asked for").raise();
    }
    return data_[index];
  }
#if defined(STEPWELL_HPP_STD_SPAN)
  constexpr operator std::span<T>() const noexcept { return {data_, size_}; }
#endif

private:
  T *data_ = nullptr;
  std::size_t size_ = 0;
};

// ---- Types: plain values. Any thread. --------------------------------------------------------------------------

struct FieldType;
struct FuncType;

/// A value's type: a kind, and of references what they refer to and whether null is among them. `ValKind`s convert to the types of
/// that name: of references those above all others.
class ValType {
public:
  ValType(ValKind kind = ValKind::I32) noexcept : kind_(kind) {}
  /// Of references to what `heap` says, null among them or not. An error for what has been defined: see the next.
  static Result<ValType> try_ref(HeapKind heap, bool nullable = true);
  static ValType ref(HeapKind heap, bool nullable = true) { return try_ref(heap, nullable).value(); }
  /// Of references to functions of one type.
  static Result<ValType> try_ref(const FuncType &type, bool nullable = true);
  static ValType ref(const FuncType &type, bool nullable = true);
  /// Of references to structures of these fields, without null: `ValType::structure({{ValKind::I32}, {ValKind::F64}})`.
  static Result<ValType> try_structure(Span<const FieldType> fields);
  static ValType structure(Span<const FieldType> fields) { return try_structure(fields).value(); }
  static Result<ValType> try_structure(std::initializer_list<FieldType> fields);
  static ValType structure(std::initializer_list<FieldType> fields);
  /// Of references to arrays of such elements, without null.
  static Result<ValType> try_array(const FieldType &element);
  static ValType array(const FieldType &element) { return try_array(element).value(); }
  /// The type that a text names: what `to_string` gives, or as the text format has it.
  static Result<ValType> try_parse(const std::string &text);
  static ValType parse(const std::string &text) { return try_parse(text).value(); }

  ValKind kind() const noexcept { return kind_; }
  bool is_ref() const noexcept { return wasm_valkind_is_ref(static_cast<wasm_valkind_t>(kind_)); }
  /// What references of the type refer to; nothing for numbers.
  std::optional<HeapKind> heap() const;
  /// Whether null is a value of the type.
  bool is_nullable() const;
  /// The type of the functions that references of the type refer to, if that is one.
  std::optional<FuncType> func_type() const;
  /// The fields of the structures that references of the type refer to, or the one that all elements of arrays are;
  /// empty where no type of either has been defined.
  std::vector<FieldType> fields() const;
  /// Whether each value of this type is one of that type: they are the same, or this is below it.
  bool matches(const ValType &wanted) const;
  friend bool operator==(const ValType &a, const ValType &b) {
    if (!a.type_ && !b.type_) return a.kind_ == b.kind_;
    return a.kind_ == b.kind_ && stepwell_valtype_same(a.need().get(), b.need().get());
  }
  friend bool operator!=(const ValType &a, const ValType &b) { return !(a == b); }
  /// As the text format has it; what modules have defined has a number, `(ref null $type17)`.
  friend std::string to_string(const ValType &type) {
    return type.type_ ? stepwell_valtype_text(type.type_.get()) : to_string(type.kind_);
  }

  /// Takes an owned type of the C API.
  explicit ValType(wasm_valtype_t *owned)
      : kind_(static_cast<ValKind>(wasm_valtype_kind(owned))), type_(owned, wasm_valtype_delete) {
    if (!is_ref() || stepwell_valtype_same(owned, std::shared_ptr<wasm_valtype_t>(of_kind(), wasm_valtype_delete).get())) type_.reset();
  }
  /// The type for the C API, owned.
  wasm_valtype_t *to_c() const { return type_ ? wasm_valtype_copy(type_.get()) : of_kind(); }
  /// The same, shared with this one.
  std::shared_ptr<const wasm_valtype_t> raw() const { return need(); }

private:
  wasm_valtype_t *of_kind() const { return wasm_valtype_new(static_cast<wasm_valkind_t>(kind_)); }
  std::shared_ptr<const wasm_valtype_t> need() const {
    return type_ ? type_ : std::shared_ptr<const wasm_valtype_t>(of_kind(), wasm_valtype_delete);
  }
  static Result<ValType> made(wasm_valtype_t *owned, const char *doing);
  ValKind kind_;
  std::shared_ptr<wasm_valtype_t> type_; // of references that are not above all others
};

/// What a field of a structure is, or all elements of an array are.
struct FieldType {
  /// The type of its values: `i32` where it is kept in fewer bits.
  ValType type = ValKind::I32;
  Storage storage = Storage::Value;
  /// Whether it can be written.
  bool is_mutable = true;
  friend bool operator==(const FieldType &a, const FieldType &b) {
    return a.type == b.type && a.storage == b.storage && a.is_mutable == b.is_mutable;
  }
  friend bool operator!=(const FieldType &a, const FieldType &b) { return !(a == b); }
};

/// A function's type. Two are equal where they take and return the same.
struct FuncType {
  std::vector<ValType> params, results;
  /// Which one it is of those that look alike, if a module or a function has told the type. Host functions are of
  /// exactly that type.
  std::shared_ptr<const wasm_functype_t> told = nullptr;
  friend bool operator==(const FuncType &a, const FuncType &b) { return a.params == b.params && a.results == b.results; }
  friend bool operator!=(const FuncType &a, const FuncType &b) { return !(a == b); }
};

/// The size of a memory, in pages, or of a table, in elements.
struct Limits {
  std::uint64_t min = 0;
  /// The largest size it may grow to, if there is one.
  std::optional<std::uint64_t> max;
};

/// A global's type.
struct GlobalType {
  ValType content = ValKind::I32;
  bool is_mutable = false;
};

/// A table's type.
struct TableType {
  ValType element = ValKind::FuncRef;
  Limits limits;
  /// Whether its places have 64 bits; else they have 32.
  bool is_64 = false;
};

/// A memory's type.
struct MemoryType {
  Limits limits;
  /// Whether its addresses have 64 bits; else they have 32.
  bool is_64 = false;
  /// The power of 2 that says how many bytes a page has: 16 for 64 KiB, or 0.
  std::uint32_t page_size_log2 = 16;
  /// Whether several threads may use it at once, each with a store of its own. Then `limits.max` is needed.
  bool is_shared = false;
};

/// A tag's type: what its exceptions carry.
struct TagType {
  std::vector<ValType> params;
  /// As of a `FuncType`.
  std::shared_ptr<const wasm_functype_t> told = nullptr;
  friend bool operator==(const TagType &a, const TagType &b) { return a.params == b.params; }
  friend bool operator!=(const TagType &a, const TagType &b) { return !(a == b); }
};

/// The type of an import or export, in the order of `ExternKind`.
using ExternType = std::variant<FuncType, GlobalType, TableType, MemoryType, TagType>;

/// What a module imports.
struct ImportType {
  std::string module, name;
  ExternType type;
};

/// What a module exports.
struct ExportType {
  std::string name;
  ExternType type;
};

/// A type as in the text format, `(i32 i64) -> (f32)`.
inline std::string to_string(const FuncType &type) {
  const auto list = [](const std::vector<ValType> &types) {
    std::string text = "(";
    for (const ValType &one : types) {
      if (text.size() > 1) text += ' ';
      text += to_string(one);
    }
    return text + ')';
  };
  return list(type.params) + " -> " + list(type.results);
}

class Call;
class Caller;
class Func;
class Instance;
class Linker;
class Module;
class Ref;
class Stop;
class Engine;
class Store;
class Tag;
class Val;
class WasiConfig;

// ---- What is under the handles ---------------------------------------------------------------------------------

namespace detail {

template <auto Delete> struct Deleter {
  template <class T> void operator()(T *object) const noexcept { Delete(object); }
};
template <class T, auto Delete> using Owned = std::unique_ptr<T, Deleter<Delete>>;

inline std::string text_of(const wasm_byte_vec_t *vec) { return std::string(vec->data ? vec->data : "", vec->size); }

} // namespace detail

/// A name as people are to see it: demangled, and with what would do something to a terminal or a log escaped. Functions that give
/// names give them as the module has them.
inline std::string name_to_show(const std::string &name) {
  std::string shown(name.size() + 1, '\0'); // enough for most
  std::size_t size = stepwell_name_to_show(name.data(), name.size(), &shown[0], shown.size());
  if (size >= shown.size()) {
    shown.resize(size + 1);
    size = stepwell_name_to_show(name.data(), name.size(), &shown[0], shown.size());
  }
  shown.resize(size);
  return shown;
}

namespace detail {

/// A name that `get(arguments..., &size)` lends, or nothing.
template <class... Parameters, class... Arguments>
std::optional<std::string> optional_name(const char *(*get)(Parameters...), Arguments... arguments) {
  std::size_t size = 0;
  const char *name = get(arguments..., &size);
  if (!name) return std::nullopt;
  return std::string(name, size);
}

inline Source source_of(const stepwell_source_t &from) {
  Source source;
  if (from.file) source.file = from.file;
  if (from.function) source.function = from.function;
  source.line = from.line;
  source.column = from.column;
  return source;
}

/// All that `get(array, capacity)` has: it says how many there are.
template <class T, class Get> std::vector<T> all_rows(Get &&get) {
  std::vector<T> rows(get(nullptr, 0));
  rows.resize((std::min)(rows.size(), get(rows.data(), rows.size())));
  return rows;
}

/// All places of an instruction in the source: `get(index, &source)` is false beyond the last.
template <class Get> std::vector<Source> all_sources(std::size_t count, Get &&get) {
  std::vector<Source> list;
  for (std::size_t i = 0; i < count; i++) {
    stepwell_source_t from = stepwell_source_t();
    if (!get(i, &from)) break;
    list.push_back(source_of(from));
  }
  return list;
}

inline Error copy_error(const stepwell_error_t *error) {
  auto failure = std::make_shared<Failure>();
  failure->code = static_cast<ErrorCode>(stepwell_error_code(error));
  failure->message = stepwell_error_message(error);
  std::size_t offset = 0;
  if (stepwell_error_offset(error, &offset)) failure->offset = offset;
  std::size_t first = 0, behind = 0;
  if (stepwell_error_columns(error, &first, &behind)) failure->columns = std::make_pair(first, behind);
  std::int32_t status = 0;
  if (stepwell_error_exit_status(error, &status)) failure->exit_status = status;
  return Error(std::move(failure));
}

inline Error take_error(stepwell_error_t *error) {
  const Owned<stepwell_error_t, stepwell_error_delete> guard(error);
  return copy_error(error);
}

/// What the library says about the last failure on this thread.
inline Error last_error(const char *doing) {
  if (const stepwell_error_t *error = stepwell_last_error()) {
    Error copy = copy_error(error);
    stepwell_last_error_clear();
    return copy;
  }
  return Error(ErrorCode::State, std::string(doing) + " failed");
}

inline Error moved_from(const char *name) {
  return Error(ErrorCode::Argument, std::string("a stepwell::") + name + " was used after it was moved from");
}

inline Result<void> outcome(stepwell_error_t *error) {
  if (error) return take_error(error);
  return {};
}

/// Whether text can be handed over as a C string; what cannot is an error, not cut off.
inline std::optional<Error> no_c_string(const std::string &text, const char *what) {
  if (text.find('\0') == std::string::npos) return std::nullopt;
  return Error(ErrorCode::Argument, std::string("`") + what + "` has a NUL character in it");
}

struct StoreBox;

/// What an error knows of a trap's exception, if there is one.
inline std::shared_ptr<ExceptionBox> exception_of(const wasm_trap_t *trap, const std::shared_ptr<StoreBox> &store);

inline Error take_trap(wasm_trap_t *trap, const std::shared_ptr<StoreBox> &store) {
  const Owned<wasm_trap_t, wasm_trap_delete> guard(trap);
  auto failure = std::make_shared<Failure>();
  failure->code = ErrorCode::Trap;
  failure->is_trap = true;
  failure->trap_code = static_cast<TrapCode>(stepwell_trap_code(trap));
  failure->message = stepwell_trap_message(trap);
  std::int32_t status = 0;
  if (stepwell_trap_exit_status(trap, &status)) {
    failure->exit_status = status;
    return Error(std::move(failure));
  }
  failure->exn = exception_of(trap, store);
  wasm_byte_vec_t dump = WASM_EMPTY_VEC;
  if (stepwell_error_t *none = stepwell_trap_core_dump(trap, &dump)) {
    failure->no_core_dump = stepwell_error_message(none);
    stepwell_error_delete(none);
  } else {
    const std::unique_ptr<wasm_byte_vec_t, Deleter<wasm_byte_vec_delete>> dump_guard(&dump);
    failure->core_dump.assign(dump.data, dump.data + dump.size);
  }
  failure->backtrace = stepwell_trap_backtrace(trap);
  wasm_frame_vec_t frames = WASM_EMPTY_VEC;
  wasm_trap_trace(trap, &frames);
  const std::unique_ptr<wasm_frame_vec_t, Deleter<wasm_frame_vec_delete>> frames_guard(&frames);
  for (std::size_t i = 0; i < frames.size; i++) {
    const wasm_frame_t *from = frames.data[i];
    TrapFrame frame;
    frame.module_name = optional_name(stepwell_trap_frame_module_name, from);
    frame.func_name = optional_name(stepwell_trap_frame_func_name, from);
    frame.func_index = wasm_frame_func_index(from);
    frame.func_offset = wasm_frame_func_offset(from);
    frame.module_offset = wasm_frame_module_offset(from);
    frame.sources = all_sources(stepwell_trap_frame_source_count(from), [&](std::size_t index, stepwell_source_t *out) {
      return stepwell_trap_frame_source(from, index, out);
    });
    failure->frames.push_back(std::move(frame));
  }
  return Error(std::move(failure));
}

/// A store's handle, shared by everything of the store: it goes with the last.
struct StoreBox {
  wasm_store_t *store;
  /// Calls of this header that are under way in it.
  unsigned depth = 0;
  /// Debuggers and calls that could not be deleted while a guest was running, or waited.
  std::vector<stepwell_debugger_t *> doomed;
  std::vector<stepwell_call_t *> doomed_calls;

  /// Whether it is to be deleted, or is that of a caller, as long as that lasts.
  bool owned;

  explicit StoreBox(wasm_store_t *handle, bool is_owned = true) noexcept : store(handle), owned(is_owned) {}
  StoreBox(const StoreBox &) = delete;
  StoreBox &operator=(const StoreBox &) = delete;
  ~StoreBox() {
    delete_doomed();
    if (owned) wasm_store_delete(store);
  }

  /// Deletes a debugger or a call; false if that is refused now, because a guest is running.
  static bool delete_debugger(stepwell_debugger_t *debugger) noexcept { return try_delete(stepwell_debugger_delete, debugger); }
  static bool delete_call(stepwell_call_t *call) noexcept { return try_delete(stepwell_call_delete, call); }

  void delete_doomed() noexcept {
    delete_doomed(stepwell_call_delete, doomed_calls); // first: a guest that waits holds its debugger
    delete_doomed(stepwell_debugger_delete, doomed);
  }

private:
  template <class T> static bool try_delete(void (*deleted)(T *), T *object) noexcept {
    stepwell_last_error_clear();
    deleted(object);
    const stepwell_error_t *error = stepwell_last_error();
    const bool refused = error && stepwell_error_code(error) == STEPWELL_ERROR_STATE;
    stepwell_last_error_clear();
    return !refused;
  }
  template <class T> static void delete_doomed(void (*deleted)(T *), std::vector<T *> &list) noexcept {
    std::size_t kept = 0;
    for (T *object : list) {
      if (!try_delete(deleted, object)) list[kept++] = object;
    }
    list.resize(kept);
  }
};

using StorePtr = std::shared_ptr<StoreBox>;

/// A guest's exception in an error.
struct ExceptionBox {
  StorePtr store; // goes last
  Owned<stepwell_exception_t, stepwell_exception_delete> exception;
};

inline std::shared_ptr<ExceptionBox> exception_of(const wasm_trap_t *trap, const StorePtr &store) {
  stepwell_exception_t *exception = store ? stepwell_trap_exception(trap) : nullptr;
  if (!exception) return nullptr;
  auto box = std::make_shared<ExceptionBox>();
  box->store = store;
  box->exception.reset(exception);
  return box;
}

/// What a callback failed with: the error, and the exception object, if it was one of ours that was thrown.
struct Thrown {
  Error error;
  Error *object = nullptr;
};

/// The same, until the call that ran its guest comes back.
struct Kept {
  Thrown thrown;
  /// Of the trap that it comes back as.
  std::string message;
  /// Whether it could not end the guest, and is reported however the call ends.
  bool always;
};

/// A call into a store, from its beginning to its end. It keeps the store alive, and keeps what a callback threw.
///
/// The calls of a thread are a list and not a stack: on coroutines they may end in another order than they began.
class CallScope {
public:
  explicit CallScope(StorePtr store) noexcept : store_(std::move(store)), outer_(innermost_) {
    if (outer_) outer_->inner_ = this;
    innermost_ = this;
    if (store_) store_->depth++;
  }
  CallScope(const CallScope &) = delete;
  CallScope &operator=(const CallScope &) = delete;
  ~CallScope() {
    (inner_ ? inner_->outer_ : innermost_) = outer_;
    if (outer_) outer_->inner_ = inner_;
    if (store_ && --store_->depth == 0) store_->delete_doomed();
  }

  /// The innermost call of this store on this thread; NULL if it was not made by this header. (On coroutines, and where plain C is
  /// between, the innermost call of all may be another store's.)
  static CallScope *find(const StoreBox *store) noexcept {
    CallScope *at = innermost_;
    while (at && at->store_.get() != store) at = at->outer_;
    return at;
  }
  /// The same for a store's handle that is not ours.
  static CallScope *find(const wasm_store_t *store) noexcept {
    CallScope *at = innermost_;
    while (at && !(at->store_ && at->store_->store && stepwell_store_same(at->store_->store, store))) at = at->outer_;
    return at;
  }
  /// The innermost call of all, for callbacks that do not learn their store.
  static CallScope *innermost() noexcept { return innermost_; }

  const StorePtr &store() const noexcept { return store_; }
  /// Whether a callback failed.
  bool has_kept() const noexcept { return kept_.has_value(); }

  /// Keeps what ended the guest, until a trap with this message comes back.
  void keep(Thrown thrown, std::string message) {
    kept_ = Kept{std::move(thrown), std::move(message), false};
  }
  /// Keeps what could not end the guest: it is reported however the call ends.
  void keep_always(Thrown thrown) {
    if (kept_ && kept_->always) return;
    kept_ = Kept{std::move(thrown), std::string(), true};
  }
  /// What is kept, of a guest that waits, and what was kept when it began to.
  std::optional<Kept> take_kept() noexcept { return std::exchange(kept_, std::nullopt); }
  void give_kept(std::optional<Kept> kept) noexcept { kept_ = std::move(kept); }

  /// The call's outcome.
  std::optional<Error> finish(stepwell_error_t *error, wasm_trap_t *trap) {
    std::optional<Error> result;
    if (trap) {
      result = take_trap(trap, store_);
    } else if (error) {
      result = take_error(error);
    }
    if (kept_ && (kept_->always || (result && kept_->message == result->what()))) {
      if (result) fill_frames(kept_->thrown, *result);
      result = std::move(kept_->thrown.error);
    }
    kept_.reset();
    return result;
  }

private:
  /// Gives an error the frames of the trap that it came back as. The exception object gets them, too: it is ours alone.
  static void fill_frames(Thrown &thrown, const Error &trap) {
    if (!thrown.error.failure() || !thrown.error.frames().empty()) return;
    auto filled = std::make_shared<Failure>(*thrown.error.failure());
    filled->frames = trap.frames();
    filled->backtrace = trap.backtrace();
    if (thrown.object) {
      auto without_cause = std::make_shared<Failure>(*filled);
      without_cause->cause = nullptr; // or it would own itself
      thrown.object->failure_set(std::move(without_cause));
    }
    thrown.error = Error(std::move(filled));
  }

  StorePtr store_;
  CallScope *outer_, *inner_ = nullptr;
  std::optional<Kept> kept_;
  static inline thread_local CallScope *innermost_ = nullptr;
};

/// Makes a call: `body(&trap)` returns the library's error.
template <class Body> std::optional<Error> call_into(const StorePtr &store, Body &&body) {
  CallScope scope(store);
  wasm_trap_t *trap = nullptr;
  stepwell_error_t *error = body(&trap);
  return scope.finish(error, trap);
}

#if STEPWELL_HPP_EXCEPTIONS
/// The exception that is being handled, as an error.
inline Thrown current_exception() {
  auto failure = std::make_shared<Failure>();
  Error *object = nullptr;
  try {
    throw;
  } catch (Error &error) {
    if (error.failure()) *failure = *error.failure();
    object = &error;
  } catch (const std::exception &exception) {
    failure->message = exception.what();
  } catch (...) {
    failure->message = "an exception that is no std::exception";
  }
  failure->cause = std::current_exception();
  return {Error(std::move(failure)), object};
}
#endif

/// Runs the body of a callback, which returns an error or nothing. Nothing gets past it.
template <class Body> std::optional<Thrown> no_further(Body &&body) noexcept {
#if STEPWELL_HPP_EXCEPTIONS
  try {
#endif
    std::optional<Error> error = body();
    if (!error) return std::nullopt;
    return Thrown{std::move(*error), nullptr};
#if STEPWELL_HPP_EXCEPTIONS
  } catch (...) {
    return current_exception();
  }
#endif
}

/// The trap that ends a guest because a host function failed. Whoever runs the guest has `keep(thrown, message)` keep what it failed with,
/// unless that is an exception of a guest, which comes back by itself, or is caught.
template <class Keep> wasm_trap_t *trap_for(Thrown thrown, wasm_store_t *store, const Keep &keep) noexcept {
  if (const auto &failure = thrown.error.failure(); failure && failure->exn) {
    if (wasm_trap_t *trap = stepwell_exception_throw(failure->exn->exception.get())) return trap;
    stepwell_last_error_clear();
  }
  std::string text = thrown.error.what();
  wasm_message_t message;
  message.size = text.size() + 1;
  message.data = &text[0];
  wasm_trap_t *trap = wasm_trap_new(store, &message);
  if (!trap) die("no trap could be made for a host function that failed");
  keep(std::move(thrown), stepwell_trap_message(trap)); // as it will come back
  return trap;
}

/// The same for a host function that has failed while it ran, or has no answer yet.
inline wasm_trap_t *trap_for(Thrown thrown, CallScope *scope, const stepwell_caller_t *caller) noexcept {
  wasm_store_t *store = stepwell_caller_store(caller);
  if (const auto &failure = thrown.error.failure(); failure && failure->token) {
    if (wasm_trap_t *trap = stepwell_trap_not_yet(store, *failure->token)) return trap;
    stepwell_last_error_clear();
  }
  return trap_for(std::move(thrown), store, [&](Thrown kept, std::string message) {
    if (scope) scope->keep(std::move(kept), std::move(message));
  });
}

} // namespace detail

// ---- Values ----------------------------------------------------------------------------------------------------

namespace detail {

/// A C++ value that a foreign object carries; `type` is the same for all of one type.
struct HostObject {
  const void *type;
  explicit HostObject(const void *t) noexcept : type(t) {}
  HostObject(const HostObject &) = delete;
  HostObject &operator=(const HostObject &) = delete;
  virtual ~HostObject() = default;
  static void finalize(void *object) noexcept { delete static_cast<HostObject *>(object); }
};
template <class T> inline const char host_type = 0;
template <class T> struct HostValue final : HostObject {
  T value;
  explicit HostValue(T v) : HostObject(&host_type<T>), value(std::move(v)) {}
};

} // namespace detail

/// A reference to anything of the host's or the guest's, or null: what an `externref` is, and what any other reference can be held
/// by. Thread: with its store.
class Ref {
public:
  /// Null.
  Ref() noexcept = default;
  /// A new object of the host's that is nothing but an identity, for guests to hold.
  static Result<Ref> try_make(Store &store);
  static Ref make(Store &store) { return try_make(store).value(); }
  /// A new object of the host's that carries a C++ value. The value is destroyed when nothing holds the object any more.
  template <class T> static Result<Ref> try_make(Store &store, T value);
  template <class T> static Ref make(Store &store, T value) { return try_make(store, std::move(value)).value(); }
  /// The value that it carries, if that is of this type. It is not to be asked of objects whose host info plain C has set.
  template <class T> T *get_if() const noexcept {
    auto *object = ref_ ? static_cast<detail::HostObject *>(wasm_ref_get_host_info(ref_.get())) : nullptr;
    return object && object->type == &detail::host_type<T> ? &static_cast<detail::HostValue<T> *>(object)->value : nullptr;
  }
  /// Takes an owned reference of the C API.
  Ref(detail::StorePtr store, wasm_ref_t *owned) noexcept : store_(std::move(store)), ref_(owned) {}

  bool is_null() const noexcept { return !ref_; }
  explicit operator bool() const noexcept { return !is_null(); }
  Ref clone() const { return Ref(store_, wasm_ref_copy(ref_.get())); }
  /// Whether both are the same object, or both null.
  friend bool same(const Ref &a, const Ref &b) noexcept {
    return a.is_null() || b.is_null() ? a.is_null() == b.is_null() : wasm_ref_same(a.raw(), b.raw());
  }
  /// The function, if it is one.
  std::optional<Func> as_func() const;
  /// The exception, if it is one.
  std::optional<ExnRef> as_exn() const;

  /// A new structure of the type that `type` refers to, with these fields. Of a field that is kept in fewer bits the
  /// lowest of an `i32` are taken. An error where the values are not those of its fields, and where the heap is full.
  static Result<Ref> try_structure(Store &store, const ValType &type, Span<const Val> fields);
  static Ref structure(Store &store, const ValType &type, Span<const Val> fields) { return try_structure(store, type, fields).value(); }
  static Result<Ref> try_structure(Store &store, const ValType &type, std::initializer_list<Val> fields);
  static Ref structure(Store &store, const ValType &type, std::initializer_list<Val> fields);
  /// A new array of the type that `type` refers to, with these elements; else as `try_structure`.
  static Result<Ref> try_array(Store &store, const ValType &type, Span<const Val> elements);
  static Ref array(Store &store, const ValType &type, Span<const Val> elements) { return try_array(store, type, elements).value(); }
  static Result<Ref> try_array(Store &store, const ValType &type, std::initializer_list<Val> elements);
  static Ref array(Store &store, const ValType &type, std::initializer_list<Val> elements);
  /// A new array of so many elements that are all the same.
  static Result<Ref> try_array_of(Store &store, const ValType &type, const Val &value, std::uint32_t length);
  static Ref array_of(Store &store, const ValType &type, const Val &value, std::uint32_t length);
  /// The lowest 31 bits of an integer, as `ref.i31` makes it.
  static Result<Ref> try_i31(Store &store, std::int32_t value);
  static Ref i31(Store &store, std::int32_t value) { return try_i31(store, value).value(); }

  /// The integer, with its sign, if it is one of 31 bits.
  std::optional<std::int32_t> as_i31() const;
  /// The lowest type that it is of: of a structure, an array or a function the one that has been defined, `i31`, `exn`,
  /// and of what is the host's `extern`, or `any` as one of the family of `anyref`. An error of null.
  Result<ValType> try_type() const;
  ValType type() const { return try_type().value(); }
  /// How many fields the structure has, or elements the array. An error where it is neither, as in all that follows.
  Result<std::uint32_t> try_length() const;
  std::uint32_t length() const { return try_length().value(); }
  /// The field of this number, or the element. One that is kept in fewer bits is an `i32` without sign.
  Result<Val> try_get(std::uint32_t index) const;
  Val get(std::uint32_t index) const;
  /// Changes the field of this number, or the element. An error where it may not change, and where the value is not of
  /// its type.
  Result<void> try_set(std::uint32_t index, const Val &value);
  void set(std::uint32_t index, const Val &value) { try_set(index, value).value(); }
  /// Elements of an array of numbers, from `first` on: `ref.read_elements<std::uint8_t>(0, ref.length())`. An error
  /// where `T` is not as long as an element, and where they are not all in the array.
  template <class T> Result<std::vector<T>> try_read_elements(std::uint32_t first, std::uint32_t count) const;
  template <class T> std::vector<T> read_elements(std::uint32_t first, std::uint32_t count) const {
    return try_read_elements<T>(first, count).value();
  }
  /// Changes elements of an array of numbers, from `first` on; else as `try_read_elements`, and an error where they may
  /// not change.
  template <class T> Result<void> try_write_elements(std::uint32_t first, Span<const T> elements);
  template <class T> void write_elements(std::uint32_t first, Span<const T> elements) { try_write_elements<T>(first, elements).value(); }

  /// What it is as one of the family of `anyref`, as `any.convert_extern` makes it of an external one. An error for
  /// functions and exceptions.
  Result<Ref> try_to_any() const;
  Ref to_any() const { return try_to_any().value(); }
  /// What one of the family of `anyref` is as an external one, as `extern.convert_any` makes it; any other as it is.
  Result<Ref> try_to_extern() const;
  Ref to_extern() const { return try_to_extern().value(); }

  /// The C handle, borrowed.
  wasm_ref_t *raw() const noexcept { return ref_.get(); }
  wasm_ref_t *release() noexcept { return ref_.release(); }
  const detail::StorePtr &store() const noexcept { return store_; }

private:
  /// Whether so many of these bytes are elements of an array.
  Result<void> fits(std::uint32_t first, std::size_t count, std::size_t size) const;
  detail::StorePtr store_;
  detail::Owned<wasm_ref_t, wasm_ref_delete> ref_;
};

/// A `v128`: 16 bytes, lane 0 first. Thread: any.
struct V128 {
  std::array<std::uint8_t, 16> bytes{};

  /// Of lanes: `V128::of<float>({1, 2, 3, 4})`.
  template <class T> static V128 of(const std::array<T, 16 / sizeof(T)> &lanes) noexcept {
    static_assert(std::is_arithmetic_v<T> && 16 % sizeof(T) == 0, "lanes are numbers");
    V128 vector;
    std::memcpy(vector.bytes.data(), lanes.data(), 16);
    return vector;
  }
  /// As lanes: `vector.as<float>()[3]`.
  template <class T> std::array<T, 16 / sizeof(T)> as() const noexcept {
    static_assert(std::is_arithmetic_v<T> && 16 % sizeof(T) == 0, "lanes are numbers");
    std::array<T, 16 / sizeof(T)> lanes;
    std::memcpy(lanes.data(), bytes.data(), 16);
    return lanes;
  }
  /// Whether all bits are the same.
  friend bool operator==(const V128 &a, const V128 &b) noexcept { return a.bytes == b.bytes; }
  friend bool operator!=(const V128 &a, const V128 &b) noexcept { return a.bytes != b.bytes; }
};

namespace detail {

/// The vector in a value of the C API that is one.
inline V128 v128_of(const wasm_val_t &val) noexcept {
  V128 vector;
  std::memcpy(vector.bytes.data(), stepwell_val_v128(&val), 16);
  return vector;
}

} // namespace detail

/// A value of any kind. Copies of a reference refer to the same object. Thread: references with their store, others any.
class Val {
public:
  /// An `i32` of 0.
  Val() noexcept : Val(std::int32_t{0}) {}
  template <class T, std::enable_if_t<std::is_integral_v<T> && sizeof(T) == 4, int> = 0> Val(T value) noexcept {
    val_.kind = WASM_I32;
    val_.of.i32 = static_cast<std::int32_t>(value);
  }
  template <class T, std::enable_if_t<std::is_integral_v<T> && sizeof(T) == 8, int> = 0> Val(T value) noexcept {
    val_.kind = WASM_I64;
    val_.of.i64 = static_cast<std::int64_t>(value);
  }
  Val(float value) noexcept {
    val_.kind = WASM_F32;
    val_.of.f32 = value;
  }
  Val(double value) noexcept {
    val_.kind = WASM_F64;
    val_.of.f64 = value;
  }
  Val(const V128 &value) { stepwell_val_new_v128(value.bytes.data(), &val_); }
  /// An `externref`.
  Val(Ref ref) noexcept : store_(ref.store()) {
    val_.kind = WASM_EXTERNREF;
    val_.of.ref = ref.release();
  }
  /// A `funcref`.
  Val(const Func &func);
  /// An `exnref`.
  Val(const ExnRef &exn);
  /// An `anyref`: a structure, an array, an integer of 31 bits, or null.
  static Val any(Ref ref) { return of_ref(ValKind::AnyRef, std::move(ref)); }
  /// A reference as a value of a kind of references: an `anyref` that a guest has given, to give it back.
  static Val of_ref(ValKind kind, Ref ref) {
    Val val(std::move(ref));
    if (!wasm_valkind_is_ref(static_cast<wasm_valkind_t>(kind))) val.expect(kind);
    val.val_.kind = static_cast<wasm_valkind_t>(kind);
    return val;
  }
  /// A null of a kind of reference, a zero of a kind of number.
  static Val zero(ValKind kind) noexcept {
    Val val;
    val.val_ = wasm_val_t();
    val.val_.kind = static_cast<wasm_valkind_t>(kind);
    return val;
  }
  /// Takes an owned value of the C API.
  Val(detail::StorePtr store, const wasm_val_t &owned) noexcept : val_(owned) {
    if (is_ref()) store_ = std::move(store);
  }

  Val(const Val &other) : val_(other.val_), store_(other.store_) {
    if (is_owner()) wasm_val_copy(&val_, &other.val_);
  }
  Val(Val &&other) noexcept : val_(other.val_), store_(std::move(other.store_)) { other.forget(); }
  Val &operator=(Val other) noexcept {
    std::swap(val_, other.val_);
    std::swap(store_, other.store_);
    return *this;
  }
  ~Val() {
    if (is_owner()) wasm_val_delete(&val_);
  }

  ValKind kind() const noexcept { return static_cast<ValKind>(val_.kind); }
  bool is_ref() const noexcept { return wasm_valkind_is_ref(val_.kind); }
  /// The value, which must be of this kind; else an error of code `Argument`.
  std::int32_t i32() const { return expect(ValKind::I32), val_.of.i32; }
  std::int64_t i64() const { return expect(ValKind::I64), val_.of.i64; }
  float f32() const { return expect(ValKind::F32), val_.of.f32; }
  double f64() const { return expect(ValKind::F64), val_.of.f64; }
  V128 v128() const { return expect(ValKind::V128), detail::v128_of(val_); }
  /// The reference of any kind; it may be null.
  Ref ref() const;
  /// The function of a `funcref`, unless it is null.
  std::optional<Func> func() const;
  /// The exception of an `exnref`, unless it is null.
  std::optional<ExnRef> exn() const;
  /// The value as a C++ type: integers of 32 and 64 bits, `float`, `double`, `V128`, `Ref`, `std::optional<Func>`,
  /// `std::optional<ExnRef>`.
  template <class T> T get() const;

  /// The C value, borrowed.
  const wasm_val_t &raw() const noexcept { return val_; }
  /// The C value, given away.
  wasm_val_t release() noexcept {
    const wasm_val_t val = val_;
    forget();
    return val;
  }

private:
  bool is_owner() const noexcept { return is_ref() || kind() == ValKind::V128; }
  void forget() noexcept {
    val_.kind = WASM_I32;
    val_.of.i64 = 0;
  }
  void expect(ValKind wanted) const {
    if (kind() != wanted) {
      Error(ErrorCode::Argument, std::string("a value is ") + to_string(kind()) + ", and was asked for as " + to_string(wanted))
          .raise();
    }
  }
  wasm_val_t val_ = wasm_val_t();
  detail::StorePtr store_;
};

// ---- Handles of objects in a store -----------------------------------------------------------------------------

namespace detail {

/// What C is given for values that are lent.
inline std::vector<wasm_val_t> raw_values(Span<const Val> values) {
  std::vector<wasm_val_t> given;
  given.reserve(values.size());
  for (const Val &value : values) given.push_back(value.raw());
  return given;
}

/// What functions, memories and the like have in common. Thread: with its store.
template <class Self, class C, auto Delete, auto Copy, auto Same, auto AsRef> class Object {
public:
  /// Takes an owned handle of the C API.
  Object(StorePtr store, C *owned) noexcept : store_(std::move(store)), ptr_(owned) {}

  /// Whether it has not been moved from.
  bool valid() const noexcept { return ptr_ != nullptr; }
  /// Another handle of the same object.
  Self clone() const { return Self(store_, Copy(need())); }
  /// Whether both are handles of one object.
  friend bool same(const Self &a, const Self &b) { return Same(a.need(), b.need()); }
  /// The same object as a reference.
  Ref to_ref() const { return Ref(store_, wasm_ref_copy(AsRef(need()))); }

  /// The C handle, borrowed; NULL after a move.
  C *raw() const noexcept { return ptr_.get(); }
  /// The C handle, given away.
  C *release() noexcept { return ptr_.release(); }
  /// For this header.
  const StorePtr &store() const noexcept { return store_; }

protected:
  /// The C handle; after a move, an error.
  C *need() const {
    if (!ptr_) moved_from(Self::class_name).raise();
    return ptr_.get();
  }
  StorePtr store_; // goes last
  Owned<C, Delete> ptr_;
};

} // namespace detail

#define STEPWELL_HPP_OBJECT(Self, c)                                                                                   \
  detail::Object<Self, wasm_##c##_t, wasm_##c##_delete, wasm_##c##_copy, wasm_##c##_same, wasm_##c##_as_ref>

template <class Signature> class TypedFunc;

/// A function: a guest's or the host's. Thread: with its store.
class Func : public STEPWELL_HPP_OBJECT(Func, func) {
public:
  static constexpr const char *class_name = "Func";
  using Object::Object;

  /// A host function from anything that can be called; its type is that of its parameters and its result. They may be integers of
  /// 32 and 64 bits, `float`, `double`, `V128`, `Ref` (an `externref`), `std::optional<Func>` (a `funcref`) and `std::optional<ExnRef>` (an
  /// `exnref`); the result also `void`, a `std::tuple` for several, and a `Result` of any of these, by which a host function fails without
  /// throwing. A first parameter `Caller &` is the call's store.
  ///
  /// The store keeps `function` as long as anything can call it. If that holds handles of the store, the store goes never.
  template <class F> static Result<Func> try_make(Store &store, F function);
  template <class F> Func(Store &store, F function);
  /// A host function of a type that is known only when the program runs: `Result<void> (Caller &, Span<const Val> args, Span<Val>
  /// results)`, or the same returning `void`. The results are zeros and nulls at first.
  template <class F> static Result<Func> try_make(Store &store, const FuncType &type, F function);
  template <class F> Func(Store &store, const FuncType &type, F function);

  FuncType type() const;
  std::size_t param_count() const { return wasm_func_param_arity(need()); }
  std::size_t result_count() const { return wasm_func_result_arity(need()); }

  /// Calls it: `func.call(1, 2.5)`.
  template <class... Args> Result<std::vector<Val>> try_call(Args &&...args) const {
    const std::array<Val, sizeof...(Args)> values{Val(std::forward<Args>(args))...};
    return try_call_with(Span<const Val>(values.data(), values.size()));
  }
  template <class... Args> std::vector<Val> call(Args &&...args) const {
    return try_call(std::forward<Args>(args)...).value();
  }
  /// Calls it with a list of values.
  Result<std::vector<Val>> try_call_with(Span<const Val> args) const;
  std::vector<Val> call_with(Span<const Val> args) const { return try_call_with(args).value(); }

  /// This function as one of a known type, `func.typed<int32_t(int32_t)>()`: the type is checked once, calls are fast.
  template <class Signature> Result<TypedFunc<Signature>> try_typed() const;
  template <class Signature> TypedFunc<Signature> typed() const { return try_typed<Signature>().value(); }
};

/// A global. Thread: with its store.
class Global : public STEPWELL_HPP_OBJECT(Global, global) {
public:
  static constexpr const char *class_name = "Global";
  using Object::Object;

  static Result<Global> try_make(Store &store, const GlobalType &type, const Val &value);
  Global(Store &store, const GlobalType &type, const Val &value);

  GlobalType type() const;
  Val get() const {
    wasm_val_t val = wasm_val_t();
    wasm_global_get(need(), &val);
    return Val(store_, val);
  }
  /// The value as a C++ type; an error if it is of another kind.
  template <class T> T get() const { return get().template get<T>(); }
  /// An error for a value of another kind, and for a global that cannot be written.
  Result<void> try_set(const Val &value) {
    if (!valid()) return detail::moved_from(class_name);
    stepwell_last_error_clear();
    wasm_global_set(ptr_.get(), &value.raw());
    if (stepwell_last_error()) return detail::last_error("setting a global");
    return {};
  }
  void set(const Val &value) { try_set(value).value(); }
};

/// A memory that stores of one engine, on several threads, have at once: see `Memory::shared`. A copy is the same memory.
/// Thread: any.
class SharedMemory {
public:
  static constexpr const char *class_name = "SharedMemory";
  /// A new one of zeros. The type must be shared, and have a maximum.
  static Result<SharedMemory> try_make(const Engine &engine, const MemoryType &type);
  SharedMemory(const Engine &engine, const MemoryType &type);
  /// Takes an owned handle of the C API.
  explicit SharedMemory(stepwell_sharedmemory_t *owned) noexcept : ptr_(owned) {}
  SharedMemory(const SharedMemory &other) : ptr_(other.valid() ? stepwell_sharedmemory_clone(other.raw()) : nullptr) {}
  SharedMemory(SharedMemory &&) noexcept = default;
  SharedMemory &operator=(const SharedMemory &other) { return *this = SharedMemory(other); }
  SharedMemory &operator=(SharedMemory &&) noexcept = default;
  ~SharedMemory() = default;

  bool valid() const noexcept { return ptr_ != nullptr; }
  MemoryType type() const;
  /// The first byte, always. Use atomic accesses there, or `read` and `write`.
  std::uint8_t *data() const { return reinterpret_cast<std::uint8_t *>(stepwell_sharedmemory_data(need())); }
  /// How many bytes it has at this moment.
  std::size_t size() const { return stepwell_sharedmemory_data_size(need()); }
  /// How many pages it has at this moment.
  std::uint64_t pages() const { return stepwell_sharedmemory_size(need()); }
  /// Grows it by `delta` pages, for all that have it; an error, and nothing grown, beyond its maximum.
  Result<void> try_grow(std::uint64_t delta) const {
    if (!valid()) return detail::moved_from(class_name);
    return detail::outcome(stepwell_sharedmemory_grow(raw(), delta, nullptr));
  }
  void grow(std::uint64_t delta) const { try_grow(delta).value(); }
  /// Copies bytes out, not all at once; an error if they are not all inside.
  Result<void> try_read(std::size_t offset, void *to, std::size_t size) const {
    if (!valid()) return detail::moved_from(class_name);
    return detail::outcome(stepwell_sharedmemory_read(raw(), offset, static_cast<wasm_byte_t *>(to), size));
  }
  void read(std::size_t offset, void *to, std::size_t size) const { try_read(offset, to, size).value(); }
  /// Copies bytes in, not all at once; an error, and nothing written, if they do not all go in.
  Result<void> try_write(std::size_t offset, const void *from, std::size_t size) const {
    if (!valid()) return detail::moved_from(class_name);
    return detail::outcome(stepwell_sharedmemory_write(raw(), offset, static_cast<const wasm_byte_t *>(from), size));
  }
  void write(std::size_t offset, const void *from, std::size_t size) const { try_write(offset, from, size).value(); }
  /// Wakes up to `count` guests that wait at `offset`; how many they were.
  std::uint32_t notify(std::size_t offset, std::uint32_t count) const { return stepwell_sharedmemory_notify(need(), offset, count); }
  stepwell_sharedmemory_t *raw() const noexcept { return ptr_.get(); }

private:
  stepwell_sharedmemory_t *need() const {
    if (!valid()) detail::moved_from(class_name).raise();
    return raw();
  }

  detail::Owned<stepwell_sharedmemory_t, stepwell_sharedmemory_delete> ptr_;
};

/// A linear memory. Thread: with its store.
class Memory : public STEPWELL_HPP_OBJECT(Memory, memory) {
public:
  static constexpr const char *class_name = "Memory";
  using Object::Object;

  static Result<Memory> try_make(Store &store, const MemoryType &type);
  Memory(Store &store, const MemoryType &type);
  /// A shared memory as one of a store, for its instances to import.
  static Result<Memory> try_from_shared(Store &store, const SharedMemory &shared);
  static Memory from_shared(Store &store, const SharedMemory &shared) { return try_from_shared(store, shared).value(); }
  /// The memory apart from its store, for other threads, if it is shared.
  std::optional<SharedMemory> shared() const;

  MemoryType type() const;
  /// All bytes as they are: until the memory grows, which any call of a guest can do. Guests on other threads may write a
  /// shared memory meanwhile: see `SharedMemory`.
  Span<std::uint8_t> data() const {
    wasm_memory_t *memory = need();
    return {reinterpret_cast<std::uint8_t *>(wasm_memory_data(memory)), wasm_memory_data_size(memory)};
  }
  /// How many bytes it has.
  std::size_t size() const { return wasm_memory_data_size(need()); }
  /// How many pages it has: of 64 KiB, where its type says nothing else.
  std::uint64_t pages() const { return stepwell_memory_size(need()); }
  /// Grows it by `delta` pages; an error, and nothing grown, beyond its limits.
  Result<void> try_grow(std::uint64_t delta) {
    if (!valid()) return detail::moved_from(class_name);
    return detail::outcome(stepwell_memory_grow(ptr_.get(), delta, nullptr));
  }
  void grow(std::uint64_t delta) { try_grow(delta).value(); }

  /// The object of type `T` at `offset`, copied; an error if it is not all inside.
  template <class T> Result<T> try_read(std::uint64_t offset) const {
    static_assert(std::is_trivially_copyable_v<T>, "only what is plain bytes can be read from a memory");
    const Result<Span<std::uint8_t>> from = try_bytes(offset, sizeof(T));
    if (!from) return from.error();
    T value;
    std::memcpy(&value, from.value().data(), sizeof(T));
    return value;
  }
  template <class T> T read(std::uint64_t offset) const { return try_read<T>(offset).value(); }
  /// Writes an object at `offset`; an error, and nothing written, if it is not all inside.
  template <class T> Result<void> try_write(std::uint64_t offset, const T &value) {
    static_assert(std::is_trivially_copyable_v<T>, "only what is plain bytes can be written to a memory");
    const Result<Span<std::uint8_t>> to = try_bytes(offset, sizeof(T));
    if (!to) return to.error();
    std::memcpy(to.value().data(), &value, sizeof(T));
    return {};
  }
  template <class T> void write(std::uint64_t offset, const T &value) { try_write(offset, value).value(); }
  /// A part of the bytes, as `data()`; an error if it is not all inside.
  Result<Span<std::uint8_t>> try_bytes(std::uint64_t offset, std::uint64_t size) const {
    if (!valid()) return detail::moved_from(class_name);
    const Span<std::uint8_t> all = data();
    if (offset > all.size() || size > all.size() - offset) {
      return Error(ErrorCode::Argument, std::to_string(size) + " bytes at " + std::to_string(offset) + " are not all in a memory of " +
                                            std::to_string(all.size()) + " bytes");
    }
    return Span<std::uint8_t>(all.data() + offset, static_cast<std::size_t>(size));
  }
  Span<std::uint8_t> bytes(std::uint64_t offset, std::uint64_t size) const { return try_bytes(offset, size).value(); }
  /// A part of the bytes as text, copied.
  Result<std::string> try_read_string(std::uint64_t offset, std::uint64_t size) const {
    const Result<Span<std::uint8_t>> from = try_bytes(offset, size);
    if (!from) return from.error();
    return std::string(from.value().begin(), from.value().end());
  }
  std::string read_string(std::uint64_t offset, std::uint64_t size) const { return try_read_string(offset, size).value(); }
  /// The text from `offset` up to a NUL; an error if there is none before the memory's end.
  Result<std::string> try_read_c_string(std::uint64_t offset) const {
    if (!valid()) return detail::moved_from(class_name);
    const Span<std::uint8_t> all = data();
    const void *end = offset < all.size() ? std::memchr(all.data() + offset, 0, all.size() - offset) : nullptr;
    if (!end) return Error(ErrorCode::Argument, "no NUL-terminated string at " + std::to_string(offset));
    return std::string(reinterpret_cast<const char *>(all.data() + offset), static_cast<const char *>(end));
  }
  std::string read_c_string(std::uint64_t offset) const { return try_read_c_string(offset).value(); }
  /// Writes bytes, of a string, a vector or the like; an error, and nothing written, if they do not all go in.
  template <class Bytes> Result<void> try_write_bytes(std::uint64_t offset, const Bytes &bytes) {
    static_assert(sizeof(*bytes.data()) == 1, "bytes are written, and nothing else");
    const Result<Span<std::uint8_t>> to = try_bytes(offset, bytes.size());
    if (!to) return to.error();
    if (bytes.size() != 0) std::memcpy(to.value().data(), bytes.data(), bytes.size());
    return {};
  }
  template <class Bytes> void write_bytes(std::uint64_t offset, const Bytes &bytes) { try_write_bytes(offset, bytes).value(); }
};

/// A table of references. Thread: with its store.
class Table : public STEPWELL_HPP_OBJECT(Table, table) {
public:
  static constexpr const char *class_name = "Table";
  using Object::Object;

  static Result<Table> try_make(Store &store, const TableType &type, const Ref &init = Ref());
  Table(Store &store, const TableType &type, const Ref &init = Ref());

  TableType type() const;
  std::uint32_t size() const { return wasm_table_size(need()); }
  /// An element, which may be null; an error beyond the table's end.
  Result<Ref> try_get(std::uint32_t index) const {
    if (!valid()) return detail::moved_from(class_name);
    if (index >= wasm_table_size(ptr_.get())) {
      return Error(ErrorCode::Argument, "element " + std::to_string(index) + " of a table of " + std::to_string(size()));
    }
    return Ref(store_, wasm_table_get(ptr_.get(), index));
  }
  Ref get(std::uint32_t index) const { return try_get(index).value(); }
  Result<void> try_set(std::uint32_t index, const Ref &value) {
    if (!valid()) return detail::moved_from(class_name);
    if (!wasm_table_set(ptr_.get(), index, value.raw())) return detail::last_error("setting an element of a table");
    return {};
  }
  void set(std::uint32_t index, const Ref &value) { try_set(index, value).value(); }
  /// Grows it by `delta` elements; an error, and nothing grown, beyond its limits.
  Result<void> try_grow(std::uint32_t delta, const Ref &init = Ref()) {
    if (!valid()) return detail::moved_from(class_name);
    if (!wasm_table_grow(ptr_.get(), delta, init.raw())) return detail::last_error("growing a table");
    return {};
  }
  void grow(std::uint32_t delta, const Ref &init = Ref()) { try_grow(delta, init).value(); }
};

namespace detail {

inline bool same_tag(const stepwell_tag_t *a, const stepwell_tag_t *b) { return stepwell_tag_same(a, b); }
inline wasm_ref_t *tag_as_ref(stepwell_tag_t *tag) { return wasm_extern_as_ref(stepwell_tag_as_extern(tag)); }
inline bool same_exception(const stepwell_exception_t *a, const stepwell_exception_t *b) {
  return wasm_ref_same(stepwell_exception_as_ref(const_cast<stepwell_exception_t *>(a)),
                       stepwell_exception_as_ref(const_cast<stepwell_exception_t *>(b)));
}

} // namespace detail

/// What kind of exception it is: guests that are given one throw and catch the same. Thread: with its store.
class Tag : public detail::Object<Tag, stepwell_tag_t, stepwell_tag_delete, stepwell_tag_copy, detail::same_tag, detail::tag_as_ref> {
public:
  static constexpr const char *class_name = "Tag";
  using Object::Object;

  /// A new one, which is the same as no other.
  static Result<Tag> try_make(Store &store, const TagType &type);
  Tag(Store &store, const TagType &type);

  TagType type() const;
};

/// An exception of WebAssembly: a tag, and values of its type. Thread: with its store.
class ExnRef : public detail::Object<ExnRef, stepwell_exception_t, stepwell_exception_delete, stepwell_exception_copy,
                                     detail::same_exception, stepwell_exception_as_ref> {
public:
  static constexpr const char *class_name = "ExnRef";
  using Object::Object;

  /// A new one, with a list of values.
  static Result<ExnRef> try_make_with(const Tag &tag, Span<const Val> values);
  static ExnRef make_with(const Tag &tag, Span<const Val> values) { return try_make_with(tag, values).value(); }
  /// A new one: `ExnRef::make(tag, 1, 2.5)`.
  template <class... Values> static Result<ExnRef> try_make(const Tag &tag, Values &&...values) {
    const std::array<Val, sizeof...(Values)> list{Val(std::forward<Values>(values))...};
    return try_make_with(tag, Span<const Val>(list.data(), list.size()));
  }
  template <class... Values> static ExnRef make(const Tag &tag, Values &&...values) {
    return try_make(tag, std::forward<Values>(values)...).value();
  }

  Tag tag() const;
  /// What it carries.
  Result<std::vector<Val>> try_values() const;
  std::vector<Val> values() const { return try_values().value(); }
  /// The error by which a host function throws it in its guest: to be thrown, or returned as a `Result`.
  GuestException to_error() const { return GuestException(*this); }
  /// Throws that.
  [[noreturn]] void raise() const { to_error().raise(); }
};

/// Anything imported or exported: made of a function, global, table, memory or tag by moving it in. Thread: with its store.
class Extern : public STEPWELL_HPP_OBJECT(Extern, extern) {
public:
  static constexpr const char *class_name = "Extern";
  using Object::Object;
  Extern(Func func) : Object(func.store(), wasm_func_as_extern(func.release())) {}
  Extern(Global global) : Object(global.store(), wasm_global_as_extern(global.release())) {}
  Extern(Table table) : Object(table.store(), wasm_table_as_extern(table.release())) {}
  Extern(Memory memory) : Object(memory.store(), wasm_memory_as_extern(memory.release())) {}
  Extern(Tag tag) : Object(tag.store(), stepwell_tag_as_extern(tag.release())) {}

  ExternKind kind() const { return static_cast<ExternKind>(wasm_extern_kind(need())); }
  ExternType type() const;
  /// What it is, if it is that.
  std::optional<Func> as_func() const { return as<Func>(wasm_extern_as_func(need()), wasm_func_copy); }
  std::optional<Global> as_global() const { return as<Global>(wasm_extern_as_global(need()), wasm_global_copy); }
  std::optional<Table> as_table() const { return as<Table>(wasm_extern_as_table(need()), wasm_table_copy); }
  std::optional<Memory> as_memory() const { return as<Memory>(wasm_extern_as_memory(need()), wasm_memory_copy); }
  std::optional<Tag> as_tag() const { return as<Tag>(stepwell_extern_as_tag(need()), stepwell_tag_copy); }

private:
  template <class T, class C> std::optional<T> as(C *borrowed, C *(*copy)(const C *)) const {
    return borrowed ? std::optional<T>(T(store_, copy(borrowed))) : std::nullopt;
  }
};

inline Val::Val(const Func &func) : Val(func.to_ref()) { val_.kind = WASM_FUNCREF; }
inline Ref Val::ref() const {
  if (!is_ref()) expect(ValKind::ExternRef);
  return Ref(store_, wasm_ref_copy(val_.of.ref));
}
inline Val::Val(const ExnRef &exn) : Val(exn.to_ref()) { val_.kind = STEPWELL_VALKIND_EXNREF; }
inline std::optional<Func> Val::func() const { return expect(ValKind::FuncRef), ref().as_func(); }
inline std::optional<ExnRef> Val::exn() const { return expect(ValKind::ExnRef), ref().as_exn(); }
inline std::optional<ExnRef> Ref::as_exn() const {
  stepwell_exception_t *exception = stepwell_ref_as_exception(ref_.get());
  return exception ? std::optional<ExnRef>(ExnRef(store_, stepwell_exception_copy(exception))) : std::nullopt;
}
inline std::optional<Func> Ref::as_func() const {
  wasm_func_t *func = wasm_ref_as_func(ref_.get());
  return func ? std::optional<Func>(Func(store_, wasm_func_copy(func))) : std::nullopt;
}

inline Tag ExnRef::tag() const {
  stepwell_tag_t *tag = stepwell_exception_tag(need());
  if (!tag) detail::last_error("asking for an exception's tag").raise();
  return Tag(store_, tag);
}
inline Result<ExnRef> ExnRef::try_make_with(const Tag &tag, Span<const Val> values) {
  if (!tag.valid()) return detail::moved_from(Tag::class_name);
  std::vector<wasm_val_t> given;
  given.reserve(values.size());
  for (const Val &value : values) given.push_back(value.raw());
  const wasm_val_vec_t vec = {given.size(), given.data()};
  stepwell_exception_t *exception = nullptr;
  if (stepwell_error_t *error = stepwell_exception_new(tag.raw(), &vec, &exception)) return detail::take_error(error);
  return ExnRef(tag.store(), exception);
}
inline Result<std::vector<Val>> ExnRef::try_values() const {
  if (!valid()) return detail::moved_from(class_name);
  wasm_val_vec_t vec = WASM_EMPTY_VEC;
  if (stepwell_error_t *error = stepwell_exception_values(raw(), &vec)) return detail::take_error(error);
  const std::unique_ptr<wasm_val_vec_t, detail::Deleter<wasm_val_vec_delete>> guard(&vec);
  std::vector<Val> list;
  list.reserve(vec.size);
  for (std::size_t i = 0; i < vec.size; i++) {
    wasm_val_t copy = wasm_val_t();
    wasm_val_copy(&copy, &vec.data[i]);
    list.emplace_back(store_, copy);
  }
  return list;
}

inline std::optional<ExnRef> Error::exn() const {
  if (!failure_ || !failure_->exn) return std::nullopt;
  return ExnRef(failure_->exn->store, stepwell_exception_copy(failure_->exn->exception.get()));
}
inline ExnRef GuestException::exn() const {
  std::optional<ExnRef> exn = Error::exn();
  if (!exn) detail::moved_from("GuestException").raise();
  return std::move(*exn);
}
inline GuestException::GuestException(const ExnRef &exn) : Trap(std::shared_ptr<const detail::Failure>()) {
  wasm_trap_t *trap = exn.valid() ? stepwell_exception_throw(exn.raw()) : nullptr;
  failure_set((trap ? detail::take_trap(trap, exn.store())
                    : exn.valid() ? detail::last_error("throwing an exception") : detail::moved_from(ExnRef::class_name)).failure());
}

inline Result<ValType> ValType::made(wasm_valtype_t *owned, const char *doing) {
  if (!owned) return detail::last_error(doing);
  return ValType(owned);
}
inline Result<ValType> ValType::try_ref(HeapKind heap, bool nullable) {
  return made(stepwell_valtype_new_ref(static_cast<stepwell_heapkind_t>(heap), nullable), "making a reference's type");
}
inline Result<ValType> ValType::try_parse(const std::string &text) {
  if (std::optional<Error> error = detail::no_c_string(text, "text")) return std::move(*error);
  return made(stepwell_valtype_parse(text.c_str()), "reading a type");
}
inline std::optional<HeapKind> ValType::heap() const {
  if (!is_ref()) return std::nullopt;
  return static_cast<HeapKind>(stepwell_valtype_heapkind(need().get()));
}
inline bool ValType::is_nullable() const { return is_ref() && (!type_ || stepwell_valtype_is_nullable(type_.get())); }
inline bool ValType::matches(const ValType &wanted) const {
  return stepwell_valtype_matches(need().get(), wanted.need().get());
}

// ---- Engines, stores and modules -------------------------------------------------------------------------------

/// How an engine is made. The setters can be chained. Thread: one at a time.
class Config {
public:
  static constexpr const char *class_name = "Config";
  Config() : ptr_(wasm_config_new()) {
    if (!ptr_) detail::last_error("making a configuration").raise();
  }
  /// Whether stores of the engine may have a debugger attached. Off at first.
  Config &debug(bool enable) & { return stepwell_config_debug_set(need(), enable), *this; }
  Config &&debug(bool enable) && { return std::move(debug(enable)); }
  /// Whether modules have their debug code compiled with them, and not on first attach. Off at first.
  Config &debug_eagerly(bool enable) & { return stepwell_config_debug_eagerly_set(need(), enable), *this; }
  Config &&debug_eagerly(bool enable) && { return std::move(debug_eagerly(enable)); }
  /// Whether pointers that pass the C API are checked, in the whole process and for good: for tests. Off at first.
  Config &check_handles(bool enable) & { return stepwell_config_check_handles_set(need(), enable), *this; }
  Config &&check_handles(bool enable) && { return std::move(check_handles(enable)); }
  /// What debug code is like.
  Config &debug_tier(DebugTier tier) & { return set_debug_tier(tier), *this; }
  Config &&debug_tier(DebugTier tier) && { return std::move(debug_tier(tier)); }
  /// How many bytes of rerun code the engine keeps.
  Config &rerun_cache(std::size_t bytes) & { return stepwell_config_rerun_cache_set(need(), bytes), *this; }
  Config &&rerun_cache(std::size_t bytes) && { return std::move(rerun_cache(bytes)); }
  /// Whether NaNs are the same in production and debug code, to the bit. Off at first.
  Config &nan_canonicalization(bool enable) & { return stepwell_config_nan_canonicalization_set(need(), enable), *this; }
  Config &&nan_canonicalization(bool enable) && { return std::move(nan_canonicalization(enable)); }
  /// Whether relaxed vector instructions do what the specification's deterministic profile says, the same on all machines. Off at
  /// first.
  Config &relaxed_simd_deterministic(bool enable) & {
    return stepwell_config_relaxed_simd_deterministic_set(need(), enable), *this;
  }
  Config &&relaxed_simd_deterministic(bool enable) && { return std::move(relaxed_simd_deterministic(enable)); }
  /// Whether guests count the instructions they run, and trap when the fuel of `Store::set_fuel` is used up. Off at first.
  Config &fuel(bool enable) & { return stepwell_config_fuel_set(need(), enable), *this; }
  Config &&fuel(bool enable) && { return std::move(fuel(enable)); }
  /// Whether guests can be ended by the engine's epoch and by an `Interrupt`. Off at first.
  Config &epoch(bool enable) & { return stepwell_config_epoch_set(need(), enable), *this; }
  Config &&epoch(bool enable) && { return std::move(epoch(enable)); }
  /// Whether modules may use a proposal. All are on at first.
  Config &feature(Feature which, bool enable) & { return set_feature(which, enable), *this; }
  Config &&feature(Feature which, bool enable) && { return std::move(feature(which, enable)); }
  /// Whether traps are found by signals; else by checks in the code. On at first.
  Config &signals(bool enable) & { return stepwell_config_signals_set(need(), enable), *this; }
  Config &&signals(bool enable) && { return std::move(signals(enable)); }
  /// How many bytes of address space are reserved for each memory.
  Config &memory_reservation(std::uint64_t bytes) & { return stepwell_config_memory_reservation_set(need(), bytes), *this; }
  Config &&memory_reservation(std::uint64_t bytes) && { return std::move(memory_reservation(bytes)); }
  /// How many inaccessible bytes are kept behind the reservation of each memory.
  Config &memory_guard(std::uint64_t bytes) & { return stepwell_config_memory_guard_set(need(), bytes), *this; }
  Config &&memory_guard(std::uint64_t bytes) && { return std::move(memory_guard(bytes)); }
  Config &memory_images(bool enable) & { return stepwell_config_memory_images_set(need(), enable), *this; }
  Config &&memory_images(bool enable) && { return std::move(memory_images(enable)); }
  Config &kept_memories(std::size_t count) & { return stepwell_config_kept_memories_set(need(), count), *this; }
  Config &&kept_memories(std::size_t count) && { return std::move(kept_memories(count)); }
  /// Of how many calls that are done (`Call`) the engine keeps the stack for the next, at most. 128 at first.
  Config &kept_stacks(std::size_t count) & { return stepwell_config_kept_stacks_set(need(), count), *this; }
  Config &&kept_stacks(std::size_t count) && { return std::move(kept_stacks(count)); }
  /// Whether the guest of a `Call` waits where the slice of fuel of `Call::run_slice` is used up. With `fuel(true)`. Off at first.
  Config &fuel_slices(bool enable) & { return stepwell_config_fuel_slices_set(need(), enable), *this; }
  Config &&fuel_slices(bool enable) && { return std::move(fuel_slices(enable)); }
  /// How many bytes of stack guests may use.
  Config &max_stack(std::size_t bytes) & { return stepwell_config_max_stack_set(need(), bytes), *this; }
  Config &&max_stack(std::size_t bytes) && { return std::move(max_stack(bytes)); }
  /// How many bytes of stack are kept free for host functions and stop callbacks.
  Config &stop_reserve(std::size_t bytes) & { return stepwell_config_stop_reserve_set(need(), bytes), *this; }
  Config &&stop_reserve(std::size_t bytes) && { return std::move(stop_reserve(bytes)); }
  /// Whether modules are compiled on several threads. On at first.
  Config &parallel(bool enable) & { return stepwell_config_parallel_set(need(), enable), *this; }
  Config &&parallel(bool enable) && { return std::move(parallel(enable)); }
  /// Whether compiled code is optimised for speed. On at first.
  Config &optimize(bool enable) & { return stepwell_config_optimize_set(need(), enable), *this; }
  Config &&optimize(bool enable) && { return std::move(optimize(enable)); }
  /// Which profilers are told where machine code is. None at first.
  Config &profiler(Profiler which) & { return set_profiler(which), *this; }
  Config &&profiler(Profiler which) && { return std::move(profiler(which)); }
  /// Whether gdb and lldb are told where machine code is, and how to unwind it. Off at first.
  Config &native_debug_info(bool enable) & { return stepwell_config_native_debug_info_set(need(), enable), *this; }
  Config &&native_debug_info(bool enable) && { return std::move(native_debug_info(enable)); }
  /// Whether machine code is kept in anonymous memory, for the whole process. Off at first.
  Config &copied_code(bool enable) & { return stepwell_config_copied_code_set(need(), enable), *this; }
  Config &&copied_code(bool enable) && { return std::move(copied_code(enable)); }

  /// Has compiled modules be kept in a folder, up to so many bytes, and found there instead of compiled again. A folder that cannot be
  /// used, or that others may write to, is no error: the log says so.
  Result<void> try_cache(const std::string &folder, std::uint64_t max_bytes) & {
    return detail::outcome(stepwell_config_cache_set(need(), folder.c_str(), max_bytes));
  }
  Config &cache(const std::string &folder, std::uint64_t max_bytes) & { return try_cache(folder, max_bytes).value(), *this; }
  Config &&cache(const std::string &folder, std::uint64_t max_bytes) && { return std::move(cache(folder, max_bytes)); }
  /// The processor that code is compiled for, where that is not this machine's: levels and features, as "x86-64-v3 popcnt".
  Result<void> try_processor(const std::string &words) & { return detail::outcome(stepwell_config_processor_set(need(), words.c_str())); }
  Config &processor(const std::string &words) & { return try_processor(words).value(), *this; }
  Config &&processor(const std::string &words) && { return std::move(processor(words)); }
  wasm_config_t *raw() const noexcept { return ptr_.get(); }
  wasm_config_t *release() noexcept { return ptr_.release(); }

private:
  void set_debug_tier(DebugTier tier) {
    detail::outcome(stepwell_config_debug_tier_set(need(), static_cast<stepwell_debug_tier_t>(tier))).value();
  }
  void set_profiler(Profiler which) {
    detail::outcome(stepwell_config_profiler_set(need(), static_cast<stepwell_profiler_t>(which))).value();
  }
  void set_feature(Feature which, bool enable) {
    detail::outcome(stepwell_config_feature_set(need(), static_cast<stepwell_feature_t>(which), enable)).value();
  }
  wasm_config_t *need() const {
    if (!ptr_) detail::moved_from(class_name).raise();
    return ptr_.get();
  }
  detail::Owned<wasm_config_t, wasm_config_delete> ptr_;
};

/// Compiles modules; shared by stores. Thread: any; all of its methods may be called by several threads at the same time.
class Engine {
public:
  static constexpr const char *class_name = "Engine";
  static Result<Engine> try_make(Config config = Config()) {
    if (!config.raw()) return detail::moved_from(Config::class_name);
    wasm_engine_t *engine = nullptr;
    if (stepwell_error_t *error = stepwell_engine_new(config.release(), &engine)) return detail::take_error(error);
    return Engine(engine);
  }
  explicit Engine(Config config = Config()) : Engine(try_make(std::move(config)).value()) {}
  /// Takes an owned engine of the C API.
  explicit Engine(wasm_engine_t *owned) noexcept : ptr_(owned) {}

  bool valid() const noexcept { return ptr_ != nullptr; }
  /// Makes the epoch one more: guests whose deadline has come trap. Usually a thread does this at regular times; a signal handler may.
  void increment_epoch() const {
    if (!valid()) detail::moved_from(class_name).raise();
    stepwell_engine_epoch_increment(raw());
  }
  /// Lets go of what is kept for instances to come.
  void trim() const {
    if (!valid()) detail::moved_from(class_name).raise();
    stepwell_engine_trim(raw());
  }
  wasm_engine_t *raw() const noexcept { return ptr_.get(); }

private:
  detail::Owned<wasm_engine_t, wasm_engine_delete> ptr_;
};

namespace detail {

/// What a host keeps with a store, with the address that stands for its type.
template <class T> struct StoreData {
  static constexpr char type = 0;
  const void *tag = &type;
  T value;
  static void finalize(void *data) noexcept { delete static_cast<StoreData *>(data); }
};

/// A C++ function that a store asks something, by an outcome.
template <class F> struct Asked {
  F function;
  std::weak_ptr<StoreBox> store;
  static void finalize(void *env) noexcept { delete static_cast<Asked *>(env); }

  /// Calls it, by `call(function)`, which says what the outcome's value is. What it throws ends the call of the guest.
  template <class Call> void run(stepwell_outcome_t *outcome, Call &&call) noexcept {
    std::optional<Thrown> thrown = no_further([&]() -> std::optional<Error> {
      outcome->value = call(function);
      return std::nullopt;
    });
    if (thrown) {
      const StorePtr box = store.lock();
      std::string text = thrown->error.what(); // up to a NUL, if there is one
      const wasm_message_t message = {text.size() + 1, &text[0]};
      outcome->trap = box ? wasm_trap_new(box->store, &message) : nullptr;
      if (!outcome->trap) return; // not done: that is a trap, too
      if (CallScope *scope = CallScope::find(box.get())) scope->keep(std::move(*thrown), stepwell_trap_message(outcome->trap));
    }
    outcome->done = 1;
  }
  static void limit(void *env, const stepwell_growth_t *growth, stepwell_outcome_t *outcome) noexcept;
  static void over(void *env, std::uint64_t *epochs, stepwell_outcome_t *outcome) noexcept {
    static_cast<Asked *>(env)->run(outcome, [&](F &function) -> std::uint64_t {
      const std::optional<std::uint64_t> answer = function();
      *epochs = answer.value_or(0);
      return answer ? STEPWELL_AT_DEADLINE_EXTEND : STEPWELL_AT_DEADLINE_END;
    });
  }
};

} // namespace detail

/// A memory or a table that is to be made, or to grow: its sizes in bytes or elements.
struct Growth {
  /// Whether it is a table.
  bool is_table;
  /// Its size now; 0 where it is to be made.
  std::uint64_t current;
  /// Its size if it may.
  std::uint64_t desired;
  /// The most that its type lets it have, if that says anything.
  std::optional<std::uint64_t> maximum;
};

template <class F> void detail::Asked<F>::limit(void *env, const stepwell_growth_t *growth, stepwell_outcome_t *outcome) noexcept {
  static_cast<Asked *>(env)->run(outcome, [&](F &function) -> std::uint64_t {
    Growth asked{growth->what == STEPWELL_GROWING_TABLE, growth->current, growth->desired, std::nullopt};
    if (growth->maximum != UINT64_MAX) asked.maximum = growth->maximum;
    return function(static_cast<const Growth &>(asked)) ? 1 : 0;
  });
}

/// Instances and all they own. It lives until the last handle of anything in it goes. Thread: one at a time, with all that is in it.
class Store {
public:
  static constexpr const char *class_name = "Store";
  static Result<Store> try_make(const Engine &engine) {
    if (!engine.valid()) return detail::moved_from(Engine::class_name);
    wasm_store_t *store = wasm_store_new(engine.raw());
    if (!store) return detail::last_error("making a store");
    return Store(std::make_shared<detail::StoreBox>(store));
  }
  explicit Store(const Engine &engine) : Store(try_make(engine).value()) {}
  /// Takes an owned store of the C API.
  explicit Store(wasm_store_t *owned) : Store(std::make_shared<detail::StoreBox>(owned)) {}
  explicit Store(detail::StorePtr box) noexcept : box_(std::move(box)) {}
  Store(Store &&) noexcept = default;
  Store &operator=(Store &&) noexcept = default;

  bool valid() const noexcept { return box_ != nullptr; }
  /// What the store may take: bytes of all memories together, elements of all tables together, instances at a time.
  Result<void> try_limits(std::uint64_t memory_bytes, std::uint64_t table_elements, std::size_t instances) {
    if (!valid()) return detail::moved_from(class_name);
    return detail::outcome(stepwell_store_limits_set(raw(), memory_bytes, table_elements, instances));
  }
  void limits(std::uint64_t memory_bytes, std::uint64_t table_elements, std::size_t instances) {
    try_limits(memory_bytes, table_elements, instances).value();
  }
  /// How many `Call`s the store may have at a time. As many as there can be at first.
  Result<void> try_call_limit(std::size_t calls) {
    if (!valid()) return detail::moved_from(class_name);
    return detail::outcome(stepwell_store_call_limit_set(raw(), calls));
  }
  void call_limit(std::size_t calls) { try_call_limit(calls).value(); }
  /// Has each trap that leaves a guest of it have a core dump, `Error::core_dump`, or ends that. No debugger is needed.
  Result<void> try_core_dumps(bool on) {
    if (!valid()) return detail::moved_from(class_name);
    return detail::outcome(stepwell_store_core_dumps_set(raw(), on));
  }
  void core_dumps(bool on) { try_core_dumps(on).value(); }
  /// How many bytes the structures and arrays may take that its guests make.
  Result<void> try_heap_limit(std::uint64_t bytes) {
    if (!valid()) return detail::moved_from(class_name);
    return detail::outcome(stepwell_store_heap_limit_set(raw(), bytes));
  }
  void heap_limit(std::uint64_t bytes) { try_heap_limit(bytes).value(); }
  /// The bytes of what they have made, as far as it was not collected yet.
  std::uint64_t heap_bytes() const { return stepwell_store_heap_bytes(raw()); }
  /// Gives its guests so much fuel, in the place of what they had; one instruction takes one. For `Config::fuel(true)`.
  Result<void> try_set_fuel(std::uint64_t fuel) {
    if (!valid()) return detail::moved_from(class_name);
    return detail::outcome(stepwell_store_fuel_set(raw(), fuel));
  }
  void set_fuel(std::uint64_t fuel) { try_set_fuel(fuel).value(); }
  /// The fuel that is left.
  Result<std::uint64_t> try_fuel() const {
    if (!valid()) return detail::moved_from(class_name);
    std::uint64_t left = 0;
    if (stepwell_error_t *error = stepwell_store_fuel_get(raw(), &left)) return detail::take_error(error);
    return left;
  }
  std::uint64_t fuel() const { return try_fuel().value(); }
  /// Lets its guests run until the engine's epoch is `epochs` more than now; then they trap. For `Config::epoch(true)`.
  Result<void> try_set_epoch_deadline(std::uint64_t epochs) {
    if (!valid()) return detail::moved_from(class_name);
    return detail::outcome(stepwell_store_epoch_deadline_set(raw(), epochs));
  }
  void set_epoch_deadline(std::uint64_t epochs) { try_set_epoch_deadline(epochs).value(); }
  /// Takes back an `Interrupt` that no guest has found yet.
  void clear_interrupt() {
    if (!valid()) detail::moved_from(class_name).raise();
    stepwell_store_interrupt_clear(raw());
  }
  /// `bool limiter(const Growth &)` says whether a memory or a table may be made, or grow, whoever wants that: where it may not, a
  /// guest's instruction yields -1, and all else is an error. `limits` hold besides. It may look at the store; guests are not called
  /// meanwhile, and nothing else grows. What it throws ends the guest's call.
  template <class F> Result<void> try_limiter(F limiter) {
    if (!valid()) return detail::moved_from(class_name);
    using Env = detail::Asked<F>;
    return detail::outcome(stepwell_store_limiter_set(raw(), Env::limit, new Env{std::move(limiter), box_}, Env::finalize));
  }
  template <class F> void limiter(F limiter) { try_limiter(std::move(limiter)).value(); }
  /// `std::optional<std::uint64_t> over()` says what becomes of a guest whose deadline is over: it goes on for so many epochs more, or
  /// (nothing) it traps, as without such a function. It may look at the store; guests are not called meanwhile. What it throws ends the
  /// guest's call. For `Config::epoch(true)`.
  template <class F> Result<void> try_at_deadline(F over) {
    if (!valid()) return detail::moved_from(class_name);
    using Env = detail::Asked<F>;
    return detail::outcome(stepwell_store_at_deadline_set(raw(), Env::over, new Env{std::move(over), box_}, Env::finalize));
  }
  template <class F> void at_deadline(F over) { try_at_deadline(std::move(over)).value(); }
  /// Gives the store's guests what WASI has for them, by the functions that `Linker::define_wasi()` defines, in the place of what
  /// they had.
  Result<void> try_wasi(WasiConfig config);
  void wasi(WasiConfig config);
  /// Keeps a value of the host's with the store, in the place of what was there. It goes behind everything that is in the store.
  template <class T> Result<void> try_set_data(T value) {
    if (!valid()) return detail::moved_from(class_name);
    using Data = detail::StoreData<T>;
    return detail::outcome(stepwell_store_data_set(raw(), new Data{&Data::type, std::move(value)}, Data::finalize));
  }
  template <class T> void set_data(T value) { try_set_data(std::move(value)).value(); }
  /// That value; nothing if there is none of this type. It is not to be asked of a store whose data plain C has set.
  template <class T> T *data() const {
    if (!valid()) detail::moved_from(class_name).raise();
    auto *found = static_cast<detail::StoreData<T> *>(stepwell_store_data_get(raw()));
    return found && found->tag == &detail::StoreData<T>::type ? &found->value : nullptr;
  }
  /// Gives back what nothing holds any more. It is done by itself from time to time. An error inside a callback of the store.
  Result<void> try_collect() {
    if (!valid()) return detail::moved_from(class_name);
    return detail::outcome(stepwell_store_collect(raw()));
  }
  void collect() { try_collect().value(); }
  /// How many objects it has: instances, memories, tables, globals, functions of the host, foreign objects.
  std::size_t object_count() const {
    if (!valid()) detail::moved_from(class_name).raise();
    return stepwell_store_object_count(raw());
  }
  /// Whether an earlier failure left it unusable.
  bool is_poisoned() const {
    if (!valid()) detail::moved_from(class_name).raise();
    return stepwell_store_is_poisoned(raw());
  }

  wasm_store_t *raw() const noexcept { return box_ ? box_->store : nullptr; }
  /// For this header.
  const detail::StorePtr &box() const noexcept { return box_; }

private:
  detail::StorePtr box_;
};

/// Ends the guests of a store from other threads; it may outlive the store. For `Config::epoch(true)`. Thread: any.
class Interrupt {
public:
  static constexpr const char *class_name = "Interrupt";
  static Result<Interrupt> try_make(const Store &store) {
    if (!store.valid()) return detail::moved_from(Store::class_name);
    stepwell_interrupt_t *interrupt = nullptr;
    if (stepwell_error_t *error = stepwell_interrupt_new(store.raw(), &interrupt)) return detail::take_error(error);
    return Interrupt(interrupt);
  }
  explicit Interrupt(const Store &store) : Interrupt(try_make(store).value()) {}
  /// Takes an owned handle of the C API.
  explicit Interrupt(stepwell_interrupt_t *owned) noexcept : ptr_(owned) {}

  bool valid() const noexcept { return ptr_ != nullptr; }
  /// Ends the guest that runs, with `TrapCode::Interrupt`; if none runs, the next one. A signal handler may call it.
  void raise() const {
    if (!valid()) detail::moved_from(class_name).raise();
    stepwell_interrupt_raise(raw());
  }
  stepwell_interrupt_t *raw() const noexcept { return ptr_.get(); }

private:
  detail::Owned<stepwell_interrupt_t, stepwell_interrupt_delete> ptr_;
};

/// A stack of the host's own making, a coroutine's: its bounds, so that guests know how far they may go. The memory stays the host's.
/// Thread: any.
class Stack {
public:
  static constexpr const char *class_name = "Stack";
  /// A stack of `bytes` bytes, whose lowest is at `base`; guard pages are not counted.
  static Result<Stack> try_make(const void *base, std::size_t bytes) {
    stepwell_stack_t *stack = nullptr;
    if (stepwell_error_t *error = stepwell_stack_new(base, bytes, &stack)) return detail::take_error(error);
    return Stack(stack);
  }
  Stack(const void *base, std::size_t bytes) : Stack(try_make(base, bytes).value()) {}
  /// Takes an owned handle of the C API.
  explicit Stack(stepwell_stack_t *owned) noexcept : ptr_(owned) {}

  bool valid() const noexcept { return ptr_ != nullptr; }
  /// Says that this thread goes on on this stack: called at each switch.
  Result<void> try_enter() const {
    if (!valid()) return detail::moved_from(class_name);
    return detail::outcome(stepwell_thread_stack_set(raw()));
  }
  void enter() const { try_enter().value(); }
  /// Says that this thread goes on on its own stack.
  static Result<void> try_leave() { return detail::outcome(stepwell_thread_stack_set(nullptr)); }
  static void leave() { try_leave().value(); }
  stepwell_stack_t *raw() const noexcept { return ptr_.get(); }

private:
  detail::Owned<stepwell_stack_t, stepwell_stack_delete> ptr_;
};

/// What a host function knows about its call. Thread: inside the callback.
class Caller {
public:
  /// For this header.
  Caller(const stepwell_caller_t *caller, detail::StorePtr store) noexcept : caller_(caller), store_(std::move(store)) {}
  Caller(const Caller &) = delete;
  Caller &operator=(const Caller &) = delete;
  ~Caller() {
    if (borrowed_) borrowed_->store = nullptr; // whoever has kept it gets errors
  }
  /// The store that the function was called in. Where plain C made the call, of a function of a linker, it holds until the function
  /// returns.
  Store &store() {
    if (!store_.valid()) {
      borrowed_ = std::make_shared<detail::StoreBox>(stepwell_caller_store(caller_), false);
      store_ = Store(borrowed_);
    }
    return store_;
  }
  /// The instance whose function called; nothing if the host called directly.
  std::optional<Instance> instance();
  /// The export of this name of that instance; nothing if there is none.
  std::optional<Extern> find(const std::string &name) {
    if (detail::no_c_string(name, "name")) return std::nullopt;
    wasm_extern_t *item = stepwell_caller_export(caller_, name.c_str());
    return item ? std::optional<Extern>(Extern(store().box(), item)) : std::nullopt;
  }
  /// The exported memory of this name of that instance: where a guest's pointers point. An error if there is none.
  Result<Memory> try_memory(const std::string &name = "memory") {
    const std::optional<Extern> item = find(name);
    std::optional<Memory> memory = item ? item->as_memory() : std::nullopt;
    if (memory) return std::move(*memory);
    return Error(ErrorCode::Argument, "the caller exports no memory \"" + name + "\"");
  }
  Memory memory(const std::string &name = "memory") { return try_memory(name).value(); }

  const stepwell_caller_t *raw() const noexcept { return caller_; }

private:
  const stepwell_caller_t *caller_;
  Store store_;
  detail::StorePtr borrowed_;
};

namespace detail {

/// A progress callback, and what it threw.
template <class F> struct Progress {
  F &function;
  std::optional<Thrown> thrown;
  static bool call(void *env, std::size_t done, std::size_t total) noexcept {
    auto *self = static_cast<Progress *>(env);
    if (self->thrown) return false;
    bool go_on = false;
    self->thrown = no_further([&]() -> std::optional<Error> {
      go_on = self->function(done, total);
      return std::nullopt;
    });
    return go_on && !self->thrown;
  }
  Result<void> outcome(stepwell_error_t *error) {
    Result<void> result = detail::outcome(error);
    if (thrown) return std::move(thrown->error);
    return result;
  }
};

/// What a stop callback waits for, and what it threw.
template <class F> struct Wait {
  F &function;
  std::optional<Thrown> thrown;
  static void call(void *env) noexcept {
    auto *self = static_cast<Wait *>(env);
    self->thrown = no_further([&]() -> std::optional<Error> {
      self->function();
      return std::nullopt;
    });
  }
  Result<void> outcome(stepwell_error_t *error) {
    Result<void> result = detail::outcome(error);
    if (thrown) return std::move(thrown->error);
    return result;
  }
};

inline wasm_byte_vec_t borrowed_bytes(Span<const std::uint8_t> bytes) noexcept {
  wasm_byte_vec_t vec = WASM_EMPTY_VEC;
  vec.size = bytes.size();
  vec.data = reinterpret_cast<char *>(const_cast<std::uint8_t *>(bytes.data()));
  return vec;
}

inline ValType to_type(const wasm_valtype_t *type) { return ValType(wasm_valtype_copy(type)); }
inline FuncType to_type(const wasm_functype_t *type) {
  const auto list = [](const wasm_valtype_vec_t *from) {
    std::vector<ValType> types;
    types.reserve(from->size);
    for (std::size_t i = 0; i < from->size; i++) types.push_back(to_type(from->data[i]));
    return types;
  };
  return {list(wasm_functype_params(type)), list(wasm_functype_results(type)),
          std::shared_ptr<const wasm_functype_t>(wasm_functype_copy(type), wasm_functype_delete)};
}
template <class T> Limits limits_of(const T *type, std::uint64_t (*min)(const T *), bool (*max)(const T *, std::uint64_t *)) {
  std::uint64_t most = 0;
  const bool has_max = max(type, &most);
  return {min(type), has_max ? std::optional<std::uint64_t>(most) : std::nullopt};
}
inline GlobalType to_type(const wasm_globaltype_t *type) {
  return {to_type(wasm_globaltype_content(type)), wasm_globaltype_mutability(type) == WASM_VAR};
}
inline TableType to_type(const wasm_tabletype_t *type) {
  return {to_type(wasm_tabletype_element(type)),
          limits_of(type, stepwell_tabletype_min, stepwell_tabletype_max), stepwell_tabletype_is_64(type)};
}
inline Owned<wasm_memorytype_t, wasm_memorytype_delete> c_type(const MemoryType &type) {
  const Limits &limits = type.limits;
  return Owned<wasm_memorytype_t, wasm_memorytype_delete>(stepwell_memorytype_new(
      limits.min, limits.max.has_value(), limits.max.value_or(0), type.is_64, type.is_shared, type.page_size_log2));
}
inline MemoryType to_type(const wasm_memorytype_t *type) {
  return {limits_of(type, stepwell_memorytype_min, stepwell_memorytype_max), stepwell_memorytype_is_64(type),
          stepwell_memorytype_page_size_log2(type), stepwell_memorytype_is_shared(type)};
}
inline TagType to_type(const wasm_tagtype_t *type) {
  FuncType func = to_type(wasm_tagtype_functype(type));
  return {std::move(func.params), std::move(func.told)};
}
inline ExternType to_type(const wasm_externtype_t *type) {
  if (const auto *func = wasm_externtype_as_functype_const(type)) return to_type(func);
  if (const auto *global = wasm_externtype_as_globaltype_const(type)) return to_type(global);
  if (const auto *table = wasm_externtype_as_tabletype_const(type)) return to_type(table);
  if (const auto *tag = wasm_externtype_as_tagtype_const(type)) return to_type(tag);
  return to_type(wasm_externtype_as_memorytype_const(type));
}
using OwnedFuncType = Owned<wasm_functype_t, wasm_functype_delete>;
inline OwnedFuncType from_type(const FuncType &type) {
  // Somebody may have changed what it takes since.
  if (type.told && to_type(type.told.get()) == type) return OwnedFuncType(wasm_functype_copy(type.told.get()));
  const auto list = [](const std::vector<ValType> &types, wasm_valtype_vec_t *out) {
    wasm_valtype_vec_new_uninitialized(out, types.size());
    for (std::size_t i = 0; i < types.size(); i++) out->data[i] = types[i].to_c();
  };
  wasm_valtype_vec_t params = WASM_EMPTY_VEC, results = WASM_EMPTY_VEC;
  list(type.params, &params);
  list(type.results, &results);
  return OwnedFuncType(wasm_functype_new(&params, &results));
}

/// Whether values of one type can be passed as those of the other, as far as the C++ types of values say.
inline bool same_kinds(const FuncType &a, const FuncType &b) {
  const auto same = [](const std::vector<ValType> &one, const std::vector<ValType> &other) {
    if (one.size() != other.size()) return false;
    for (std::size_t i = 0; i < one.size(); i++) {
      if (one[i].kind() != other[i].kind()) return false;
    }
    return true;
  };
  return same(a.params, b.params) && same(a.results, b.results);
}
} // namespace detail

inline Result<ValType> ValType::try_ref(const FuncType &type, bool nullable) {
  const detail::OwnedFuncType c_type = detail::from_type(type);
  return made(c_type ? stepwell_valtype_new_func_ref(c_type.get(), nullable) : nullptr, "making a reference's type");
}
inline ValType ValType::ref(const FuncType &type, bool nullable) { return try_ref(type, nullable).value(); }
inline std::optional<FuncType> ValType::func_type() const {
  const detail::OwnedFuncType type(type_ ? stepwell_valtype_functype(type_.get()) : nullptr);
  return type ? std::optional<FuncType>(detail::to_type(type.get())) : std::nullopt;
}

inline Result<ValType> ValType::try_structure(Span<const FieldType> fields) {
  std::vector<std::shared_ptr<const wasm_valtype_t>> types; // lent
  std::vector<stepwell_field_t> given;
  for (const FieldType &field : fields) {
    types.push_back(field.type.raw());
    given.push_back({types.back().get(), static_cast<stepwell_storage_t>(field.storage), field.is_mutable});
  }
  return made(stepwell_valtype_new_struct(given.data(), given.size()), "making a structure's type");
}
inline Result<ValType> ValType::try_structure(std::initializer_list<FieldType> fields) {
  return try_structure(Span<const FieldType>(fields.begin(), fields.size()));
}
inline ValType ValType::structure(std::initializer_list<FieldType> fields) { return try_structure(fields).value(); }
inline Result<ValType> ValType::try_array(const FieldType &element) {
  const std::shared_ptr<const wasm_valtype_t> type = element.type.raw();
  const stepwell_field_t given = {type.get(), static_cast<stepwell_storage_t>(element.storage), element.is_mutable};
  return made(stepwell_valtype_new_array(&given), "making an array's type");
}
inline std::vector<FieldType> ValType::fields() const {
  std::vector<FieldType> list;
  const std::size_t count = type_ ? stepwell_valtype_field_count(type_.get()) : 0;
  list.reserve(count);
  stepwell_field_t field = stepwell_field_t();
  for (std::size_t i = 0; i < count && stepwell_valtype_field(type_.get(), i, &field); i++) {
    list.push_back({detail::to_type(field.type), static_cast<Storage>(field.storage), field.is_mutable});
  }
  return list;
}

namespace detail {

inline std::vector<std::uint8_t> take_bytes(wasm_byte_vec_t &vec) {
  const std::unique_ptr<wasm_byte_vec_t, Deleter<wasm_byte_vec_delete>> guard(&vec);
  const auto *data = reinterpret_cast<const std::uint8_t *>(vec.data);
  return vec.size == 0 ? std::vector<std::uint8_t>() : std::vector<std::uint8_t>(data, data + vec.size);
}

} // namespace detail

/// A custom section of a module. `data` is borrowed: it holds as long as any handle of the module or of an instance of it. Any thread.
struct CustomSection {
  std::string name;
  Span<const std::uint8_t> data;
};

/// The binary of a module in the text format, to compile; an error says at which line and column it is wrong. Thread: any.
inline Result<std::vector<std::uint8_t>> try_wat2wasm(std::string_view text) {
  wasm_byte_vec_t vec = WASM_EMPTY_VEC;
  if (stepwell_error_t *error = stepwell_wat2wasm(text.empty() ? "" : text.data(), text.size(), &vec)) return detail::take_error(error);
  return detail::take_bytes(vec);
}
inline std::vector<std::uint8_t> wat2wasm(std::string_view text) { return try_wat2wasm(text).value(); }

/// A module that is of no store: what threads pass each other. Thread: any.
class SharedModule {
public:
  static constexpr const char *class_name = "SharedModule";
  /// Validates and compiles a module.
  static Result<SharedModule> try_make(const Engine &engine, Span<const std::uint8_t> binary) {
    if (!engine.valid()) return detail::moved_from(Engine::class_name);
    const wasm_byte_vec_t bytes = detail::borrowed_bytes(binary);
    wasm_shared_module_t *module = nullptr;
    if (stepwell_error_t *error = stepwell_shared_module_new(engine.raw(), &bytes, &module)) return detail::take_error(error);
    return SharedModule(module);
  }
  SharedModule(const Engine &engine, Span<const std::uint8_t> binary) : SharedModule(try_make(engine, binary).value()) {}
  /// Takes an owned module of the C API.
  explicit SharedModule(wasm_shared_module_t *owned) noexcept : ptr_(owned) {}
  /// Whether a module is valid for the engine and uses only what is there; else the error says what is wrong and where. Nothing is
  /// compiled.
  static Result<void> try_validate(const Engine &engine, Span<const std::uint8_t> binary) {
    if (!engine.valid()) return detail::moved_from(Engine::class_name);
    const wasm_byte_vec_t bytes = detail::borrowed_bytes(binary);
    return detail::outcome(stepwell_module_validate(engine.raw(), &bytes));
  }

  bool valid() const noexcept { return ptr_ != nullptr; }
  /// Compiles the debug code now. `progress(done, total)` returns whether to go on; it may be called by another thread.
  template <class F> Result<void> try_compile_debug(F &&progress) const {
    if (!valid()) return detail::moved_from(class_name);
    detail::Progress<std::remove_reference_t<F>> env{progress, std::nullopt};
    return env.outcome(stepwell_shared_module_compile_debug(raw(), detail::Progress<std::remove_reference_t<F>>::call, &env));
  }
  Result<void> try_compile_debug() const {
    return try_compile_debug([](std::size_t, std::size_t) { return true; });
  }
  template <class... F> void compile_debug(F &&...progress) const { try_compile_debug(std::forward<F>(progress)...).value(); }

  /// The compiled module as bytes, to load with `deserialize` into an engine of the same version and configuration.
  Result<std::vector<std::uint8_t>> try_serialize() const {
    if (!valid()) return detail::moved_from(class_name);
    wasm_byte_vec_t vec = WASM_EMPTY_VEC;
    if (stepwell_error_t *error = stepwell_shared_module_serialize(raw(), &vec)) return detail::take_error(error);
    return detail::take_bytes(vec);
  }
  std::vector<std::uint8_t> serialize() const { return try_serialize().value(); }
  /// Writes that to a file; readers find the old file or the whole new one.
  Result<void> try_serialize_file(const std::string &path) const {
    if (!valid()) return detail::moved_from(class_name);
    if (std::optional<Error> error = detail::no_c_string(path, "path")) return std::move(*error);
    return detail::outcome(stepwell_shared_module_serialize_file(raw(), path.c_str()));
  }
  void serialize_file(const std::string &path) const { try_serialize_file(path).value(); }
  /// Loads what `serialize` made, without compiling. Damage, another version, machine or configuration are errors. Load only what you
  /// trust: it is machine code, like a shared library.
  static Result<SharedModule> try_deserialize(const Engine &engine, Span<const std::uint8_t> binary) {
    if (!engine.valid()) return detail::moved_from(Engine::class_name);
    const wasm_byte_vec_t bytes = detail::borrowed_bytes(binary);
    wasm_shared_module_t *module = nullptr;
    if (stepwell_error_t *error = stepwell_shared_module_deserialize(engine.raw(), &bytes, &module)) return detail::take_error(error);
    return SharedModule(module);
  }
  static SharedModule deserialize(const Engine &engine, Span<const std::uint8_t> binary) { return try_deserialize(engine, binary).value(); }
  static Result<SharedModule> try_deserialize_file(const Engine &engine, const std::string &path) {
    if (!engine.valid()) return detail::moved_from(Engine::class_name);
    if (std::optional<Error> error = detail::no_c_string(path, "path")) return std::move(*error);
    wasm_shared_module_t *module = nullptr;
    if (stepwell_error_t *error = stepwell_shared_module_deserialize_file(engine.raw(), path.c_str(), &module)) return detail::take_error(error);
    return SharedModule(module);
  }
  static SharedModule deserialize_file(const Engine &engine, const std::string &path) { return try_deserialize_file(engine, path).value(); }

  wasm_shared_module_t *raw() const noexcept { return ptr_.get(); }

private:
  detail::Owned<wasm_shared_module_t, wasm_shared_module_delete> ptr_;
};

/// A compiled module, in a store. Thread: with its store.
class Module : public STEPWELL_HPP_OBJECT(Module, module) {
public:
  static constexpr const char *class_name = "Module";
  using Object::Object;

  /// Validates and compiles a module.
  static Result<Module> try_make(Store &store, Span<const std::uint8_t> binary) {
    if (!store.valid()) return detail::moved_from(Store::class_name);
    const wasm_byte_vec_t bytes = detail::borrowed_bytes(binary);
    wasm_module_t *module = nullptr;
    if (stepwell_error_t *error = stepwell_module_new(store.raw(), &bytes, &module)) return detail::take_error(error);
    return Module(store.box(), module);
  }
  Module(Store &store, Span<const std::uint8_t> binary) : Module(try_make(store, binary).value()) {}
  /// A shared module, in a store of its engine.
  static Result<Module> try_make(Store &store, const SharedModule &shared) {
    if (!store.valid()) return detail::moved_from(Store::class_name);
    if (!shared.valid()) return detail::moved_from(SharedModule::class_name);
    wasm_module_t *module = wasm_module_obtain(store.raw(), shared.raw());
    if (!module) return detail::last_error("obtaining a shared module");
    return Module(store.box(), module);
  }
  Module(Store &store, const SharedModule &shared) : Module(try_make(store, shared).value()) {}
  /// Whether these bytes are a valid module; the error says why not.
  static Result<void> try_validate(Store &store, Span<const std::uint8_t> binary) {
    if (!store.valid()) return detail::moved_from(Store::class_name);
    const wasm_byte_vec_t bytes = detail::borrowed_bytes(binary);
    if (!wasm_module_validate(store.raw(), &bytes)) return detail::last_error("validating a module");
    return {};
  }

  /// The compiled module as bytes, to load with `deserialize` into an engine of the same version and configuration.
  Result<std::vector<std::uint8_t>> try_serialize() const {
    if (!valid()) return detail::moved_from(class_name);
    wasm_byte_vec_t vec = WASM_EMPTY_VEC;
    if (stepwell_error_t *error = stepwell_module_serialize(raw(), &vec)) return detail::take_error(error);
    return detail::take_bytes(vec);
  }
  std::vector<std::uint8_t> serialize() const { return try_serialize().value(); }
  /// Writes that to a file; readers find the old file or the whole new one.
  Result<void> try_serialize_file(const std::string &path) const {
    if (!valid()) return detail::moved_from(class_name);
    if (std::optional<Error> error = detail::no_c_string(path, "path")) return std::move(*error);
    return detail::outcome(stepwell_module_serialize_file(raw(), path.c_str()));
  }
  void serialize_file(const std::string &path) const { try_serialize_file(path).value(); }
  /// Loads what `serialize` made, without compiling. Damage, another version, machine or configuration are errors. Load only what you
  /// trust: it is machine code, like a shared library.
  static Result<Module> try_deserialize(Store &store, Span<const std::uint8_t> binary) {
    if (!store.valid()) return detail::moved_from(Store::class_name);
    const wasm_byte_vec_t bytes = detail::borrowed_bytes(binary);
    wasm_module_t *module = nullptr;
    if (stepwell_error_t *error = stepwell_module_deserialize(store.raw(), &bytes, &module)) return detail::take_error(error);
    return Module(store.box(), module);
  }
  static Module deserialize(Store &store, Span<const std::uint8_t> binary) { return try_deserialize(store, binary).value(); }
  static Result<Module> try_deserialize_file(Store &store, const std::string &path) {
    if (!store.valid()) return detail::moved_from(Store::class_name);
    if (std::optional<Error> error = detail::no_c_string(path, "path")) return std::move(*error);
    wasm_module_t *module = nullptr;
    if (stepwell_error_t *error = stepwell_module_deserialize_file(store.raw(), path.c_str(), &module)) return detail::take_error(error);
    return Module(store.box(), module);
  }
  static Module deserialize_file(Store &store, const std::string &path) { return try_deserialize_file(store, path).value(); }

  /// The module without its store, to hand to another thread.
  SharedModule share() const { return SharedModule(wasm_module_share(need())); }
  std::vector<ImportType> imports() const;
  std::vector<ExportType> exports() const;
  std::optional<std::string> name() const { return detail::optional_name(stepwell_module_name, need()); }
  /// How many functions it has, imports counted.
  std::uint32_t func_count() const { return stepwell_module_func_count(need()); }
  std::optional<std::string> func_name(std::uint32_t index) const {
    return detail::optional_name(stepwell_module_func_name, need(), index);
  }
  /// Other names of the name section.
  std::optional<std::string> local_name(std::uint32_t func, std::uint32_t local) const {
    return detail::optional_name(stepwell_module_local_name, need(), func, local);
  }
  std::optional<std::string> global_name(std::uint32_t index) const { return detail::optional_name(stepwell_module_global_name, need(), index); }
  std::optional<std::string> table_name(std::uint32_t index) const { return detail::optional_name(stepwell_module_table_name, need(), index); }
  std::optional<std::string> memory_name(std::uint32_t index) const { return detail::optional_name(stepwell_module_memory_name, need(), index); }
  std::optional<std::string> data_name(std::uint32_t index) const { return detail::optional_name(stepwell_module_data_name, need(), index); }
  std::optional<std::string> elem_name(std::uint32_t index) const { return detail::optional_name(stepwell_module_elem_name, need(), index); }
  std::size_t import_count() const { return stepwell_module_import_count(need()); }
  std::size_t export_count() const { return stepwell_module_export_count(need()); }
  /// Whether it has a start function, which runs when it is instantiated.
  bool has_start() const { return stepwell_module_has_start(need()); }
  /// Bytes of production code, and of debug code, which are 0 while it has not been compiled.
  std::size_t text_size() const { return stepwell_module_text_size(need()); }
  std::size_t debug_text_size() const { return stepwell_module_debug_text_size(need()); }
  /// All custom sections, in the order of the binary.
  std::vector<CustomSection> custom_sections() const {
    const wasm_module_t *module = need();
    const std::size_t count = stepwell_module_custom_section_count(module);
    std::vector<CustomSection> list;
    for (std::size_t i = 0; i < count; i++) list.push_back(custom_section_at(module, i));
    return list;
  }
  /// The first custom section of this name, if there is one.
  std::optional<CustomSection> custom_section(const std::string &name) const {
    const wasm_module_t *module = need();
    std::size_t index = 0;
    if (detail::no_c_string(name, "name") || !stepwell_module_custom_section_find(module, name.c_str(), 0, &index)) return std::nullopt;
    return custom_section_at(module, index);
  }
  /// The index of the function of this name, an export's or one of the name section.
  std::optional<std::uint32_t> func_find(const std::string &name) const {
    std::uint32_t index = 0;
    if (detail::no_c_string(name, "name") || !stepwell_module_func_find(need(), name.c_str(), &index)) return std::nullopt;
    return index;
  }
  /// Where in the source the instruction at `offset` is: in the innermost inlined function first; empty where the module's DWARF, if
  /// it has any, does not say.
  std::vector<Source> sources(std::size_t offset) const {
    const wasm_module_t *module = need();
    return detail::all_sources(stepwell_module_source_count(module, offset), [&](std::size_t index, stepwell_source_t *out) {
      return stepwell_module_source(module, offset, index, out);
    });
  }
  /// The first line of the source from `line` on that has code, if there is one. `file` is a path as the compiler knew it, or the end of
  /// one.
  std::optional<std::uint32_t> source_line(const std::string &file, std::uint32_t line) const {
    const wasm_module_t *module = need();
    if (detail::no_c_string(file, "file")) return std::nullopt;
    const std::uint32_t found = stepwell_module_source_line(module, file.c_str(), line);
    return found ? std::optional<std::uint32_t>(found) : std::nullopt;
  }
  /// The offsets at which the code of a line of the source begins, ascending: all places that it has code at, of the next line that has
  /// code, if it has none. `file` is a path as the compiler knew it, or the end of one.
  std::vector<std::size_t> find_source(const std::string &file, std::uint32_t line) const {
    const wasm_module_t *module = need();
    std::vector<std::size_t> list;
    std::size_t offset = 0;
    if (detail::no_c_string(file, "file")) return list;
    while (stepwell_module_source_find(module, file.c_str(), line, list.size(), &offset)) list.push_back(offset);
    return list;
  }
  /// Every place at which a line of the source has code, or the next one that has some: with its function, and whether that is inlined.
  /// With a column that is not 0, only what begins there.
  std::vector<LinePlace> line_places(const std::string &file, std::uint32_t line, std::uint32_t column = 0) const {
    const wasm_module_t *module = need();
    std::vector<LinePlace> list;
    if (detail::no_c_string(file, "file")) return list;
    for (const stepwell_line_place_t &row : detail::all_rows<stepwell_line_place_t>([&](stepwell_line_place_t *out, std::size_t capacity) {
           return stepwell_module_line_places(module, file.c_str(), line, column, out, capacity);
         }))
      list.push_back({row.offset, detail::source_of(row.source), row.is_inlined});
    return list;
  }
  /// The files of its source that have code, in the order of their paths.
  std::vector<std::string> source_files() const {
    const wasm_module_t *module = need();
    std::vector<std::string> list;
    for (const char *file : detail::all_rows<const char *>([&](const char **out, std::size_t capacity) {
           return stepwell_module_source_files(module, out, capacity);
         }))
      list.emplace_back(file);
    return list;
  }
  /// The line table of its DWARF, sequence by sequence. The files' names are the module's, and live as long as it.
  std::vector<stepwell_line_t> line_table() const {
    const wasm_module_t *module = need();
    return detail::all_rows<stepwell_line_t>(
        [&](stepwell_line_t *out, std::size_t capacity) { return stepwell_module_line_table(module, out, capacity); });
  }
  /// Where the contents of its code section begin, from which DWARF counts addresses of code.
  std::size_t code_start() const { return stepwell_module_code_start(need()); }
  /// Functions by their indices, imports counted: from `first` on, at most `count`.
  std::vector<FunctionInfo> functions(std::uint32_t first = 0, std::size_t count = SIZE_MAX) const {
    const wasm_module_t *module = need();
    const std::size_t there = func_count();
    const std::size_t rest = there > first ? there - first : 0;
    std::vector<stepwell_function_t> rows(rest < count ? rest : count);
    rows.resize((std::min)(rows.size(), stepwell_module_functions(module, first, rows.data(), rows.size())));
    std::vector<FunctionInfo> list;
    list.reserve(rows.size());
    const auto text = [](const char *from) { return from ? std::optional<std::string>(from) : std::nullopt; };
    for (const stepwell_function_t &row : rows)
      list.push_back({row.index, text(row.name), text(row.linkage_name), text(row.file), row.line, row.begin, row.end, row.entry});
    return list;
  }
  /// Instructions of a function that it defines, from the first one at `offset` or behind it on, at most `count`.
  Result<std::vector<Instruction>> try_instructions(std::uint32_t func_index, std::size_t offset = 0, std::size_t count = SIZE_MAX) const {
    if (!valid()) return detail::moved_from(class_name);
    std::vector<Instruction> list;
    stepwell_instruction_t page[64];
    while (list.size() < count) {
      const std::size_t room = (std::min)(count - list.size(), sizeof(page) / sizeof(*page));
      std::size_t written = 0;
      if (stepwell_error_t *error = stepwell_module_instructions(raw(), func_index, offset, page, room, &written)) return detail::take_error(error);
      for (std::size_t i = 0; i < written; i++) {
        list.push_back({page[i].offset, page[i].size, std::string(page[i].text.data, page[i].text.size - 1)});
        wasm_byte_vec_delete(&page[i].text);
      }
      if (written < room) break;
      offset = list.back().offset + list.back().size;
    }
    return list;
  }
  std::vector<Instruction> instructions(std::uint32_t func_index, std::size_t offset = 0, std::size_t count = SIZE_MAX) const {
    return try_instructions(func_index, offset, count).value();
  }
  /// The machine code of a function that it defines: that of production, or of debug code, which is compiled where it is not there yet.
  Result<std::vector<MachineCode>> try_machine_code(std::uint32_t func_index, bool debug = false) const {
    if (!valid()) return detail::moved_from(class_name);
    std::vector<MachineCode> list;
    std::vector<stepwell_machine_code_t> page(256);
    for (std::size_t offset = 0, written = page.size(); written == page.size();) {
      if (stepwell_error_t *error = stepwell_module_machine_code(raw(), func_index, debug, offset, page.data(), page.size(), &written))
        return detail::take_error(error);
      for (std::size_t i = 0; i < written; i++) {
        stepwell_machine_code_t &row = page[i];
        MachineCode piece{row.offset, std::nullopt, std::vector<std::uint8_t>(row.bytes.data, row.bytes.data + row.bytes.size), std::nullopt};
        if (row.module_offset != SIZE_MAX) piece.module_offset = row.module_offset;
        if (row.text.size > 0) piece.text = std::string(row.text.data, row.text.size - 1);
        wasm_byte_vec_delete(&row.bytes);
        wasm_byte_vec_delete(&row.text);
        list.push_back(std::move(piece));
      }
      if (written > 0) offset = list.back().offset + 1;
    }
    return list;
  }
  std::vector<MachineCode> machine_code(std::uint32_t func_index, bool debug = false) const { return try_machine_code(func_index, debug).value(); }
  /// Gives it a file of its split DWARF (`-gsplit-dwarf`): a package (`.dwp`), or what was written for one unit (`.dwo`). Functions'
  /// names and what is inlined are then found there. All handles of the module have it; a serialized module does not.
  Result<void> try_add_split_dwarf(Span<const std::uint8_t> file) {
    if (!valid()) return detail::moved_from(class_name);
    const wasm_byte_vec_t bytes = detail::borrowed_bytes(file);
    return detail::outcome(stepwell_module_split_dwarf_add(raw(), &bytes));
  }
  void add_split_dwarf(Span<const std::uint8_t> file) { try_add_split_dwarf(file).value(); }
  /// The compilation units whose other part is in no file that was given: what the compiler called their files, or nothing where the
  /// module does not say. A module that is not trusted may name any file: open only what you would open anyway.
  std::vector<std::string> missing_split_dwarf() const {
    const wasm_module_t *module = need();
    std::vector<std::string> list;
    list.reserve(stepwell_module_split_dwarf_missing(module));
    while (std::optional<std::string> name = detail::optional_name(stepwell_module_split_dwarf_missing_name, module, list.size())) {
      list.push_back(std::move(*name));
    }
    return list;
  }
  /// As `SharedModule::try_compile_debug`.
  template <class F> Result<void> try_compile_debug(F &&progress) const {
    if (!valid()) return detail::moved_from(class_name);
    detail::Progress<std::remove_reference_t<F>> env{progress, std::nullopt};
    return env.outcome(stepwell_module_compile_debug(raw(), detail::Progress<std::remove_reference_t<F>>::call, &env));
  }
  Result<void> try_compile_debug() const {
    return try_compile_debug([](std::size_t, std::size_t) { return true; });
  }
  template <class... F> void compile_debug(F &&...progress) const { try_compile_debug(std::forward<F>(progress)...).value(); }

private:
  static CustomSection custom_section_at(const wasm_module_t *module, std::size_t index) {
    std::size_t name_size = 0, size = 0;
    const char *name = stepwell_module_custom_section_name(module, index, &name_size);
    const char *data = stepwell_module_custom_section_data(module, index, &size);
    return {std::string(name ? name : "", name_size), {reinterpret_cast<const std::uint8_t *>(data), size}};
  }
};

// ---- C++ types as Wasm types -----------------------------------------------------------------------------------

namespace detail {

template <class> inline constexpr bool always_false = false;

/// How a C++ type crosses. `take` gets an owned value, `copy` a borrowed one; `lend` lends one, `give` gives one away.
template <class T, class = void> struct ValTraits {
  static_assert(always_false<T>, "values are integers of 32 or 64 bits, float, double, stepwell::V128, stepwell::Ref (externref), "
                                 "std::optional<stepwell::Func> (funcref) or std::optional<stepwell::ExnRef> (exnref)");
};

template <class T>
struct ValTraits<T, std::enable_if_t<std::is_integral_v<T> && (sizeof(T) == 4 || sizeof(T) == 8)>> {
  static constexpr ValKind kind = sizeof(T) == 4 ? ValKind::I32 : ValKind::I64;
  static T take(const wasm_val_t &val, const StorePtr &) noexcept { return copy(val); }
  static T copy(const wasm_val_t &val) noexcept {
    if constexpr (sizeof(T) == 4) {
      return static_cast<T>(val.of.i32);
    } else {
      return static_cast<T>(val.of.i64);
    }
  }
  static T copy(const wasm_val_t &val, const StorePtr &) noexcept { return copy(val); }
  static wasm_val_t lend(const T &value) noexcept {
    wasm_val_t val = wasm_val_t();
    val.kind = static_cast<wasm_valkind_t>(kind);
    if constexpr (sizeof(T) == 4) {
      val.of.i32 = static_cast<std::int32_t>(value);
    } else {
      val.of.i64 = static_cast<std::int64_t>(value);
    }
    return val;
  }
  static wasm_val_t give(T value) noexcept { return lend(value); }
};

template <> struct ValTraits<float> {
  static constexpr ValKind kind = ValKind::F32;
  static float take(const wasm_val_t &val, const StorePtr &) noexcept { return val.of.f32; }
  static float copy(const wasm_val_t &val, const StorePtr &) noexcept { return val.of.f32; }
  static wasm_val_t lend(const float &value) noexcept {
    wasm_val_t val = wasm_val_t();
    val.kind = WASM_F32;
    val.of.f32 = value;
    return val;
  }
  static wasm_val_t give(float value) noexcept { return lend(value); }
};

template <> struct ValTraits<double> {
  static constexpr ValKind kind = ValKind::F64;
  static double take(const wasm_val_t &val, const StorePtr &) noexcept { return val.of.f64; }
  static double copy(const wasm_val_t &val, const StorePtr &) noexcept { return val.of.f64; }
  static wasm_val_t lend(const double &value) noexcept {
    wasm_val_t val = wasm_val_t();
    val.kind = WASM_F64;
    val.of.f64 = value;
    return val;
  }
  static wasm_val_t give(double value) noexcept { return lend(value); }
};

template <> struct ValTraits<V128> {
  static constexpr ValKind kind = ValKind::V128;
  static V128 take(wasm_val_t val, const StorePtr &) noexcept {
    const V128 value = v128_of(val);
    wasm_val_delete(&val);
    return value;
  }
  static V128 copy(const wasm_val_t &val, const StorePtr &) noexcept { return v128_of(val); }
  static wasm_val_t lend(const V128 &value) noexcept {
    wasm_val_t val = wasm_val_t();
    val.kind = STEPWELL_VALKIND_V128;
    val.of.ref = reinterpret_cast<wasm_ref_t *>(const_cast<std::uint8_t *>(value.bytes.data()));
    return val;
  }
  static wasm_val_t give(const V128 &value) noexcept {
    wasm_val_t val = wasm_val_t();
    stepwell_val_new_v128(value.bytes.data(), &val);
    return val;
  }
};

template <> struct ValTraits<Ref> {
  static constexpr ValKind kind = ValKind::ExternRef;
  static Ref take(const wasm_val_t &val, const StorePtr &store) noexcept { return Ref(store, val.of.ref); }
  static Ref copy(const wasm_val_t &val, const StorePtr &store) noexcept { return Ref(store, wasm_ref_copy(val.of.ref)); }
  static wasm_val_t lend(const Ref &value) noexcept {
    wasm_val_t val = wasm_val_t();
    val.kind = WASM_EXTERNREF;
    val.of.ref = value.raw();
    return val;
  }
  static wasm_val_t give(Ref value) noexcept {
    const wasm_val_t val = lend(value);
    (void)value.release();
    return val;
  }
};

template <> struct ValTraits<std::optional<Func>> {
  static constexpr ValKind kind = ValKind::FuncRef;
  static std::optional<Func> take(const wasm_val_t &val, const StorePtr &store) noexcept {
    return Ref(store, val.of.ref).as_func();
  }
  static std::optional<Func> copy(const wasm_val_t &val, const StorePtr &store) noexcept {
    wasm_func_t *func = wasm_ref_as_func(val.of.ref);
    return func ? std::optional<Func>(Func(store, wasm_func_copy(func))) : std::nullopt;
  }
  static wasm_val_t lend(const std::optional<Func> &value) noexcept {
    wasm_val_t val = wasm_val_t();
    val.kind = WASM_FUNCREF;
    val.of.ref = value ? wasm_func_as_ref(value->raw()) : nullptr;
    return val;
  }
  static wasm_val_t give(std::optional<Func> value) noexcept {
    const wasm_val_t val = lend(value);
    if (value) (void)value->release();
    return val;
  }
};

template <> struct ValTraits<std::optional<ExnRef>> {
  static constexpr ValKind kind = ValKind::ExnRef;
  static std::optional<ExnRef> take(const wasm_val_t &val, const StorePtr &store) noexcept { return Ref(store, val.of.ref).as_exn(); }
  static std::optional<ExnRef> copy(const wasm_val_t &val, const StorePtr &store) noexcept {
    return Ref(store, wasm_ref_copy(val.of.ref)).as_exn();
  }
  static wasm_val_t lend(const std::optional<ExnRef> &value) noexcept {
    wasm_val_t val = wasm_val_t();
    val.kind = STEPWELL_VALKIND_EXNREF;
    val.of.ref = value ? stepwell_exception_as_ref(value->raw()) : nullptr;
    return val;
  }
  static wasm_val_t give(std::optional<ExnRef> value) noexcept {
    const wasm_val_t val = lend(value);
    if (value) (void)value->release();
    return val;
  }
};

/// What can cross as raw values.
template <class T> inline constexpr bool is_raw = std::is_arithmetic_v<T> || std::is_same_v<T, V128>;

/// How numbers and vectors cross as raw values.
template <class T> T from_raw(const stepwell_raw_val_t &raw) noexcept {
  if constexpr (std::is_same_v<T, V128>) {
    V128 value;
    std::memcpy(value.bytes.data(), raw.v128, 16);
    return value;
  } else if constexpr (std::is_same_v<T, float>) {
    return raw.f32;
  } else if constexpr (std::is_same_v<T, double>) {
    return raw.f64;
  } else if constexpr (sizeof(T) == 4) {
    return static_cast<T>(raw.i32);
  } else {
    return static_cast<T>(raw.i64);
  }
}
template <class T> void to_raw(T value, stepwell_raw_val_t &raw) noexcept {
  if constexpr (std::is_same_v<T, V128>) {
    std::memcpy(raw.v128, value.bytes.data(), 16);
  } else if constexpr (std::is_same_v<T, float>) {
    raw.f32 = value;
  } else if constexpr (std::is_same_v<T, double>) {
    raw.f64 = value;
  } else if constexpr (sizeof(T) == 4) {
    raw.i32 = static_cast<std::int32_t>(value);
  } else {
    raw.i64 = static_cast<std::int64_t>(value);
  }
}

template <class T> using Plain = std::remove_cv_t<std::remove_reference_t<T>>;

/// What a function returns, as Wasm results.
template <class R> struct Results {
  static constexpr std::size_t count = 1;
  /// Whether they can all cross as raw values.
  static constexpr bool raw = is_raw<R>;
  static R take_raw(const stepwell_raw_val_t *vals) noexcept { return from_raw<R>(vals[0]); }
  static void give_raw(R value, stepwell_raw_val_t *out) noexcept { to_raw(value, out[0]); }
  static std::vector<ValType> kinds() { return {ValTraits<R>::kind}; }
  static R take(const wasm_val_t *vals, const StorePtr &store) { return ValTraits<R>::take(vals[0], store); }
  static void give(R value, wasm_val_t *out) noexcept { out[0] = ValTraits<R>::give(std::move(value)); }
};
template <> struct Results<void> {
  static constexpr std::size_t count = 0;
  static constexpr bool raw = true;
  static void take_raw(const stepwell_raw_val_t *) noexcept {}
  static std::vector<ValType> kinds() { return {}; }
  static void take(const wasm_val_t *, const StorePtr &) noexcept {}
};
template <class... Ts> struct Results<std::tuple<Ts...>> {
  static constexpr std::size_t count = sizeof...(Ts);
  static constexpr bool raw = (is_raw<Ts> && ...);
  static std::tuple<Ts...> take_raw(const stepwell_raw_val_t *vals) noexcept {
    return take_raw(vals, std::index_sequence_for<Ts...>());
  }
  static void give_raw(const std::tuple<Ts...> &values, stepwell_raw_val_t *out) noexcept {
    give_raw(values, out, std::index_sequence_for<Ts...>());
  }
  static std::vector<ValType> kinds() { return {ValTraits<Ts>::kind...}; }
  static std::tuple<Ts...> take(const wasm_val_t *vals, const StorePtr &store) {
    return take(vals, store, std::index_sequence_for<Ts...>());
  }
  static void give(std::tuple<Ts...> values, wasm_val_t *out) noexcept {
    give(std::move(values), out, std::index_sequence_for<Ts...>());
  }

private:
  template <std::size_t... I>
  static std::tuple<Ts...> take_raw(const stepwell_raw_val_t *vals, std::index_sequence<I...>) noexcept {
    return std::tuple<Ts...>{from_raw<Ts>(vals[I])...};
  }
  template <std::size_t... I>
  static void give_raw(const std::tuple<Ts...> &values, stepwell_raw_val_t *out, std::index_sequence<I...>) noexcept {
    (to_raw(std::get<I>(values), out[I]), ...);
  }
  template <std::size_t... I>
  static std::tuple<Ts...> take(const wasm_val_t *vals, const StorePtr &store, std::index_sequence<I...>) {
    return std::tuple<Ts...>{ValTraits<Ts>::take(vals[I], store)...};
  }
  template <std::size_t... I>
  static void give(std::tuple<Ts...> values, wasm_val_t *out, std::index_sequence<I...>) noexcept {
    ((out[I] = ValTraits<Ts>::give(std::get<I>(std::move(values)))), ...);
  }
};

template <class R> struct IsResult : std::false_type { using Value = R; };
template <class T> struct IsResult<Result<T>> : std::true_type { using Value = T; };

/// A signature, taken apart.
template <class R, class... Args> struct Signature {
  static constexpr bool has_caller = false;
  using Return = R;
  using Params = std::tuple<Plain<Args>...>;
  /// Whether all parameters and results can cross as raw values.
  static constexpr bool raw = (is_raw<Plain<Args>> && ...) && Results<typename IsResult<R>::Value>::raw;
  static FuncType type() { return {{ValTraits<Plain<Args>>::kind...}, Results<typename IsResult<R>::Value>::kinds()}; }
};
template <class R, class... Args> struct Signature<R, Caller &, Args...> : Signature<R, Args...> {
  static constexpr bool has_caller = true;
};

template <class F> struct SignatureOf;
template <class R, class... A> struct SignatureOf<R(A...)> { using Type = Signature<R, A...>; };
template <class R, class... A> struct SignatureOf<R(A...) noexcept> { using Type = Signature<R, A...>; };
template <class R, class... A> struct SignatureOf<R (*)(A...)> { using Type = Signature<R, A...>; };
template <class R, class... A> struct SignatureOf<R (*)(A...) noexcept> { using Type = Signature<R, A...>; };
template <class R, class C, class... A> struct SignatureOf<R (C::*)(A...)> { using Type = Signature<R, A...>; };
template <class R, class C, class... A> struct SignatureOf<R (C::*)(A...) const> { using Type = Signature<R, A...>; };
template <class R, class C, class... A> struct SignatureOf<R (C::*)(A...) noexcept> { using Type = Signature<R, A...>; };
template <class R, class C, class... A> struct SignatureOf<R (C::*)(A...) const noexcept> { using Type = Signature<R, A...>; };

/// The signature of anything that can be called and is not overloaded.
template <class F, class = void> struct CallableSignature : SignatureOf<F> {};
template <class F> struct CallableSignature<F, std::void_t<decltype(&F::operator())>> : SignatureOf<decltype(&F::operator())> {};
template <class F> using SignatureFor = typename CallableSignature<std::decay_t<F>>::Type;

/// Calls a C++ function for a guest: `get<I>()` is a parameter, `give(results)` writes the results. What it failed with.
template <class Sig, class F, class Get, class Give, std::size_t... I>
std::optional<Error> call_host(F &function, Caller &caller, const Get &get, const Give &give, std::index_sequence<I...>) {
  using Return = typename Sig::Return;
  using Value = typename IsResult<Return>::Value;
  const auto invoke = [&]() -> Return {
    if constexpr (Sig::has_caller) {
      return function(caller, get(std::integral_constant<std::size_t, I>())...);
    } else {
      (void)caller;
      return function(get(std::integral_constant<std::size_t, I>())...);
    }
  };
  (void)get;
  (void)give;
  if constexpr (IsResult<Return>::value) {
    Return result = invoke();
    if (!result) return result.error();
    if constexpr (!std::is_void_v<Value>) give(std::move(result).value());
  } else if constexpr (std::is_void_v<Value>) {
    invoke();
  } else {
    give(invoke());
  }
  return std::nullopt;
}

/// What a host function is called with: a C++ function whose type says its parameters.
template <class F> struct TypedBody {
  using Sig = SignatureFor<F>;
  using Params = typename Sig::Params;
  using Value = typename IsResult<typename Sig::Return>::Value;
  using Indexes = std::make_index_sequence<std::tuple_size_v<Params>>;
  /// Whether it is called with raw values.
  static constexpr bool raw = Sig::raw;
  F function;

  std::optional<Error> operator()(Caller &caller, const StorePtr &store, const wasm_val_vec_t *args, wasm_val_vec_t *results) {
    const auto get = [&](auto index) { return ValTraits<std::tuple_element_t<index(), Params>>::copy(args->data[index()], store); };
    const auto give = [&](auto value) { Results<decltype(value)>::give(std::move(value), results->data); };
    return call_host<Sig>(function, caller, get, give, Indexes());
  }
  std::optional<Error> operator()(Caller &caller, const StorePtr &, stepwell_raw_val_t *values) {
    const auto get = [&](auto index) { return from_raw<std::tuple_element_t<index(), Params>>(values[index()]); };
    const auto give = [&](auto value) { Results<decltype(value)>::give_raw(value, values); };
    return call_host<Sig>(function, caller, get, give, Indexes());
  }
};

/// The same for a function that takes whatever values come.
template <class F> struct ValuesBody {
  static constexpr bool raw = false;
  F function;
  std::optional<Error> operator()(Caller &caller, const StorePtr &known, const wasm_val_vec_t *args, wasm_val_vec_t *results) {
    const StorePtr store = known ? known : caller.store().box();
    std::vector<Val> given, returned;
    given.reserve(args->size);
    for (std::size_t i = 0; i < args->size; i++) {
      wasm_val_t copy = wasm_val_t();
      wasm_val_copy(&copy, &args->data[i]);
      given.emplace_back(store, copy);
    }
    for (std::size_t i = 0; i < results->size; i++) returned.emplace_back(store, results->data[i]); // preset: they own nothing
    const Span<const Val> in(given.data(), given.size());
    const Span<Val> out(returned.data(), returned.size());
    if constexpr (std::is_void_v<decltype(function(caller, in, out))>) {
      function(caller, in, out);
    } else {
      const Result<void> result = function(caller, in, out);
      if (!result) return result.error();
    }
    for (std::size_t i = 0; i < results->size; i++) results->data[i] = returned[i].release();
    return std::nullopt;
  }
};

/// A host function's environment: the C++ function, and the store it is of, unless it is a linker's.
template <class Body> struct HostFunction {
  Body body;
  std::weak_ptr<StoreBox> store;

  template <class... Values> static wasm_trap_t *run(void *env, const stepwell_caller_t *c_caller, Values... values) noexcept {
    auto *self = static_cast<HostFunction *>(env);
    StorePtr store = self->store.lock();
    CallScope *scope = store ? CallScope::find(store.get()) : CallScope::find(stepwell_caller_store(c_caller));
    if (!store && scope) store = scope->store(); // a function of a linker
    std::optional<Thrown> thrown = no_further([&]() -> std::optional<Error> {
      Caller caller(c_caller, store);
      return self->body(caller, store, values...);
    });
    return thrown ? trap_for(std::move(*thrown), scope, c_caller) : nullptr;
  }
  static wasm_trap_t *call(void *env, const stepwell_caller_t *caller, const wasm_val_vec_t *args, wasm_val_vec_t *results) noexcept {
    return run(env, caller, args, results);
  }
  static wasm_trap_t *call_raw(void *env, const stepwell_caller_t *caller, stepwell_raw_val_t *values) noexcept {
    return run(env, caller, values);
  }
  static void finalize(void *env) noexcept { delete static_cast<HostFunction *>(env); }
};

template <class Body> Result<Func> make_func(Store &store, const FuncType &type, Body body) {
  if (!store.valid()) return moved_from(Store::class_name);
  using Env = HostFunction<Body>;
  const OwnedFuncType c_type = from_type(type);
  if (!c_type) return last_error("making a function's type");
  wasm_func_t *func = nullptr;
  stepwell_error_t *error;
  Env *env = new Env{std::move(body), store.box()};
  if constexpr (Body::raw) {
    error = stepwell_func_new_unchecked(store.raw(), c_type.get(), Env::call_raw, env, Env::finalize, &func);
  } else {
    error = stepwell_func_new(store.raw(), c_type.get(), Env::call, env, Env::finalize, &func);
  }
  if (error) return take_error(error);
  return Func(store.box(), func);
}

} // namespace detail

template <class T> T Val::get() const {
  if (kind() != detail::ValTraits<T>::kind) expect(detail::ValTraits<T>::kind);
  return detail::ValTraits<T>::copy(val_, store_);
}

template <class F> Result<Func> Func::try_make(Store &store, F function) {
  return detail::make_func(store, detail::SignatureFor<F>::type(), detail::TypedBody<F>{std::move(function)});
}
template <class F> Func::Func(Store &store, F function) : Func(try_make(store, std::move(function)).value()) {}
template <class F> Result<Func> Func::try_make(Store &store, const FuncType &type, F function) {
  return detail::make_func(store, type, detail::ValuesBody<F>{std::move(function)});
}
template <class F>
Func::Func(Store &store, const FuncType &type, F function) : Func(try_make(store, type, std::move(function)).value()) {}

inline FuncType Func::type() const {
  const detail::OwnedFuncType type(wasm_func_type(need()));
  if (!type) detail::last_error("asking for a function's type").raise();
  return detail::to_type(type.get());
}

inline Result<std::vector<Val>> Func::try_call_with(Span<const Val> args) const {
  if (!valid()) return detail::moved_from(class_name);
  const detail::StorePtr store = store_; // what is called may end this handle
  std::vector<wasm_val_t> given, returned(wasm_func_result_arity(raw()));
  given.reserve(args.size());
  for (const Val &arg : args) given.push_back(arg.raw());
  const wasm_val_vec_t args_vec = {given.size(), given.data()};
  wasm_val_vec_t results_vec = {returned.size(), returned.data()};
  std::optional<Error> error =
      detail::call_into(store, [&](wasm_trap_t **trap) { return stepwell_func_call(raw(), &args_vec, &results_vec, trap); });
  if (error) return std::move(*error);
  std::vector<Val> results;
  results.reserve(returned.size());
  for (const wasm_val_t &val : returned) results.emplace_back(store, val);
  return results;
}

/// A function of a type that the compiler knows: parameters and results as for a host function. Calls without references
/// allocate nothing. Thread: with its store.
template <class R, class... Args> class TypedFunc<R(Args...)> {
  static constexpr bool is_raw = detail::Signature<R, Args...>::raw;
  static constexpr std::size_t params = sizeof...(Args), results = detail::Results<R>::count;

public:
  static constexpr const char *class_name = "TypedFunc";
  /// A function as one of this type; an error if it is of another.
  static Result<TypedFunc> try_make(Func func) {
    if (!func.valid()) return detail::moved_from(Func::class_name);
    const FuncType wanted = detail::Signature<R, Args...>::type(), is = func.type();
    if (!detail::same_kinds(wanted, is)) {
      return Error(ErrorCode::Argument, "a function is of type " + to_string(is) + ", and was asked for as " + to_string(wanted));
    }
    stepwell_typed_func_t *fast = nullptr;
    if constexpr (is_raw) {
      const detail::OwnedFuncType c_type = detail::from_type(wanted);
      if (stepwell_error_t *error = stepwell_typed_func_new(func.raw(), c_type.get(), &fast)) return detail::take_error(error);
    }
    return TypedFunc(std::move(func), fast);
  }

  Result<R> try_call(const Args &...args) const {
    if (!func_.valid()) return detail::moved_from(class_name);
    detail::CallScope scope(func_.store()); // keeps the store, also if what is called ends this handle
    wasm_trap_t *trap = nullptr;
    if constexpr (is_raw) {
      stepwell_raw_val_t values[(params > results ? params : results) + 1];
      std::size_t next = 0;
      (detail::to_raw(args, values[next++]), ...);
      (void)next;
      stepwell_error_t *error = stepwell_typed_func_call(fast_.get(), values, sizeof values / sizeof *values, &trap);
      if (error || trap || scope.has_kept()) {
        if (std::optional<Error> failed = scope.finish(error, trap)) return std::move(*failed);
      }
      if constexpr (std::is_void_v<R>) {
        return {};
      } else {
        return detail::Results<R>::take_raw(values);
      }
    } else {
      wasm_val_t given[params + 1] = {detail::ValTraits<Args>::lend(args)..., wasm_val_t()};
      wasm_val_t returned[results + 1] = {};
      const wasm_val_vec_t args_vec = {params, given};
      wasm_val_vec_t results_vec = {results, returned};
      stepwell_error_t *error = stepwell_func_call(func_.raw(), &args_vec, &results_vec, &trap);
      if (std::optional<Error> failed = scope.finish(error, trap)) return std::move(*failed);
      if constexpr (std::is_void_v<R>) {
        return {};
      } else {
        return detail::Results<R>::take(returned, scope.store());
      }
    }
  }
  R call(const Args &...args) const { return try_call(args...).value(); }
  R operator()(const Args &...args) const { return try_call(args...).value(); }

  bool valid() const noexcept { return func_.valid(); }
  TypedFunc clone() const {
    if (!valid()) detail::moved_from(class_name).raise();
    return try_make(func_.clone()).value();
  }
  /// The function, of whatever type.
  const Func &func() const noexcept { return func_; }

private:
  TypedFunc(Func func, stepwell_typed_func_t *fast) noexcept : func_(std::move(func)), fast_(fast) {}
  Func func_;
  detail::Owned<stepwell_typed_func_t, stepwell_typed_func_delete> fast_;
};

template <class Signature> Result<TypedFunc<Signature>> Func::try_typed() const {
  if (!valid()) return detail::moved_from(class_name);
  return TypedFunc<Signature>::try_make(clone());
}

namespace detail {

/// A call's handle, shared by everything that goes on with it.
struct CallBox {
  StorePtr store; // goes last
  stepwell_call_t *call = nullptr;
  /// How many results it has.
  std::size_t results = 0;
  /// What a callback failed with, of a guest that waits; it ends the guest later.
  std::optional<Kept> kept;

  explicit CallBox(StorePtr of) noexcept : store(std::move(of)) {}
  CallBox(const CallBox &) = delete;
  CallBox &operator=(const CallBox &) = delete;
  ~CallBox() {
    if (!StoreBox::delete_call(call)) store->doomed_calls.push_back(call); // plain C runs it
    if (store->depth == 0) store->delete_doomed();                        // a debugger may have been waiting for this
  }

  /// Runs it: `go(call, &trap, &status)`. While it waits, what a callback has thrown is kept here.
  template <class Go> Result<CallStatus> run(Go &&go) {
    CallScope scope(store);
    scope.give_kept(std::exchange(kept, std::nullopt));
    wasm_trap_t *trap = nullptr;
    stepwell_call_status_t status = STEPWELL_CALL_NEW;
    stepwell_error_t *error = go(call, &trap, &status);
    if (status != STEPWELL_CALL_FINISHED) {
      kept = scope.take_kept();
      if (error) return take_error(error);
    } else if (std::optional<Error> failed = scope.finish(error, trap)) {
      return std::move(*failed);
    }
    return static_cast<CallStatus>(status);
  }
};

} // namespace detail

#if defined(STEPWELL_HPP_COROUTINES)
namespace detail {
template <class Host, bool Throws> class Finished;
} // namespace detail
#endif

/// A call on a stack of its own, which can be left in the middle and gone on with later: where a host function has no answer yet
/// (`NotYet`), where a slice of fuel is used up, at a deadline, and at a stop that is answered later. It is deleted with its last
/// handle; a guest that waits is left where it stands. Thread: with its store; it may be run by one thread now and by another later.
///
/// Host functions and callbacks run on the stack of whoever runs the call. A guest that a host function calls in turn, as usual, cannot
/// wait. What they throw is thrown by the `run` in which the guest ends.
class Call {
public:
  static constexpr const char *class_name = "Call";
  /// A call of a function with these arguments, to be run: `Call call(func, 1, 2.5)`.
  template <class... Args> static Result<Call> try_make(const Func &func, Args &&...args) {
    const std::array<Val, sizeof...(Args)> values{Val(std::forward<Args>(args))...};
    return try_make_with(func, Span<const Val>(values.data(), values.size()));
  }
  template <class... Args> explicit Call(const Func &func, Args &&...args) : Call(try_make(func, std::forward<Args>(args)...).value()) {}
  /// The same with a list of values.
  static Result<Call> try_make_with(const Func &func, Span<const Val> args) {
    if (!func.valid()) return detail::moved_from(Func::class_name);
    std::vector<wasm_val_t> given = detail::raw_values(args);
    const wasm_val_vec_t args_vec = {given.size(), given.data()};
    auto box = std::make_shared<detail::CallBox>(func.store());
    box->results = func.result_count();
    if (stepwell_error_t *error = stepwell_call_new(func.raw(), &args_vec, &box->call)) return detail::take_error(error);
    return Call(std::move(box));
  }
  static Call make_with(const Func &func, Span<const Val> args) { return try_make_with(func, args).value(); }
  Call(Call &&) noexcept = default;
  Call &operator=(Call &&) noexcept = default;
  Call(const Call &) = delete;
  Call &operator=(const Call &) = delete;

  bool valid() const noexcept { return box_ != nullptr; }
  /// Another handle of the same call.
  Call clone() const { return need(), Call(box_); }

  /// Runs it until it is done, or until its guest waits; it goes on from where it was left. An error if the guest ends by a trap; and
  /// one of code `State` where it cannot be run now: it runs, is done, or was not answered.
  Result<CallStatus> try_run() {
    if (!valid()) return detail::moved_from(class_name);
    const std::shared_ptr<detail::CallBox> box = box_; // what is called may end this handle
    return box->run(stepwell_call_run);
  }
  CallStatus run() { return try_run().value(); }
  /// The same for so much fuel, of what the store has. For `Config::fuel(true)` and `Config::fuel_slices(true)`.
  Result<CallStatus> try_run_slice(std::uint64_t fuel) {
    if (!valid()) return detail::moved_from(class_name);
    const std::shared_ptr<detail::CallBox> box = box_;
    return box->run([fuel](stepwell_call_t *call, wasm_trap_t **trap, stepwell_call_status_t *status) {
      return stepwell_call_run_slice(call, fuel, trap, status);
    });
  }
  CallStatus run_slice(std::uint64_t fuel) { return try_run_slice(fuel).value(); }

  /// Up to where it has come.
  CallStatus status() const { return static_cast<CallStatus>(stepwell_call_status(need())); }
  /// The number of the host function's `NotYet`; nothing where its guest does not wait for one.
  std::optional<std::uint64_t> token() const {
    if (status() != CallStatus::Waiting) return std::nullopt;
    return stepwell_call_token(need());
  }
  /// The type of the host function that has no answer yet; nothing where its guest does not wait for one.
  std::optional<FuncType> awaited_type() const {
    if (status() != CallStatus::Waiting) return std::nullopt;
    return detail::to_type(detail::OwnedFuncType(stepwell_call_awaited_type(need())).get());
  }
  /// Answers the host function that had no answer yet, with its results: `call.answer(1, 2.5)`. The guest has them when the call is run
  /// next. An error if it waits for no answer, and if they are not of the function's type.
  template <class... Results> Result<void> try_answer(Results &&...results) {
    const std::array<Val, sizeof...(Results)> values{Val(std::forward<Results>(results))...};
    return try_answer_with(Span<const Val>(values.data(), values.size()));
  }
  template <class... Results> void answer(Results &&...results) { try_answer(std::forward<Results>(results)...).value(); }
  /// The same with a list of values.
  Result<void> try_answer_with(Span<const Val> results) {
    if (!valid()) return detail::moved_from(class_name);
    std::vector<wasm_val_t> given = detail::raw_values(results);
    const wasm_val_vec_t vec = {given.size(), given.data()};
    return detail::outcome(stepwell_call_answer(raw(), &vec));
  }
  void answer_with(Span<const Val> results) { try_answer_with(results).value(); }
  /// Answers it with a failure, as if the host function had thrown it: it ends the guest when the call is run next, and comes out of
  /// that. A `GuestException` is thrown in the guest, which may catch it.
  Result<void> try_answer_trap(Error error) { return try_answer_thrown({std::move(error), nullptr}); }
  void answer_trap(Error error) { try_answer_trap(std::move(error)).value(); }
#if STEPWELL_HPP_EXCEPTIONS
  /// The same with whatever exception: `call.answer_trap(std::current_exception())`. The run throws the same object.
  Result<void> try_answer_trap(std::exception_ptr exception) {
    if (!exception) return Error(ErrorCode::Argument, "`exception` is none");
    try {
      std::rethrow_exception(std::move(exception));
    } catch (...) {
      return try_answer_thrown(detail::current_exception());
    }
  }
  void answer_trap(std::exception_ptr exception) { try_answer_trap(std::move(exception)).value(); }
#endif
  /// The results; an error if it has none: it is not done, or it has failed. They may be asked for again.
  Result<std::vector<Val>> try_results() const {
    if (!valid()) return detail::moved_from(class_name);
    std::vector<wasm_val_t> returned(box_->results);
    wasm_val_vec_t vec = {returned.size(), returned.data()};
    if (stepwell_error_t *error = stepwell_call_results(raw(), &vec)) return detail::take_error(error);
    std::vector<Val> results;
    results.reserve(returned.size());
    for (const wasm_val_t &val : returned) results.emplace_back(box_->store, val);
    return results;
  }
  std::vector<Val> results() const { return try_results().value(); }
  /// Whether its guest waits where the store's deadline is over (`Store::set_epoch_deadline`), in the place of a trap. It does not at
  /// first.
  void wait_at_deadline(bool wait = true) { stepwell_call_wait_at_deadline(need(), wait); }
  /// Whether its guest waits where WASI would block: where it sleeps, or reads what is not there yet. It goes on when the call is run
  /// at the time, or when one of the descriptors is ready; run before that, it waits again. It does not wait at first: whoever runs it is
  /// blocked. What is written always blocks, and so does WASI in a guest that a host function has called in turn.
  void wait_at_io(bool wait = true) { stepwell_call_wait_at_io(need(), wait); }
  /// In how long the call is to be run whose guest is `Blocked`; nothing where it waits for no time.
  std::optional<std::chrono::nanoseconds> io_timeout() const {
    const std::uint64_t left = stepwell_call_io_timeout(need());
    if (left == UINT64_MAX) return std::nullopt;
    const std::uint64_t most = static_cast<std::uint64_t>((std::chrono::nanoseconds::max)().count());
    return std::chrono::nanoseconds(static_cast<std::int64_t>((std::min)(left, most)));
  }
  /// The descriptors that its guest waits for while it is `Blocked`.
  std::vector<CallIo> io() const {
    const stepwell_call_t *call = need();
    std::vector<CallIo> list;
    for (const stepwell_call_io_t &on :
         detail::all_rows<stepwell_call_io_t>([call](stepwell_call_io_t *out, std::size_t room) { return stepwell_call_io(call, out, room); }))
      list.push_back(CallIo{on.fd, on.write});
    return list;
  }

#if defined(STEPWELL_HPP_COROUTINES)
  /// For coroutines: `co_await call.finished(host)` runs it until it is done, and gives its results. Each time its guest waits,
  /// `host(Pending)` is told. It keeps the `Pending`, and returns; when it has what the guest waits for, its event loop says so by
  /// `Pending::answer`, `answer_trap` or `go_on`, and from there the guest and then the coroutine go on. The host decides by that on
  /// which thread they do: one that has the store.
  ///
  /// With `slice`, each run gets so much fuel at most, as by `run_slice`. What `host` throws comes out of the `co_await`. A coroutine
  /// that is destroyed leaves the call as it is. A `host` that is no temporary is referred to, and not copied.
  template <class Host> detail::Finished<Host, true> finished(Host &&host, std::optional<std::uint64_t> slice = std::nullopt) const {
    return detail::Finished<Host, true>(Call(box_), std::forward<Host>(host), slice);
  }
  /// The same, with a `Result<std::vector<Val>>`.
  template <class Host> detail::Finished<Host, false> try_finished(Host &&host, std::optional<std::uint64_t> slice = std::nullopt) const {
    return detail::Finished<Host, false>(Call(box_), std::forward<Host>(host), slice);
  }
#endif

  /// The C handle, borrowed; NULL after a move.
  stepwell_call_t *raw() const noexcept { return box_ ? box_->call : nullptr; }

private:
  explicit Call(std::shared_ptr<detail::CallBox> box) noexcept : box_(std::move(box)) {}
  stepwell_call_t *need() const {
    if (!valid()) detail::moved_from(class_name).raise();
    return box_->call;
  }
  Result<void> try_answer_thrown(detail::Thrown thrown) {
    if (!valid()) return detail::moved_from(class_name);
    std::optional<detail::Kept> kept;
    wasm_trap_t *trap = detail::trap_for(std::move(thrown), box_->store->store, [&](detail::Thrown failed, std::string message) {
      kept = detail::Kept{std::move(failed), std::move(message), false};
    });
    if (stepwell_error_t *error = stepwell_call_answer_trap(raw(), trap)) return detail::take_error(error);
    if (kept) box_->kept = std::move(kept);
    return {};
  }
  std::shared_ptr<detail::CallBox> box_;
};

#if defined(STEPWELL_HPP_COROUTINES)
class Pending;

namespace detail {

/// What a coroutine and its host know of a call that is awaited.
class CallWait : public std::enable_shared_from_this<CallWait> {
public:
  CallWait(Call call, std::optional<std::uint64_t> slice) noexcept : call_(std::move(call)), slice_(slice) {}
  CallWait(const CallWait &) = delete;
  CallWait &operator=(const CallWait &) = delete;
  virtual ~CallWait() = default;

  /// Runs the call, for this coroutine; whether that need not wait.
  bool begin(std::coroutine_handle<> waiter) {
    waiter_ = waiter;
    if (call_.valid() && call_.status() == CallStatus::Finished) {
      outcome_.emplace(call_.try_results());
      return true;
    }
    return run();
  }
  /// The coroutine is gone: nobody goes on.
  void abandon() noexcept {
    abandoned_ = true;
    waits_ = false;
  }
  /// Whether the guest waits still as it did when the host was told for the `turn`th time.
  bool waits(std::uint64_t turn) const noexcept { return waits_ && turn == turn_; }
  /// Has the guest go on, and when the call is done, the coroutine.
  void go_on() {
    waits_ = false;
    if (!asks_ && run()) waiter_.resume(); // else whoever asks the host does it
  }
  Call &call() noexcept { return call_; }
  Result<std::vector<Val>> take_outcome() { return std::move(*outcome_); }

private:
  virtual void ask(const Pending &pending) = 0;
  bool run();

  Call call_;
  std::optional<std::uint64_t> slice_;
  std::coroutine_handle<> waiter_;
  std::optional<Result<std::vector<Val>>> outcome_;
  std::uint64_t turn_ = 0;
  bool waits_ = false, asks_ = false, abandoned_ = false;
};

} // namespace detail

/// A guest that waits, in the hands of the host of `Call::finished`. It may be copied and kept, also longer than the coroutine. Each wait
/// is ended once, by what is said first: `answer`, `answer_trap` or `go_on`. What comes later, or after the coroutine has gone, does
/// nothing. Guest and coroutine run inside of it, but if it is said inside of `host`: then when that has returned. Thread: with its store.
class Pending {
public:
  /// For this header.
  Pending(std::weak_ptr<detail::CallWait> wait, std::uint64_t turn, CallStatus status, std::uint64_t token) noexcept
      : wait_(std::move(wait)), turn_(turn), status_(status), token_(token) {}

  /// Whether a coroutine waits for this still.
  bool valid() const noexcept { return held() != nullptr; }
  /// What the guest waits for.
  CallStatus status() const noexcept { return status_; }
  /// The number of the host function's `NotYet`; 0 where it waits for something else.
  std::uint64_t token() const noexcept { return token_; }
  /// The call; an error if no coroutine waits for this any more.
  Call call() const {
    const auto wait = held();
    if (!wait) Error(ErrorCode::State, "no coroutine waits for this any more").raise();
    return wait->call().clone();
  }
  /// Answers the host function, as `Call::answer` does, and goes on. If the answer is an error, the guest waits still.
  template <class... Results> Result<void> try_answer(Results &&...results) const {
    const auto wait = held();
    if (!wait) return {};
    return goes_on(*wait, wait->call().try_answer(std::forward<Results>(results)...));
  }
  template <class... Results> void answer(Results &&...results) const { try_answer(std::forward<Results>(results)...).value(); }
  /// Answers it with a failure, as `Call::answer_trap` does, and goes on.
  template <class Failure> Result<void> try_answer_trap(Failure failure) const {
    const auto wait = held();
    if (!wait) return {};
    return goes_on(*wait, wait->call().try_answer_trap(std::move(failure)));
  }
  template <class Failure> void answer_trap(Failure failure) const { try_answer_trap(std::move(failure)).value(); }
  /// Goes on: at the end of a slice, at a deadline, at a stop; and where `call()` was answered by itself.
  void go_on() const {
    if (const auto wait = held()) wait->go_on();
  }

private:
  std::shared_ptr<detail::CallWait> held() const noexcept {
    auto wait = wait_.lock();
    return wait && wait->waits(turn_) ? wait : nullptr;
  }
  static Result<void> goes_on(detail::CallWait &wait, Result<void> answered) {
    if (answered) wait.go_on();
    return answered;
  }
  std::weak_ptr<detail::CallWait> wait_;
  std::uint64_t turn_;
  CallStatus status_;
  std::uint64_t token_;
};

namespace detail {

/// Runs the call until it is done (true), or the host is to have it go on (false).
inline bool CallWait::run() {
  const std::shared_ptr<CallWait> self = shared_from_this(); // what is called may end the coroutine
  for (;;) {
    const Result<CallStatus> status = slice_ ? call_.try_run_slice(*slice_) : call_.try_run();
    if (abandoned_) return false;
    if (!status) {
      outcome_.emplace(status.error());
      return true;
    }
    if (status.value() == CallStatus::Finished) {
      outcome_.emplace(call_.try_results());
      return true;
    }
    waits_ = asks_ = true;
    const Pending pending(self, ++turn_, status.value(), call_.token().value_or(0));
    const std::optional<Thrown> thrown = no_further([&]() -> std::optional<Error> {
      ask(pending);
      return std::nullopt;
    });
    asks_ = false;
    if (abandoned_) return false;
    if (thrown) {
      waits_ = false;
      outcome_.emplace(thrown->error);
      return true;
    }
    if (waits_) return false;
  }
}

/// What a coroutine awaits.
template <class Host, bool Throws> class [[nodiscard]] Finished {
public:
  Finished(Call call, Host &&host, std::optional<std::uint64_t> slice)
      : wait_(std::make_shared<Wait>(std::move(call), std::forward<Host>(host), slice)) {}
  Finished(Finished &&) noexcept = default;
  Finished &operator=(Finished &&) = delete;
  ~Finished() {
    if (wait_) wait_->abandon();
  }

  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> waiter) {
    const std::shared_ptr<CallWait> wait = wait_; // this may go before `begin` returns
    return !wait->begin(waiter);
  }
  std::conditional_t<Throws, std::vector<Val>, Result<std::vector<Val>>> await_resume() {
    if constexpr (Throws) {
      return wait_->take_outcome().value();
    } else {
      return wait_->take_outcome();
    }
  }

private:
  struct Wait final : CallWait {
    Host host;
    Wait(Call of, Host &&told, std::optional<std::uint64_t> fuel) : CallWait(std::move(of), fuel), host(std::forward<Host>(told)) {}
    void ask(const Pending &pending) override { host(pending); }
  };
  std::shared_ptr<CallWait> wait_;
};

} // namespace detail
#endif

inline Result<Ref> Ref::try_make(Store &store) {
  if (!store.valid()) return detail::moved_from(Store::class_name);
  const detail::Owned<wasm_foreign_t, wasm_foreign_delete> foreign(wasm_foreign_new(store.raw()));
  if (!foreign) return detail::last_error("making a reference");
  return Ref(store.box(), wasm_ref_copy(wasm_foreign_as_ref(foreign.get())));
}

template <class T> Result<Ref> Ref::try_make(Store &store, T value) {
  Result<Ref> ref = try_make(store);
  if (ref) {
    detail::HostObject *object = new detail::HostValue<T>(std::move(value));
    wasm_ref_set_host_info_with_finalizer(ref.value().raw(), object, detail::HostObject::finalize);
  }
  return ref;
}

namespace detail {

/// A structure or an array of values.
template <class Make> Result<Ref> make_object(Make make, Store &store, const ValType &type, Span<const Val> values) {
  if (!store.valid()) return moved_from(Store::class_name);
  std::vector<wasm_val_t> given;
  given.reserve(values.size());
  for (const Val &value : values) given.push_back(value.raw());
  const wasm_val_vec_t vec = {given.size(), given.data()};
  wasm_ref_t *ref = nullptr;
  if (stepwell_error_t *error = make(store.raw(), type.raw().get(), &vec, &ref)) return take_error(error);
  return Ref(store.box(), ref);
}

} // namespace detail

inline Result<Ref> Ref::try_structure(Store &store, const ValType &type, Span<const Val> fields) {
  return detail::make_object(stepwell_struct_new, store, type, fields);
}
inline Result<Ref> Ref::try_structure(Store &store, const ValType &type, std::initializer_list<Val> fields) {
  return try_structure(store, type, Span<const Val>(fields.begin(), fields.size()));
}
inline Ref Ref::structure(Store &store, const ValType &type, std::initializer_list<Val> fields) {
  return try_structure(store, type, fields).value();
}
inline Result<Ref> Ref::try_array(Store &store, const ValType &type, Span<const Val> elements) {
  return detail::make_object(stepwell_array_new, store, type, elements);
}
inline Result<Ref> Ref::try_array(Store &store, const ValType &type, std::initializer_list<Val> elements) {
  return try_array(store, type, Span<const Val>(elements.begin(), elements.size()));
}
inline Ref Ref::array(Store &store, const ValType &type, std::initializer_list<Val> elements) {
  return try_array(store, type, elements).value();
}
inline Result<Ref> Ref::try_array_of(Store &store, const ValType &type, const Val &value, std::uint32_t length) {
  if (!store.valid()) return detail::moved_from(Store::class_name);
  wasm_ref_t *ref = nullptr;
  if (stepwell_error_t *error = stepwell_array_new_of(store.raw(), type.raw().get(), &value.raw(), length, &ref)) {
    return detail::take_error(error);
  }
  return Ref(store.box(), ref);
}
inline Ref Ref::array_of(Store &store, const ValType &type, const Val &value, std::uint32_t length) {
  return try_array_of(store, type, value, length).value();
}
inline Result<Ref> Ref::try_i31(Store &store, std::int32_t value) {
  if (!store.valid()) return detail::moved_from(Store::class_name);
  wasm_ref_t *ref = stepwell_i31_new(store.raw(), value);
  if (!ref) return detail::last_error("making an integer of 31 bits");
  return Ref(store.box(), ref);
}
inline std::optional<std::int32_t> Ref::as_i31() const {
  std::int32_t value = 0;
  return ref_ && stepwell_ref_i31(ref_.get(), &value) ? std::optional<std::int32_t>(value) : std::nullopt;
}
inline Result<ValType> Ref::try_type() const {
  wasm_valtype_t *type = stepwell_ref_type(ref_.get());
  if (!type) return detail::last_error("asking for a reference's type");
  return ValType(type);
}
inline Result<std::uint32_t> Ref::try_length() const {
  std::uint32_t length = 0;
  if (stepwell_error_t *error = stepwell_object_length(ref_.get(), &length)) return detail::take_error(error);
  return length;
}
inline Result<Val> Ref::try_get(std::uint32_t index) const {
  wasm_val_t value = wasm_val_t();
  if (stepwell_error_t *error = stepwell_object_get(ref_.get(), index, &value)) return detail::take_error(error);
  return Val(store_, value);
}
inline Val Ref::get(std::uint32_t index) const { return try_get(index).value(); }
inline Result<void> Ref::try_set(std::uint32_t index, const Val &value) {
  return detail::outcome(stepwell_object_set(ref_.get(), index, &value.raw()));
}
inline Result<void> Ref::fits(std::uint32_t first, std::size_t count, std::size_t size) const {
  const Result<std::uint32_t> length = try_length();
  if (!length) return length.error();
  const Result<ValType> type = try_type();
  if (!type) return type.error();
  if (type->heap() != HeapKind::DefinedArray) {
    return Error(ErrorCode::Argument, "the reference is to a structure, not to an array");
  }
  const FieldType element = type->fields().at(0);
  std::size_t width = element.storage == Storage::I8 ? 1 : element.storage == Storage::I16 ? 2 : 4;
  if (element.type.kind() == ValKind::I64 || element.type.kind() == ValKind::F64) width = 8;
  if (element.type.kind() == ValKind::V128) width = 16;
  if (element.type.is_ref()) return Error(ErrorCode::Argument, "the array's elements are references: they have no bytes");
  if (width != size) {
    return Error(ErrorCode::Argument, "the array's elements have " + std::to_string(width) + " bytes, and were asked for as ones of " +
                                          std::to_string(size));
  }
  if (first > *length || count > *length - first) {
    return Error(ErrorCode::Argument, "there are no " + std::to_string(count) + " elements from " + std::to_string(first) +
                                          " on: there are " + std::to_string(*length));
  }
  return {};
}
template <class T> Result<std::vector<T>> Ref::try_read_elements(std::uint32_t first, std::uint32_t count) const {
  static_assert((std::is_arithmetic_v<T> && !std::is_same_v<T, bool>) || std::is_same_v<T, V128>, "elements are numbers or V128");
  if (const Result<void> fit = fits(first, count, sizeof(T)); !fit) return fit.error();
  std::vector<T> elements(count);
  if (stepwell_error_t *error = stepwell_array_read(ref_.get(), first, elements.data(), elements.size() * sizeof(T))) {
    return detail::take_error(error);
  }
  return elements;
}
template <class T> Result<void> Ref::try_write_elements(std::uint32_t first, Span<const T> elements) {
  static_assert((std::is_arithmetic_v<T> && !std::is_same_v<T, bool>) || std::is_same_v<T, V128>, "elements are numbers or V128");
  if (Result<void> fit = fits(first, elements.size(), sizeof(T)); !fit) return fit;
  return detail::outcome(stepwell_array_write(ref_.get(), first, elements.data(), elements.size() * sizeof(T)));
}
inline Result<Ref> Ref::try_to_any() const {
  if (is_null()) return Ref();
  wasm_ref_t *ref = stepwell_ref_to_any(ref_.get());
  if (!ref) return detail::last_error("converting a reference");
  return Ref(store_, ref);
}
inline Result<Ref> Ref::try_to_extern() const {
  if (is_null()) return Ref();
  wasm_ref_t *ref = stepwell_ref_to_extern(ref_.get());
  if (!ref) return detail::last_error("converting a reference");
  return Ref(store_, ref);
}

inline Result<Global> Global::try_make(Store &store, const GlobalType &type, const Val &value) {
  if (!store.valid()) return detail::moved_from(Store::class_name);
  const detail::Owned<wasm_globaltype_t, wasm_globaltype_delete> c_type(wasm_globaltype_new(
      type.content.to_c(),
      static_cast<wasm_mutability_t>(type.is_mutable ? WASM_VAR : WASM_CONST)));
  wasm_global_t *global = wasm_global_new(store.raw(), c_type.get(), &value.raw());
  if (!global) return detail::last_error("making a global");
  return Global(store.box(), global);
}
inline Global::Global(Store &store, const GlobalType &type, const Val &value) : Global(try_make(store, type, value).value()) {}
inline GlobalType Global::type() const {
  const detail::Owned<wasm_globaltype_t, wasm_globaltype_delete> type(wasm_global_type(need()));
  if (!type) detail::last_error("asking for a global's type").raise();
  return detail::to_type(type.get());
}

inline Result<Memory> Memory::try_make(Store &store, const MemoryType &type) {
  if (!store.valid()) return detail::moved_from(Store::class_name);
  const detail::Owned<wasm_memorytype_t, wasm_memorytype_delete> c_type = detail::c_type(type);
  wasm_memory_t *memory = c_type ? wasm_memory_new(store.raw(), c_type.get()) : nullptr;
  if (!memory) return detail::last_error("making a memory");
  return Memory(store.box(), memory);
}
inline Result<Memory> Memory::try_from_shared(Store &store, const SharedMemory &shared) {
  if (!store.valid()) return detail::moved_from(Store::class_name);
  if (!shared.valid()) return detail::moved_from(SharedMemory::class_name);
  wasm_memory_t *memory = stepwell_memory_from_shared(store.raw(), shared.raw());
  if (!memory) return detail::last_error("giving a shared memory to a store");
  return Memory(store.box(), memory);
}
inline std::optional<SharedMemory> Memory::shared() const {
  wasm_memory_t *memory = need();
  if (!type().is_shared) return std::nullopt;
  stepwell_sharedmemory_t *shared = stepwell_memory_shared(memory);
  if (!shared) detail::last_error("asking for a shared memory").raise();
  return SharedMemory(shared);
}
inline Result<SharedMemory> SharedMemory::try_make(const Engine &engine, const MemoryType &type) {
  if (!engine.valid()) return detail::moved_from(Engine::class_name);
  const detail::Owned<wasm_memorytype_t, wasm_memorytype_delete> c_type = detail::c_type(type);
  stepwell_sharedmemory_t *memory = c_type ? stepwell_sharedmemory_new(engine.raw(), c_type.get()) : nullptr;
  if (!memory) return detail::last_error("making a shared memory");
  return SharedMemory(memory);
}
inline SharedMemory::SharedMemory(const Engine &engine, const MemoryType &type) : SharedMemory(try_make(engine, type).value()) {}
inline MemoryType SharedMemory::type() const {
  const detail::Owned<wasm_memorytype_t, wasm_memorytype_delete> type(stepwell_sharedmemory_type(need()));
  if (!type) detail::last_error("asking for a memory's type").raise();
  return detail::to_type(type.get());
}
inline Memory::Memory(Store &store, const MemoryType &type) : Memory(try_make(store, type).value()) {}
inline MemoryType Memory::type() const {
  const detail::Owned<wasm_memorytype_t, wasm_memorytype_delete> type(wasm_memory_type(need()));
  if (!type) detail::last_error("asking for a memory's type").raise();
  return detail::to_type(type.get());
}

inline Result<Table> Table::try_make(Store &store, const TableType &type, const Ref &init) {
  if (!store.valid()) return detail::moved_from(Store::class_name);
  const Limits &limits = type.limits;
  const detail::Owned<wasm_tabletype_t, wasm_tabletype_delete> c_type(
      stepwell_tabletype_new(type.element.to_c(), limits.min, limits.max.has_value(), limits.max.value_or(0), type.is_64));
  wasm_table_t *table = c_type ? wasm_table_new(store.raw(), c_type.get(), init.raw()) : nullptr;
  if (!table) return detail::last_error("making a table");
  return Table(store.box(), table);
}
inline Table::Table(Store &store, const TableType &type, const Ref &init) : Table(try_make(store, type, init).value()) {}
inline TableType Table::type() const {
  const detail::Owned<wasm_tabletype_t, wasm_tabletype_delete> type(wasm_table_type(need()));
  if (!type) detail::last_error("asking for a table's type").raise();
  return detail::to_type(type.get());
}

inline Result<Tag> Tag::try_make(Store &store, const TagType &type) {
  if (!store.valid()) return detail::moved_from(Store::class_name);
  detail::OwnedFuncType func = detail::from_type({type.params, {}, type.told});
  const detail::Owned<wasm_tagtype_t, wasm_tagtype_delete> c_type(func ? wasm_tagtype_new(func.release()) : nullptr);
  stepwell_tag_t *tag = c_type ? stepwell_tag_new(store.raw(), c_type.get()) : nullptr;
  if (!tag) return detail::last_error("making a tag");
  return Tag(store.box(), tag);
}
inline Tag::Tag(Store &store, const TagType &type) : Tag(try_make(store, type).value()) {}
inline TagType Tag::type() const {
  const detail::Owned<wasm_tagtype_t, wasm_tagtype_delete> type(stepwell_tag_type(need()));
  if (!type) detail::last_error("asking for a tag's type").raise();
  return detail::to_type(type.get());
}

inline ExternType Extern::type() const {
  const detail::Owned<wasm_externtype_t, wasm_externtype_delete> type(wasm_extern_type(need()));
  if (!type) detail::last_error("asking for a type").raise();
  return detail::to_type(type.get());
}

inline std::vector<ImportType> Module::imports() const {
  wasm_importtype_vec_t vec = WASM_EMPTY_VEC;
  wasm_module_imports(need(), &vec);
  const std::unique_ptr<wasm_importtype_vec_t, detail::Deleter<wasm_importtype_vec_delete>> guard(&vec);
  std::vector<ImportType> list;
  for (std::size_t i = 0; i < vec.size; i++) {
    list.push_back({detail::text_of(wasm_importtype_module(vec.data[i])), detail::text_of(wasm_importtype_name(vec.data[i])),
                    detail::to_type(wasm_importtype_type(vec.data[i]))});
  }
  return list;
}
inline std::vector<ExportType> Module::exports() const {
  wasm_exporttype_vec_t vec = WASM_EMPTY_VEC;
  wasm_module_exports(need(), &vec);
  const std::unique_ptr<wasm_exporttype_vec_t, detail::Deleter<wasm_exporttype_vec_delete>> guard(&vec);
  std::vector<ExportType> list;
  for (std::size_t i = 0; i < vec.size; i++) {
    list.push_back({detail::text_of(wasm_exporttype_name(vec.data[i])), detail::to_type(wasm_exporttype_type(vec.data[i]))});
  }
  return list;
}

// ---- Instances and linkers -------------------------------------------------------------------------------------

/// An instance of a module. Thread: with its store.
class Instance : public STEPWELL_HPP_OBJECT(Instance, instance) {
public:
  static constexpr const char *class_name = "Instance";
  using Object::Object;

  /// Instantiates a module with imports in the order it asks for them, and runs its start function. The imports are handles of
  /// functions, globals, tables, memories and tags, or `Extern`s. `Linker` finds imports by their names.
  template <class... Imports> static Result<Instance> try_make(Store &store, const Module &module, const Imports &...imports) {
    const std::array<wasm_extern_t *, sizeof...(Imports)> list{as_extern(imports)...};
    return make(store, module, list.data(), list.size());
  }
  template <class... Imports>
  explicit Instance(Store &store, const Module &module, const Imports &...imports)
      : Instance(try_make(store, module, imports...).value()) {}
  /// The same with a list of imports.
  static Result<Instance> try_make_with(Store &store, const Module &module, Span<const Extern> imports) {
    std::vector<wasm_extern_t *> list;
    for (const Extern &import : imports) list.push_back(import.raw());
    return make(store, module, list.data(), list.size());
  }

  /// All exports with their names, in the order of the module's.
  std::vector<std::pair<std::string, Extern>> exports() const {
    wasm_extern_vec_t vec = WASM_EMPTY_VEC;
    wasm_instance_exports(need(), &vec);
    const std::unique_ptr<wasm_extern_vec_t, detail::Deleter<wasm_extern_vec_delete>> guard(&vec);
    const std::vector<ExportType> types = module().exports();
    std::vector<std::pair<std::string, Extern>> list;
    for (std::size_t i = 0; i < vec.size && i < types.size(); i++) {
      list.emplace_back(types[i].name, Extern(store_, std::exchange(vec.data[i], nullptr)));
    }
    return list;
  }
  /// The export of this name, if there is one.
  std::optional<Extern> find(const std::string &name) const {
    wasm_instance_t *instance = need();
    if (detail::no_c_string(name, "name")) return std::nullopt;
    wasm_extern_t *item = stepwell_instance_export(instance, name.c_str());
    return item ? std::optional<Extern>(Extern(store_, item)) : std::nullopt;
  }
  /// The exported function of this name; an error if there is none.
  Result<Func> try_func(const std::string &name) const { return exported<Func>(name, &Extern::as_func, "function"); }
  Func func(const std::string &name) const { return try_func(name).value(); }
  /// The exported function of this name and type: `instance.func<int32_t(int32_t)>("fib")`.
  template <class Signature> Result<TypedFunc<Signature>> try_func(const std::string &name) const {
    Result<Func> func = try_func(name);
    if (!func) return func.error();
    return TypedFunc<Signature>::try_make(std::move(func).value());
  }
  template <class Signature> TypedFunc<Signature> func(const std::string &name) const { return try_func<Signature>(name).value(); }
  Result<Memory> try_memory(const std::string &name) const { return exported<Memory>(name, &Extern::as_memory, "memory"); }
  Memory memory(const std::string &name) const { return try_memory(name).value(); }
  Result<Global> try_global(const std::string &name) const { return exported<Global>(name, &Extern::as_global, "global"); }
  Global global(const std::string &name) const { return try_global(name).value(); }
  Result<Table> try_table(const std::string &name) const { return exported<Table>(name, &Extern::as_table, "table"); }
  Table table(const std::string &name) const { return try_table(name).value(); }
  Result<Tag> try_tag(const std::string &name) const { return exported<Tag>(name, &Extern::as_tag, "tag"); }
  Tag tag(const std::string &name) const { return try_tag(name).value(); }

  /// By index in the module, imports counted, exported or not; nothing beyond the last.
  std::optional<Func> func_at(std::uint32_t index) const { return wrap<Func>(stepwell_instance_func(need(), index)); }
  std::optional<Global> global_at(std::uint32_t index) const { return wrap<Global>(stepwell_instance_global(need(), index)); }
  std::optional<Memory> memory_at(std::uint32_t index) const { return wrap<Memory>(stepwell_instance_memory(need(), index)); }
  std::optional<Table> table_at(std::uint32_t index) const { return wrap<Table>(stepwell_instance_table(need(), index)); }
  Module module() const { return Module(store_, stepwell_instance_module(need())); }

private:
  static wasm_extern_t *as_extern(const Func &item) noexcept { return wasm_func_as_extern(item.raw()); }
  static wasm_extern_t *as_extern(const Global &item) noexcept { return wasm_global_as_extern(item.raw()); }
  static wasm_extern_t *as_extern(const Memory &item) noexcept { return wasm_memory_as_extern(item.raw()); }
  static wasm_extern_t *as_extern(const Table &item) noexcept { return wasm_table_as_extern(item.raw()); }
  static wasm_extern_t *as_extern(const Tag &item) noexcept { return stepwell_tag_as_extern(item.raw()); }
  static wasm_extern_t *as_extern(const Extern &item) noexcept { return item.raw(); }

  static Result<Instance> make(Store &store, const Module &module, wasm_extern_t *const *list, std::size_t count) {
    if (!store.valid()) return detail::moved_from(Store::class_name);
    if (!module.valid()) return detail::moved_from(Module::class_name);
    for (std::size_t i = 0; i < count; i++) {
      if (!list[i]) return Error(ErrorCode::Argument, "import " + std::to_string(i) + " is a handle that was moved from");
    }
    const wasm_extern_vec_t imports = {count, const_cast<wasm_extern_t **>(list)};
    const detail::StorePtr box = store.box();
    wasm_instance_t *instance = nullptr;
    std::optional<Error> error = detail::call_into(box, [&](wasm_trap_t **trap) {
      return stepwell_instance_new(box->store, module.raw(), &imports, &instance, trap);
    });
    Instance made(box, instance);
    if (error) return std::move(*error);
    return made;
  }
  template <class T>
  Result<T> exported(const std::string &name, std::optional<T> (Extern::*as)() const, const char *what) const {
    if (!valid()) return detail::moved_from(class_name);
    const std::optional<Extern> item = find(name);
    std::optional<T> found = item ? ((*item).*as)() : std::nullopt;
    if (found) return std::move(*found);
    return Error(ErrorCode::Argument, "the instance exports no " + std::string(what) + " \"" + name + "\"");
  }
  template <class T, class C> std::optional<T> wrap(C *owned) const {
    return owned ? std::optional<T>(T(store_, owned)) : std::nullopt;
  }
};

inline std::optional<Instance> Caller::instance() {
  wasm_instance_t *instance = stepwell_caller_instance(caller_);
  return instance ? std::optional<Instance>(Instance(store().box(), instance)) : std::nullopt;
}

/// A module with its imports found by a linker, once for many instances. Where all imports are host functions of the linker, it makes
/// instances in any store of the engine. Thread: any.
class InstancePre {
public:
  static constexpr const char *class_name = "InstancePre";
  /// Takes an owned handle of the C API.
  explicit InstancePre(stepwell_instance_pre_t *owned) noexcept : ptr_(owned) {}

  bool valid() const noexcept { return ptr_ != nullptr; }
  /// Makes an instance and runs its start function. Thread: with the store.
  Result<Instance> try_instantiate(Store &store) const {
    if (!valid()) return detail::moved_from(class_name);
    if (!store.valid()) return detail::moved_from(Store::class_name);
    const detail::StorePtr box = store.box();
    wasm_instance_t *instance = nullptr;
    std::optional<Error> error = detail::call_into(
        box, [&](wasm_trap_t **trap) { return stepwell_instance_pre_instantiate(raw(), box->store, &instance, trap); });
    Instance made(box, instance);
    if (error) return std::move(*error);
    return made;
  }
  Instance instantiate(Store &store) const { return try_instantiate(store).value(); }
  stepwell_instance_pre_t *raw() const noexcept { return ptr_.get(); }

private:
  detail::Owned<stepwell_instance_pre_t, stepwell_instance_pre_delete> ptr_;
};

namespace detail {

/// What a program writes, for a C++ function `void (std::string_view)` or the like.
template <class F> struct Output {
  F function;
  static void call(void *env, const byte_t *data, std::size_t size) noexcept {
    auto *self = static_cast<Output *>(env);
    std::optional<Thrown> thrown = no_further([&]() -> std::optional<Error> {
      self->function(Span<const char>(data, size));
      return std::nullopt;
    });
    CallScope *scope = thrown ? CallScope::innermost() : nullptr;
    if (scope) scope->keep_always(std::move(*thrown));
  }
  static void finalize(void *env) noexcept { delete static_cast<Output *>(env); }
};

/// Where a program's standard input comes from, for a C++ function `std::size_t (Span<char>)`.
template <class F> struct Input {
  F function;
  static std::size_t call(void *env, byte_t *data, std::size_t size) noexcept {
    auto *self = static_cast<Input *>(env);
    std::size_t read = SIZE_MAX; // more than `size`: a failure
    std::optional<Thrown> thrown = no_further([&]() -> std::optional<Error> {
      read = self->function(Span<char>(data, size));
      return std::nullopt;
    });
    CallScope *scope = thrown ? CallScope::innermost() : nullptr;
    if (scope) scope->keep_always(std::move(*thrown));
    return read;
  }
  static void finalize(void *env) noexcept { delete static_cast<Input *>(env); }
};

} // namespace detail

/// What programs wrote, kept in memory. It is given to a `WasiConfig`, and outlives stores. Thread: any.
class WasiBuffer {
public:
  static constexpr const char *class_name = "WasiBuffer";
  /// It holds at most `limit` bytes; programs that fill it up get `ENOSPC`.
  explicit WasiBuffer(std::size_t limit = SIZE_MAX) : ptr_(stepwell_wasi_buffer_new(limit)) {}

  bool valid() const noexcept { return ptr_ != nullptr; }
  /// How many bytes are in it.
  std::size_t size() const {
    if (!valid()) detail::moved_from(class_name).raise();
    return stepwell_wasi_buffer_size(raw());
  }
  /// What is in it.
  Result<std::string> try_read() const { return get(false); }
  std::string read() const { return try_read().value(); }
  /// The same, taken out: it is empty then.
  Result<std::string> try_take() { return get(true); }
  std::string take() { return try_take().value(); }
  stepwell_wasi_buffer_t *raw() const noexcept { return ptr_.get(); }

private:
  Result<std::string> get(bool take) const {
    if (!valid()) return detail::moved_from(class_name);
    wasm_byte_vec_t vec = WASM_EMPTY_VEC;
    if (stepwell_error_t *error = stepwell_wasi_buffer_read(raw(), take, &vec)) return detail::take_error(error);
    std::string text = detail::text_of(&vec);
    wasm_byte_vec_delete(&vec);
    return text;
  }
  detail::Owned<stepwell_wasi_buffer_t, stepwell_wasi_buffer_delete> ptr_;
};

/// What a program gets of the host by WASI preview 1: at first nothing. The setters can be chained. Thread: one at a time.
class WasiConfig {
public:
  static constexpr const char *class_name = "WasiConfig";
  WasiConfig() : ptr_(stepwell_wasi_config_new()) {}

  /// The arguments, the program's name first.
  Result<void> try_args(const std::vector<std::string> &list) {
    std::vector<const char *> c_list;
    if (std::optional<Error> error = c_strings(list, "args", c_list)) return std::move(*error);
    return detail::outcome(stepwell_wasi_config_args_set(raw(), c_list.size(), c_list.data()));
  }
  WasiConfig &args(const std::vector<std::string> &list) & { return try_args(list).value(), *this; }
  WasiConfig &&args(const std::vector<std::string> &list) && { return std::move(args(list)); }
  /// The environment: names and values.
  Result<void> try_env(const std::vector<std::pair<std::string, std::string>> &variables) {
    std::vector<std::string> names, values;
    for (const auto &variable : variables) {
      names.push_back(variable.first);
      values.push_back(variable.second);
    }
    std::vector<const char *> c_names, c_values;
    if (std::optional<Error> error = c_strings(names, "env", c_names)) return std::move(*error);
    if (std::optional<Error> error = c_strings(values, "env", c_values)) return std::move(*error);
    return detail::outcome(stepwell_wasi_config_env_set(raw(), c_names.size(), c_names.data(), c_values.data()));
  }
  WasiConfig &env(const std::vector<std::pair<std::string, std::string>> &variables) & {
    return try_env(variables).value(), *this;
  }
  WasiConfig &&env(const std::vector<std::pair<std::string, std::string>> &variables) && { return std::move(env(variables)); }
  WasiConfig &args_inherit() & { return stepwell_wasi_config_args_inherit(need()), *this; }
  WasiConfig &&args_inherit() && { return std::move(args_inherit()); }
  WasiConfig &env_inherit() & { return stepwell_wasi_config_env_inherit(need()), *this; }
  WasiConfig &&env_inherit() && { return std::move(env_inherit()); }
  WasiConfig &stdin_inherit() & { return stepwell_wasi_config_stdin_inherit(need()), *this; }
  WasiConfig &&stdin_inherit() && { return std::move(stdin_inherit()); }
  WasiConfig &stdout_inherit() & { return stepwell_wasi_config_stdout_inherit(need()), *this; }
  WasiConfig &&stdout_inherit() && { return std::move(stdout_inherit()); }
  WasiConfig &stderr_inherit() & { return stepwell_wasi_config_stderr_inherit(need()), *this; }
  WasiConfig &&stderr_inherit() && { return std::move(stderr_inherit()); }
  /// These bytes as standard input; copied.
  Result<void> try_stdin_bytes(Span<const char> bytes) {
    if (!ptr_) return detail::moved_from(class_name);
    const wasm_byte_vec_t vec = {bytes.size(), const_cast<char *>(bytes.data())};
    return detail::outcome(stepwell_wasi_config_stdin_bytes_set(raw(), &vec));
  }
  WasiConfig &stdin_bytes(Span<const char> bytes) & { return try_stdin_bytes(bytes).value(), *this; }
  WasiConfig &&stdin_bytes(Span<const char> bytes) && { return std::move(stdin_bytes(bytes)); }
  /// Gives what the program writes to `function(Span<const char>)`. What that throws is thrown by the call that runs the program,
  /// when that has come to its end.
  template <class F> Result<void> try_stdout_callback(F function) {
    if (!ptr_) return detail::moved_from(class_name);
    using Env = detail::Output<F>;
    return detail::outcome(
        stepwell_wasi_config_stdout_callback_set(raw(), Env::call, new Env{std::move(function)}, Env::finalize));
  }
  template <class F> WasiConfig &stdout_callback(F function) & { return try_stdout_callback(std::move(function)).value(), *this; }
  template <class F> WasiConfig &&stdout_callback(F function) && { return std::move(stdout_callback(std::move(function))); }
  template <class F> Result<void> try_stderr_callback(F function) {
    if (!ptr_) return detail::moved_from(class_name);
    using Env = detail::Output<F>;
    return detail::outcome(
        stepwell_wasi_config_stderr_callback_set(raw(), Env::call, new Env{std::move(function)}, Env::finalize));
  }
  template <class F> WasiConfig &stderr_callback(F function) & { return try_stderr_callback(std::move(function)).value(), *this; }
  template <class F> WasiConfig &&stderr_callback(F function) && { return std::move(stderr_callback(std::move(function))); }
  /// Asks `std::size_t function(Span<char>)` for standard input: it writes to the span and returns how many bytes; 0 is the end.
  template <class F> Result<void> try_stdin_callback(F function) {
    if (!ptr_) return detail::moved_from(class_name);
    using Env = detail::Input<F>;
    return detail::outcome(
        stepwell_wasi_config_stdin_callback_set(raw(), Env::call, new Env{std::move(function)}, Env::finalize));
  }
  template <class F> WasiConfig &stdin_callback(F function) & { return try_stdin_callback(std::move(function)).value(), *this; }
  template <class F> WasiConfig &&stdin_callback(F function) && { return std::move(stdin_callback(std::move(function))); }
  /// A file as standard input; opened now.
  Result<void> try_stdin_file(const std::string &path) {
    if (!ptr_) return detail::moved_from(class_name);
    if (std::optional<Error> error = detail::no_c_string(path, "path")) return std::move(*error);
    return detail::outcome(stepwell_wasi_config_stdin_file_set(raw(), path.c_str()));
  }
  WasiConfig &stdin_file(const std::string &path) & { return try_stdin_file(path).value(), *this; }
  WasiConfig &&stdin_file(const std::string &path) && { return std::move(stdin_file(path)); }
  /// Keeps standard output in a buffer; both may go to the same.
  Result<void> try_stdout_buffer(const WasiBuffer &buffer) {
    if (!ptr_) return detail::moved_from(class_name);
    if (!buffer.valid()) return detail::moved_from(WasiBuffer::class_name);
    return detail::outcome(stepwell_wasi_config_stdout_buffer_set(raw(), buffer.raw()));
  }
  WasiConfig &stdout_buffer(const WasiBuffer &buffer) & { return try_stdout_buffer(buffer).value(), *this; }
  WasiConfig &&stdout_buffer(const WasiBuffer &buffer) && { return std::move(stdout_buffer(buffer)); }
  /// Writes standard output to a file, which is opened now: instead of what is in it, or behind it.
  Result<void> try_stdout_file(const std::string &path, bool append = false) {
    if (!ptr_) return detail::moved_from(class_name);
    if (std::optional<Error> error = detail::no_c_string(path, "path")) return std::move(*error);
    return detail::outcome(stepwell_wasi_config_stdout_file_set(raw(), path.c_str(), append));
  }
  WasiConfig &stdout_file(const std::string &path, bool append = false) & { return try_stdout_file(path, append).value(), *this; }
  WasiConfig &&stdout_file(const std::string &path, bool append = false) && { return std::move(stdout_file(path, append)); }
  /// Keeps standard error in a buffer; both may go to the same.
  Result<void> try_stderr_buffer(const WasiBuffer &buffer) {
    if (!ptr_) return detail::moved_from(class_name);
    if (!buffer.valid()) return detail::moved_from(WasiBuffer::class_name);
    return detail::outcome(stepwell_wasi_config_stderr_buffer_set(raw(), buffer.raw()));
  }
  WasiConfig &stderr_buffer(const WasiBuffer &buffer) & { return try_stderr_buffer(buffer).value(), *this; }
  WasiConfig &&stderr_buffer(const WasiBuffer &buffer) && { return std::move(stderr_buffer(buffer)); }
  /// Writes standard error to a file, which is opened now: instead of what is in it, or behind it.
  Result<void> try_stderr_file(const std::string &path, bool append = false) {
    if (!ptr_) return detail::moved_from(class_name);
    if (std::optional<Error> error = detail::no_c_string(path, "path")) return std::move(*error);
    return detail::outcome(stepwell_wasi_config_stderr_file_set(raw(), path.c_str(), append));
  }
  WasiConfig &stderr_file(const std::string &path, bool append = false) & { return try_stderr_file(path, append).value(), *this; }
  WasiConfig &&stderr_file(const std::string &path, bool append = false) && { return std::move(stderr_file(path, append)); }
  /// How many descriptors the program has at most at once; 1024 at first.
  WasiConfig &max_descriptors(std::uint32_t max) & { return stepwell_wasi_config_max_descriptors_set(need(), max), *this; }
  WasiConfig &&max_descriptors(std::uint32_t max) && { return std::move(max_descriptors(max)); }
  /// How many threads the program may begin, at most at once; none at first. For `Config::epoch(true)`.
  WasiConfig &max_threads(std::uint32_t max) & { return stepwell_wasi_config_max_threads_set(need(), max), *this; }
  WasiConfig &&max_threads(std::uint32_t max) && { return std::move(max_threads(max)); }
  /// The directory `host` under the name `guest`, to look at, or with `read_write` to change as well.
  Result<void> try_preopen_dir(const std::string &host, const std::string &guest, bool read_write = false) {
    if (!ptr_) return detail::moved_from(class_name);
    if (std::optional<Error> error = detail::no_c_string(host, "host")) return std::move(*error);
    if (std::optional<Error> error = detail::no_c_string(guest, "guest")) return std::move(*error);
    return detail::outcome(stepwell_wasi_config_preopen_dir(raw(), host.c_str(), guest.c_str(), read_write));
  }
  WasiConfig &preopen_dir(const std::string &host, const std::string &guest, bool read_write = false) & {
    return try_preopen_dir(host, guest, read_write).value(), *this;
  }
  WasiConfig &&preopen_dir(const std::string &host, const std::string &guest, bool read_write = false) && {
    return std::move(preopen_dir(host, guest, read_write));
  }

  stepwell_wasi_config_t *raw() const noexcept { return ptr_.get(); }
  stepwell_wasi_config_t *release() noexcept { return ptr_.release(); }

private:
  std::optional<Error> c_strings(const std::vector<std::string> &from, const char *what, std::vector<const char *> &to) const {
    if (!ptr_) return detail::moved_from(class_name);
    for (const std::string &text : from) {
      if (std::optional<Error> error = detail::no_c_string(text, what)) return error;
      to.push_back(text.c_str());
    }
    return std::nullopt;
  }
  stepwell_wasi_config_t *need() const {
    if (!ptr_) detail::moved_from(class_name).raise();
    return ptr_.get();
  }
  detail::Owned<stepwell_wasi_config_t, stepwell_wasi_config_delete> ptr_;
};

inline Result<void> Store::try_wasi(WasiConfig config) {
  if (!valid()) return detail::moved_from(class_name);
  if (!config.raw()) return detail::moved_from(WasiConfig::class_name);
  return detail::outcome(stepwell_store_wasi_set(raw(), config.release()));
}
inline void Store::wasi(WasiConfig config) { try_wasi(std::move(config)).value(); }

/// Names and what they stand for, from which a module's imports are found. Functions are of no store, other objects are of one.
/// Thread: one at a time; with the store of what was defined, if there is one.
class Linker {
public:
  static constexpr const char *class_name = "Linker";
  static Result<Linker> try_make(const Engine &engine) {
    if (!engine.valid()) return detail::moved_from(Engine::class_name);
    stepwell_linker_t *linker = stepwell_linker_new(engine.raw());
    if (!linker) return detail::last_error("making a linker");
    return Linker(linker);
  }
  explicit Linker(const Engine &engine) : Linker(try_make(engine).value()) {}
  /// Takes an owned linker of the C API.
  explicit Linker(stepwell_linker_t *owned) noexcept : ptr_(owned) {}

  bool valid() const noexcept { return ptr_ != nullptr; }
  /// Whether a name may be defined again. At first it may not.
  Result<void> try_shadowing(bool allow) {
    if (!valid()) return detail::moved_from(class_name);
    return detail::outcome(stepwell_linker_shadowing_set(raw(), allow));
  }
  Linker &shadowing(bool allow) { return try_shadowing(allow).value(), *this; }

  /// Defines `module`.`name` as a function, global, table, memory or tag.
  Result<void> try_define(const std::string &module, const std::string &name, const Extern &item) {
    if (std::optional<Error> error = names(module, name)) return std::move(*error);
    if (!item.valid()) return detail::moved_from(Extern::class_name);
    return detail::outcome(stepwell_linker_define(raw(), module.c_str(), name.c_str(), item.raw()));
  }
  Linker &define(const std::string &module, const std::string &name, const Extern &item) {
    return try_define(module, name, item).value(), *this;
  }
  /// Defines `module`.`name` as a host function for every store: anything that `Func` can be made from. It is kept as long as
  /// the linker, or anything that it instantiated.
  template <class F> Result<void> try_func(const std::string &module, const std::string &name, F function) {
    return define_func(module, name, detail::SignatureFor<F>::type(), detail::TypedBody<F>{std::move(function)});
  }
  template <class F> Linker &func(const std::string &module, const std::string &name, F function) {
    return try_func(module, name, std::move(function)).value(), *this;
  }
  /// The same for a type that is known only when the program runs.
  template <class F>
  Result<void> try_func(const std::string &module, const std::string &name, const FuncType &type, F function) {
    return define_func(module, name, type, detail::ValuesBody<F>{std::move(function)});
  }
  template <class F> Linker &func(const std::string &module, const std::string &name, const FuncType &type, F function) {
    return try_func(module, name, type, std::move(function)).value(), *this;
  }
  /// Defines all exports of an instance as names of `module`.
  Result<void> try_define_instance(const std::string &module, const Instance &instance) {
    if (std::optional<Error> error = names(module, module)) return std::move(*error);
    if (!instance.valid()) return detail::moved_from(Instance::class_name);
    return detail::outcome(stepwell_linker_define_instance(raw(), module.c_str(), instance.raw()));
  }
  Linker &define_instance(const std::string &module, const Instance &instance) {
    return try_define_instance(module, instance).value(), *this;
  }
  /// Defines the functions of WASI preview 1, for instances in this store.
  Result<void> try_define_wasi(Store &store, WasiConfig config) {
    if (!valid()) return detail::moved_from(class_name);
    if (!store.valid()) return detail::moved_from(Store::class_name);
    if (!config.raw()) return detail::moved_from(WasiConfig::class_name);
    return detail::outcome(stepwell_linker_define_wasi(raw(), store.raw(), config.release()));
  }
  Linker &define_wasi(Store &store, WasiConfig config) { return try_define_wasi(store, std::move(config)).value(), *this; }
  /// Defines the functions of WASI preview 1 once, for instances in every store: each store has of it what `Store::wasi` gives it.
  Result<void> try_define_wasi() {
    if (!valid()) return detail::moved_from(class_name);
    return detail::outcome(stepwell_linker_define_wasi_for_stores(raw()));
  }
  Linker &define_wasi() { return try_define_wasi().value(), *this; }
  /// Defines a module's exports as names of `name`, as WASI has it: the functions of a command, which exports `_start`, are made anew
  /// for each call, in the store that it comes from; of a reactor one instance is made now, and its `_initialize` is called.
  Result<void> try_define_module(Store &store, const std::string &name, const Module &module) {
    if (std::optional<Error> error = names(name, name)) return std::move(*error);
    if (!store.valid()) return detail::moved_from(Store::class_name);
    if (!module.valid()) return detail::moved_from(Module::class_name);
    const detail::StorePtr box = store.box();
    std::optional<Error> error = detail::call_into(box, [&](wasm_trap_t **trap) {
      return stepwell_linker_define_module(raw(), box->store, name.c_str(), module.raw(), trap);
    });
    if (error) return std::move(*error);
    return {};
  }
  Linker &define_module(Store &store, const std::string &name, const Module &module) {
    return try_define_module(store, name, module).value(), *this;
  }
  /// Defines the functions that the module imports and nobody has defined: each traps when it is called, and says its name.
  Result<void> try_define_unknown_imports_as_traps(const Module &module) {
    if (!valid()) return detail::moved_from(class_name);
    if (!module.valid()) return detail::moved_from(Module::class_name);
    return detail::outcome(stepwell_linker_define_unknown_imports_as_traps(raw(), module.raw()));
  }
  Linker &define_unknown_imports_as_traps(const Module &module) { return try_define_unknown_imports_as_traps(module).value(), *this; }
  /// A new linker with the names that this one has now.
  Result<Linker> try_clone() const {
    if (!valid()) return detail::moved_from(class_name);
    stepwell_linker_t *linker = stepwell_linker_clone(raw());
    if (!linker) return detail::last_error("copying a linker");
    return Linker(linker);
  }
  Linker clone() const { return try_clone().value(); }
  /// Defines what the module imports and nobody has defined: functions that return zeros, zero globals, empty memories and tables.
  Result<void> try_fill_missing_with_defaults(Store &store, const Module &module) {
    if (!valid()) return detail::moved_from(class_name);
    if (!store.valid()) return detail::moved_from(Store::class_name);
    if (!module.valid()) return detail::moved_from(Module::class_name);
    return detail::outcome(stepwell_linker_fill_missing_with_defaults(raw(), store.raw(), module.raw()));
  }
  Linker &fill_missing_with_defaults(Store &store, const Module &module) {
    return try_fill_missing_with_defaults(store, module).value(), *this;
  }
  /// What `module`.`name` stands for in a store; an error if it is not defined, or of another store.
  Result<Extern> try_get(Store &store, const std::string &module, const std::string &name) const {
    if (std::optional<Error> error = names(module, name)) return std::move(*error);
    if (!store.valid()) return detail::moved_from(Store::class_name);
    wasm_extern_t *item = stepwell_linker_get(raw(), store.raw(), module.c_str(), name.c_str());
    if (!item) return detail::last_error("looking a name up");
    return Extern(store.box(), item);
  }
  Extern get(Store &store, const std::string &module, const std::string &name) const {
    return try_get(store, module, name).value();
  }
  /// Instantiates a module with imports by their names, and runs its start function.
  Result<Instance> try_instantiate(Store &store, const Module &module) const {
    if (!valid()) return detail::moved_from(class_name);
    if (!store.valid()) return detail::moved_from(Store::class_name);
    if (!module.valid()) return detail::moved_from(Module::class_name);
    const detail::StorePtr box = store.box();
    wasm_instance_t *instance = nullptr;
    std::optional<Error> error = detail::call_into(box, [&](wasm_trap_t **trap) {
      return stepwell_linker_instantiate(raw(), box->store, module.raw(), &instance, trap);
    });
    Instance made(box, instance);
    if (error) return std::move(*error);
    return made;
  }
  Instance instantiate(Store &store, const Module &module) const { return try_instantiate(store, module).value(); }
  /// Looks a module's imports up, once for many instances.
  Result<InstancePre> try_instantiate_pre(const Module &module) const {
    if (!valid()) return detail::moved_from(class_name);
    if (!module.valid()) return detail::moved_from(Module::class_name);
    stepwell_instance_pre_t *pre = nullptr;
    if (stepwell_error_t *error = stepwell_linker_instantiate_pre(raw(), module.raw(), &pre)) return detail::take_error(error);
    return InstancePre(pre);
  }
  InstancePre instantiate_pre(const Module &module) const { return try_instantiate_pre(module).value(); }
  /// The same of a module that is of no store.
  Result<InstancePre> try_instantiate_pre(const SharedModule &module) const {
    if (!valid()) return detail::moved_from(class_name);
    if (!module.valid()) return detail::moved_from(SharedModule::class_name);
    stepwell_instance_pre_t *pre = nullptr;
    if (stepwell_error_t *error = stepwell_linker_instantiate_pre_shared(raw(), module.raw(), &pre)) return detail::take_error(error);
    return InstancePre(pre);
  }
  InstancePre instantiate_pre(const SharedModule &module) const { return try_instantiate_pre(module).value(); }

  stepwell_linker_t *raw() const noexcept { return ptr_.get(); }

private:
  std::optional<Error> names(const std::string &module, const std::string &name) const {
    if (!valid()) return detail::moved_from(class_name);
    std::optional<Error> error = detail::no_c_string(module, "module");
    return error ? error : detail::no_c_string(name, "name");
  }
  template <class Body>
  Result<void> define_func(const std::string &module, const std::string &name, const FuncType &type, Body body) {
    if (std::optional<Error> error = names(module, name)) return std::move(*error);
    using Env = detail::HostFunction<Body>;
    const detail::OwnedFuncType c_type = detail::from_type(type);
    if (!c_type) return detail::last_error("making a function's type");
    Env *env = new Env{std::move(body), {}};
    if constexpr (Body::raw) {
      return detail::outcome(stepwell_linker_define_func_unchecked(raw(), module.c_str(), name.c_str(), c_type.get(),
                                                                   Env::call_raw, env, Env::finalize));
    } else {
      return detail::outcome(stepwell_linker_define_caller_func(raw(), module.c_str(), name.c_str(), c_type.get(), Env::call, env,
                                                                Env::finalize));
    }
  }
  detail::Owned<stepwell_linker_t, stepwell_linker_delete> ptr_;
};

// ---- Debugging -------------------------------------------------------------------------------------------------

namespace detail {

struct DebuggerBox;

/// A stop callback's environment, whatever its type.
struct StopEnv {
  std::weak_ptr<StoreBox> store;
  std::weak_ptr<DebuggerBox> debugger;
  /// The debugger's handle is gone, but it could not be detached yet: nobody wants to hear of stops.
  bool closed = false;
};

/// A debugger's handle.
struct DebuggerBox {
  StorePtr store; // goes last
  stepwell_debugger_t *debugger = nullptr;
  StopEnv *env = nullptr;

  DebuggerBox() = default;
  DebuggerBox(const DebuggerBox &) = delete;
  DebuggerBox &operator=(const DebuggerBox &) = delete;
  ~DebuggerBox() {
    if (!debugger || StoreBox::delete_debugger(debugger)) return;
    env->closed = true;
    stepwell_error_delete(stepwell_debugger_step_always_set(debugger, false));
    store->doomed.push_back(debugger);
  }
};

} // namespace detail

/// An instruction at which a breakpoint stands.
struct BreakPlace {
  Module module;
  /// The index of the function it is in, imports counted.
  std::uint32_t func_index;
  /// The instruction, in bytes from the start of the module.
  std::size_t offset;
};

/// A breakpoint of a debugger: a number that can be copied. It stays until it is removed, or its debugger goes. Thread: with its store.
class Breakpoint {
public:
  /// For this header.
  Breakpoint(std::weak_ptr<detail::DebuggerBox> debugger, stepwell_breakpoint_t id) noexcept
      : debugger_(std::move(debugger)), id_(id) {}

  /// Its number: unique in its debugger.
  stepwell_breakpoint_t id() const noexcept { return id_; }
  /// Where it stands, in bytes from the start of its module, of its first place; nothing if it has none yet, or is gone.
  std::optional<std::size_t> offset() const {
    const auto box = debugger_.lock();
    const std::size_t offset = box ? stepwell_breakpoint_offset(box->debugger, id_) : SIZE_MAX;
    return offset == SIZE_MAX ? std::nullopt : std::optional<std::size_t>(offset);
  }
  /// The index of the function it stands in, imports counted, of its first place; nothing if it has none yet, or is gone.
  std::optional<std::uint32_t> func_index() const {
    const auto box = debugger_.lock();
    const std::uint32_t index = box ? stepwell_breakpoint_func_index(box->debugger, id_) : UINT32_MAX;
    return index == UINT32_MAX ? std::nullopt : std::optional<std::uint32_t>(index);
  }
  /// Where it stands in the source, of its first place: the place itself, whose line is the one that it really is at, and then what that was inlined into;
  /// empty if that is not known, or if it is gone.
  std::vector<Source> sources() const {
    const auto box = debugger_.lock();
    if (!box) return {};
    return detail::all_sources(SIZE_MAX, [&](std::size_t index, stepwell_source_t *out) {
      return stepwell_breakpoint_source(box->debugger, id_, index, out);
    });
  }
  /// The line of the source it is at; nothing if that is not known, or if it is gone.
  std::optional<std::uint32_t> line() const {
    const std::vector<Source> places = sources();
    return places.empty() || !places[0].line ? std::nullopt : std::optional<std::uint32_t>(places[0].line);
  }
  /// How many places it stands at; of one for any module there may be more later.
  std::size_t place_count() const {
    const auto box = debugger_.lock();
    return box ? stepwell_breakpoint_place_count(box->debugger, id_) : 0;
  }
  /// All of them; none if it is gone.
  std::vector<BreakPlace> places() const {
    std::vector<BreakPlace> list;
    const auto box = debugger_.lock();
    for (std::size_t i = 0, count = place_count(); i < count; i++) {
      list.push_back({Module(box->store, stepwell_breakpoint_place_module(box->debugger, id_, i)),
                      stepwell_breakpoint_place_func_index(box->debugger, id_, i),
                      stepwell_breakpoint_place_offset(box->debugger, id_, i)});
    }
    return list;
  }
  /// Where one of them is in the source; empty if that is not known.
  std::vector<Source> place_sources(std::size_t place) const {
    const auto box = debugger_.lock();
    if (!box) return {};
    return detail::all_sources(SIZE_MAX, [&](std::size_t index, stepwell_source_t *out) {
      return stepwell_breakpoint_place_source(box->debugger, id_, place, index, out);
    });
  }
  /// Whether it is enabled, as all are at first; false if it is gone. One that is not costs nothing.
  bool enabled() const {
    const auto box = debugger_.lock();
    return box && stepwell_breakpoint_enabled(box->debugger, id_);
  }
  Result<void> try_enabled(bool on) const {
    return with([&](stepwell_debugger_t *debugger) { return stepwell_breakpoint_enabled_set(debugger, id_, on); });
  }
  void enabled(bool on) const { try_enabled(on).value(); }
  /// How often it was come to while its condition held, those times counted that were ignored; 0 if it is gone.
  std::uint64_t hit_count() const {
    const auto box = debugger_.lock();
    return box ? stepwell_breakpoint_hit_count(box->debugger, id_) : 0;
  }
  Result<void> try_hit_count(std::uint64_t count) const {
    return with([&](stepwell_debugger_t *debugger) { return stepwell_breakpoint_hit_count_set(debugger, id_, count); });
  }
  void hit_count(std::uint64_t count) const { try_hit_count(count).value(); }
  /// How many times it is passed before it stops; 0 if it is gone.
  std::uint64_t ignore_count() const {
    const auto box = debugger_.lock();
    return box ? stepwell_breakpoint_ignore_count(box->debugger, id_) : 0;
  }
  Result<void> try_ignore_count(std::uint64_t count) const {
    return with([&](stepwell_debugger_t *debugger) { return stepwell_breakpoint_ignore_count_set(debugger, id_, count); });
  }
  void ignore_count(std::uint64_t count) const { try_ignore_count(count).value(); }
  /// Whether it is removed the first time that it stops, before the stop callback is called; false if it is gone.
  bool one_shot() const {
    const auto box = debugger_.lock();
    return box && stepwell_breakpoint_one_shot(box->debugger, id_);
  }
  Result<void> try_one_shot(bool on) const {
    return with([&](stepwell_debugger_t *debugger) { return stepwell_breakpoint_one_shot_set(debugger, id_, on); });
  }
  void one_shot(bool on) const { try_one_shot(on).value(); }
  /// The text of its condition; nothing if it has none, if that is a callback, or if it is gone.
  std::optional<std::string> condition() const {
    const auto box = debugger_.lock();
    wasm_byte_vec_t text;
    if (!box || !stepwell_breakpoint_condition(box->debugger, id_, &text)) return std::nullopt;
    std::string said(text.data, text.size - 1);
    wasm_byte_vec_delete(&text);
    return said;
  }
  /// It stops only where a text holds of the frame, as in `local(0) > 10 && i32[local(1) + 8] == 3`: see
  /// `stepwell_breakpoint_condition_set`.
  Result<void> try_condition(const std::string &text) const {
    if (std::optional<Error> error = detail::no_c_string(text, "text")) return std::move(*error);
    return with([&](stepwell_debugger_t *debugger) { return stepwell_breakpoint_condition_set(debugger, id_, text.c_str()); });
  }
  void condition(const std::string &text) const { try_condition(text).value(); }
  /// It stops only where `holds(Stop &)` returns true. What that throws ends the guest, and is thrown again by the call that ran it.
  template <class F> Result<void> try_condition_callback(F holds) const;
  template <class F> void condition_callback(F holds) const { try_condition_callback(std::move(holds)).value(); }
  /// It stops whatever holds.
  Result<void> try_no_condition() const {
    return with([&](stepwell_debugger_t *debugger) { return stepwell_breakpoint_condition_set(debugger, id_, nullptr); });
  }
  void no_condition() const { try_no_condition().value(); }
  /// The one instance whose frames it stops; nothing if it stops those of all, or is gone.
  std::optional<Instance> instance() const {
    const auto box = debugger_.lock();
    wasm_instance_t *of = box ? stepwell_breakpoint_instance(box->debugger, id_) : nullptr;
    return of ? std::optional<Instance>(Instance(box->store, of)) : std::nullopt;
  }
  /// It stops the frames of one instance only, which is to be kept for as long.
  Result<void> try_instance(const Instance &of) const {
    if (!of.valid()) return detail::moved_from(Instance::class_name);
    return with([&](stepwell_debugger_t *debugger) { return stepwell_breakpoint_instance_set(debugger, id_, of.raw()); });
  }
  void instance(const Instance &of) const { try_instance(of).value(); }
  /// It stops the frames of all instances.
  Result<void> try_all_instances() const {
    return with([&](stepwell_debugger_t *debugger) { return stepwell_breakpoint_instance_set(debugger, id_, nullptr); });
  }
  void all_instances() const { try_all_instances().value(); }
  /// Removes it; an error if it is gone. Inside a stop it takes effect before the guest goes on.
  Result<void> try_remove() const {
    return with([&](stepwell_debugger_t *debugger) { return stepwell_breakpoint_remove(debugger, id_); });
  }
  void remove() const { try_remove().value(); }
  friend bool operator==(const Breakpoint &a, const Breakpoint &b) noexcept {
    return a.id_ == b.id_ && !a.debugger_.owner_before(b.debugger_) && !b.debugger_.owner_before(a.debugger_);
  }
  friend bool operator!=(const Breakpoint &a, const Breakpoint &b) noexcept { return !(a == b); }

private:
  template <class Work> Result<void> with(Work &&work) const {
    const auto box = debugger_.lock();
    if (!box) return Error(ErrorCode::State, "the debugger of breakpoint " + std::to_string(id_) + " is gone");
    return detail::outcome(work(box->debugger));
  }
  std::weak_ptr<detail::DebuggerBox> debugger_;
  stepwell_breakpoint_t id_;
};

/// A watchpoint of a debugger: a number that can be copied and forgotten. It stays until `remove()`, or until its debugger goes. Thread:
/// with its store.
class Watchpoint {
public:
  /// For this header.
  Watchpoint(std::weak_ptr<detail::DebuggerBox> debugger, stepwell_watchpoint_t id) noexcept
      : debugger_(std::move(debugger)), id_(id) {}

  /// Its number: unique in its debugger. Breakpoints have numbers of their own.
  stepwell_watchpoint_t id() const noexcept { return id_; }
  /// What of its place is a hit; nothing if it is gone.
  std::optional<WatchKind> kind() const {
    const auto box = debugger_.lock();
    const stepwell_watch_kind_t kind = box ? stepwell_watchpoint_kind(box->debugger, id_) : 0;
    return kind ? std::optional<WatchKind>(static_cast<WatchKind>(kind)) : std::nullopt;
  }
  /// Whether it is enabled, as all are at first; false if it is gone. One that is not costs nothing.
  bool enabled() const {
    const auto box = debugger_.lock();
    return box && stepwell_watchpoint_enabled(box->debugger, id_);
  }
  /// What is written while it is not enabled is not told later.
  Result<void> try_enabled(bool on) const {
    return with([&](stepwell_debugger_t *debugger) { return stepwell_watchpoint_enabled_set(debugger, id_, on); });
  }
  void enabled(bool on) const { try_enabled(on).value(); }
  /// How often it was hit; 0 if it is gone.
  std::uint64_t hit_count() const {
    const auto box = debugger_.lock();
    return box ? stepwell_watchpoint_hit_count(box->debugger, id_) : 0;
  }
  /// Removes it; an error if it is gone. Inside a stop it takes effect before the guest goes on.
  Result<void> try_remove() const {
    return with([&](stepwell_debugger_t *debugger) { return stepwell_watchpoint_remove(debugger, id_); });
  }
  void remove() const { try_remove().value(); }
  friend bool operator==(const Watchpoint &a, const Watchpoint &b) noexcept {
    return a.id_ == b.id_ && !a.debugger_.owner_before(b.debugger_) && !b.debugger_.owner_before(a.debugger_);
  }
  friend bool operator!=(const Watchpoint &a, const Watchpoint &b) noexcept { return !(a == b); }

private:
  template <class Work> Result<void> with(Work &&work) const {
    const auto box = debugger_.lock();
    if (!box) return Error(ErrorCode::State, "the debugger of watchpoint " + std::to_string(id_) + " is gone");
    return detail::outcome(work(box->debugger));
  }
  std::weak_ptr<detail::DebuggerBox> debugger_;
  stepwell_watchpoint_t id_;
};

/// What a watchpoint has seen.
struct WatchHit {
  Watchpoint watchpoint;
  /// The function of the instruction that did it, imports counted.
  std::uint32_t func_index;
  /// That instruction, in bytes from the start of its module: one that writes, or the call of the host function that has written.
  std::size_t offset;
  /// Whether the host did it, in a function that the instruction has called.
  bool by_host;
  /// Whether it has only read.
  bool is_read;
  /// Where the first of the bytes is in a memory; nothing of a global or a local.
  std::optional<std::uint64_t> address;
  /// The bytes that were there before, and those that are there now: of a global or a local its value, of a memory what of it was accessed,
  /// or, by the host, changed. Of a reference there are none.
  std::vector<std::uint8_t> old_bytes, new_bytes;
  /// Whether nothing was accessed: the frame that the watchpoint was bound to is gone, and the watchpoint is removed. The instruction is the
  /// call by which the frame came to be.
  bool is_end;
};

/// A variable of the source in a frame of a stop, what is inside of one, or all of a scope. What it is called can be asked for as long as
/// it is there; the rest inside the callback only: used later, it is an error.
class Variable {
public:
  static constexpr const char *class_name = "Variable";
  /// Takes an owned handle of the C API.
  explicit Variable(stepwell_variable_t *owned) noexcept : ptr_(owned) {}

  bool valid() const noexcept { return ptr_ != nullptr; }
  /// Its name as the source has it; a member's, an element's number as `[3]`, `*` for what a pointer points to.
  std::string name() const { return detail::optional_name(stepwell_variable_name, need()).value_or(""); }
  /// Which variables it is one of; nothing for what is inside of another, or was found by a path.
  std::optional<Scope> scope() const {
    const stepwell_scope_t scope = stepwell_variable_scope(need());
    return scope ? std::optional<Scope>(static_cast<Scope>(scope)) : std::nullopt;
  }
  /// The line that it is declared in; 0 where that is not known.
  std::uint32_t line() const { return stepwell_variable_line(need()); }
  /// How many blocks of its function it is inside of.
  std::uint32_t depth() const { return stepwell_variable_depth(need()); }
  /// Whether the source means another variable by its name here.
  bool is_shadowed() const { return stepwell_variable_is_shadowed(need()); }
  /// What the source calls its type.
  Result<std::string> try_type_name() const { return message(stepwell_variable_type_name); }
  std::string type_name() const { return try_type_name().value(); }
  /// Its value in one line, with what is inside of it as far as there is room.
  Result<std::string> try_text() const { return message(stepwell_variable_text); }
  std::string text() const { return try_text().value(); }
  /// What it is made of.
  Result<VariableKind> try_kind() const {
    if (!valid()) return detail::moved_from(class_name);
    const stepwell_variable_kind_t kind = stepwell_variable_kind(raw());
    if (!kind) return detail::last_error("asking what a variable is made of");
    return static_cast<VariableKind>(kind);
  }
  VariableKind kind() const { return try_kind().value(); }
  /// The number that it is, or that stands for it: of a pointer the address, of an enumeration the number.
  Result<Number> try_number() const {
    if (!valid()) return detail::moved_from(class_name);
    stepwell_number_t number = stepwell_number_t();
    if (stepwell_error_t *error = stepwell_variable_number(raw(), &number)) return detail::take_error(error);
    return Number{static_cast<NumberKind>(number.kind), number.low, number.high, number.real};
  }
  Number number() const { return try_number().value(); }
  /// Where it begins in the first memory of its frame's instance, if it is there.
  std::optional<std::uint64_t> address() const {
    std::uint64_t address = 0;
    if (stepwell_variable_address(need(), &address)) return address;
    raise_last();
    return std::nullopt;
  }
  /// How many bytes it takes.
  Result<std::uint64_t> try_size() const { return number_of(stepwell_variable_size); }
  std::uint64_t size() const { return try_size().value(); }
  /// Why it has no value, if the DWARF says that it is not there.
  std::optional<std::string> missing() const {
    if (const char *why = stepwell_variable_missing(need())) return std::string(why);
    raise_last();
    return std::nullopt;
  }
  /// How many are inside of it: members, elements, what a pointer points to, the variables of a scope.
  Result<std::uint64_t> try_child_count() const { return number_of(stepwell_variable_child_count); }
  std::uint64_t child_count() const { return try_child_count().value(); }
  /// Those inside of it from the number `first` on, at most `count`: an array of millions costs no more than these.
  Result<std::vector<Variable>> try_children(std::uint64_t first, std::size_t count) const {
    if (!valid()) return detail::moved_from(class_name);
    std::uint64_t there = 0;
    if (stepwell_error_t *error = stepwell_variable_child_count(raw(), &there)) return detail::take_error(error);
    const std::uint64_t rest = there > first ? there - first : 0;
    std::vector<stepwell_variable_t *> page(rest < count ? static_cast<std::size_t>(rest) : count);
    std::size_t written = 0;
    if (stepwell_error_t *error = stepwell_variable_children(raw(), first, page.size(), page.data(), &written)) return detail::take_error(error);
    std::vector<Variable> list;
    list.reserve(written);
    for (std::size_t i = 0; i < written; i++) list.emplace_back(page[i]);
    return list;
  }
  std::vector<Variable> children(std::uint64_t first, std::size_t count) const { return try_children(first, count).value(); }
  /// All those inside of it.
  std::vector<Variable> children() const { return children(0, SIZE_MAX); }
  /// Gives it another value, as text, with which the guest goes on.
  Result<void> try_assign(const std::string &text) const {
    if (!valid()) return detail::moved_from(class_name);
    if (std::optional<Error> error = detail::no_c_string(text, "text")) return std::move(*error);
    return detail::outcome(stepwell_variable_assign(raw(), text.c_str()));
  }
  void assign(const std::string &text) const { try_assign(text).value(); }

  const stepwell_variable_t *raw() const noexcept { return ptr_.get(); }

private:
  const stepwell_variable_t *need() const {
    if (!valid()) detail::moved_from(class_name).raise();
    return ptr_.get();
  }
  /// A false or NULL may be an answer.
  static void raise_last() {
    if (stepwell_last_error()) detail::last_error("looking at a variable").raise();
  }
  Result<std::string> message(stepwell_error_t *(*get)(const stepwell_variable_t *, wasm_message_t *)) const {
    if (!valid()) return detail::moved_from(class_name);
    wasm_message_t text = WASM_EMPTY_VEC;
    if (stepwell_error_t *error = get(raw(), &text)) return detail::take_error(error);
    std::string found(text.data, text.size - 1);
    wasm_byte_vec_delete(&text);
    return found;
  }
  Result<std::uint64_t> number_of(stepwell_error_t *(*get)(const stepwell_variable_t *, std::uint64_t *)) const {
    if (!valid()) return detail::moved_from(class_name);
    std::uint64_t number = 0;
    if (stepwell_error_t *error = get(raw(), &number)) return detail::take_error(error);
    return number;
  }
  detail::Owned<stepwell_variable_t, stepwell_variable_delete> ptr_;
};

/// A Wasm frame of a stopped guest. Thread: inside the callback. Used later, it is an error (and `valid()` is false).
class Frame {
public:
  /// For this header.
  Frame(detail::StorePtr store, const stepwell_frame_t *frame) noexcept : store_(std::move(store)), frame_(frame) {}

  /// Whether its stop still lasts.
  bool valid() const noexcept {
    const bool is = stepwell_frame_id(frame_) != 0;
    if (!is) stepwell_last_error_clear();
    return is;
  }
  /// The index of its function in its module, imports counted.
  std::uint32_t func_index() const {
    const std::uint32_t index = stepwell_frame_func_index(frame_);
    if (index == UINT32_MAX) over();
    return index;
  }
  /// The name of its function, if it has one.
  std::optional<std::string> func_name() const {
    check();
    return detail::optional_name(stepwell_frame_func_name, frame_);
  }
  /// Where it stands, in bytes from the start of the module: at the instruction about to run; in a caller, at the call.
  std::size_t offset() const {
    const std::size_t offset = stepwell_frame_offset(frame_);
    if (offset == SIZE_MAX) over();
    return offset;
  }
  /// Where that is in the source, as `Module::sources`.
  std::vector<Source> sources() const {
    check();
    return detail::all_sources(stepwell_frame_source_count(frame_), [&](std::size_t index, stepwell_source_t *out) {
      return stepwell_frame_source(frame_, index, out);
    });
  }
  /// A number that is the same for one activation of the function at every stop.
  std::size_t id() const {
    const std::size_t id = stepwell_frame_id(frame_);
    if (id == 0) over();
    return id;
  }
  /// Whether it called the host, which called the next inner frame.
  bool called_through_host() const { return check(), stepwell_frame_called_through_host(frame_); }
  /// The name of the host function that it waits for, as far as it has one: the symbol of a callback of C's that is exported for dynamic
  /// linking, or what WASI's functions are imported as. Nothing for functions of this header, which are called through its own.
  std::optional<std::string> host_symbol() const {
    check();
    wasm_name_t name = WASM_EMPTY_VEC;
    if (!stepwell_frame_host_symbol(frame_, &name)) return std::nullopt;
    const std::unique_ptr<wasm_name_t, detail::Deleter<wasm_byte_vec_delete>> guard(&name);
    return std::string(name.data, name.size);
  }
  /// Whether it runs in production code, for it was entered before the debugger was attached. What is in its locals and operands is
  /// not known: whoever asks gets an error. Nor is its instance, where the store has several of its module.
  bool is_production() const { return check(), stepwell_frame_is_production(frame_); }
  Module module() const {
    wasm_module_t *module = stepwell_frame_module(frame_);
    if (!module) over();
    return Module(store_, module);
  }
  Instance instance() const {
    wasm_instance_t *instance = stepwell_frame_instance(frame_);
    if (!instance) over();
    return Instance(store_, instance);
  }
  /// How many locals it has, parameters counted.
  std::size_t local_count() const { return check(), stepwell_frame_local_count(frame_); }
  /// A local, parameters first; nothing beyond the last.
  std::optional<Val> local(std::size_t index) const {
    check();
    wasm_val_t val = wasm_val_t();
    if (stepwell_frame_local(frame_, index, &val)) return Val(store_, val);
    if (is_production()) over();
    return std::nullopt;
  }
  std::vector<Val> locals() const { return all(stepwell_frame_locals, local_count()); }
  /// A local's name, if the module says one.
  std::optional<std::string> local_name(std::size_t index) const {
    check();
    return detail::optional_name(stepwell_frame_local_name, frame_, index);
  }
  /// How many operands are on its stack. In a caller, the call's arguments are still counted.
  std::size_t operand_count() const {
    check();
    const std::size_t count = stepwell_frame_operand_count(frame_);
    if (count == 0 && is_production()) over();
    return count;
  }
  /// All operands, the bottom of the stack first.
  std::vector<Val> operands() const { return all(stepwell_frame_operands, operand_count()); }
  /// Gives a local another value, with which the guest goes on: a frame that waits for a call, once that has returned, or where it
  /// catches an exception that has left it.
  Result<void> try_set_local(std::size_t index, const Val &value) const {
    return detail::outcome(stepwell_frame_local_set(frame_, index, &value.raw()));
  }
  void set_local(std::size_t index, const Val &value) const { try_set_local(index, value).value(); }
  /// Gives an operand, the bottom of the stack first, another value, with which the guest goes on. What a call has taken that the frame
  /// waits for, which is on top, is refused.
  Result<void> try_set_operand(std::size_t index, const Val &value) const {
    return detail::outcome(stepwell_frame_operand_set(frame_, index, &value.raw()));
  }
  void set_operand(std::size_t index, const Val &value) const { try_set_operand(index, value).value(); }
  /// Has the frame return these values to its caller. Those within it are left: it is the innermost from here on. A `Frame` is a number
  /// of its stop; ask that for those that you go on to use, `stop.frame(0)` for this one.
  Result<void> try_return_early(Span<const Val> values) const {
    std::vector<wasm_val_t> given = detail::raw_values(values);
    const wasm_val_vec_t vec = {given.size(), given.data()};
    return detail::outcome(stepwell_frame_return_early(frame_, &vec));
  }
  Result<void> try_return_early(std::initializer_list<Val> values) const {
    return try_return_early(Span<const Val>(values.begin(), values.size()));
  }
  void return_early(Span<const Val> values) const { try_return_early(values).value(); }
  void return_early(std::initializer_list<Val> values) const { try_return_early(values).value(); }
  /// What an expression such as `p->x[3] + 1` comes to in this frame: its type and its value, as text.
  Result<Evaluated> try_evaluate(const std::string &path) const {
    if (std::optional<Error> error = detail::no_c_string(path, "path")) return std::move(*error);
    wasm_message_t text = WASM_EMPTY_VEC, type = WASM_EMPTY_VEC;
    if (stepwell_error_t *error = stepwell_frame_evaluate(frame_, path.c_str(), &text, &type)) return detail::take_error(error);
    Evaluated found{std::string(type.data, type.size - 1), std::string(text.data, text.size - 1)};
    wasm_byte_vec_delete(&text);
    wasm_byte_vec_delete(&type);
    return found;
  }
  Evaluated evaluate(const std::string &path) const { return try_evaluate(path).value(); }
  /// The variables of a scope, as one whose children they are. Where functions are inlined, `level` says of which: 0 is the innermost.
  Result<Variable> try_variables(Scope scope, std::size_t level = 0) const {
    stepwell_variable_t *found = nullptr;
    if (stepwell_error_t *error = stepwell_frame_variables(frame_, level, static_cast<stepwell_scope_t>(scope), &found)) return detail::take_error(error);
    return Variable(found);
  }
  Variable variables(Scope scope, std::size_t level = 0) const { return try_variables(scope, level).value(); }
  /// What an expression comes to, as a variable.
  Result<Variable> try_variable(const std::string &path, std::size_t level = 0) const {
    if (std::optional<Error> error = detail::no_c_string(path, "path")) return std::move(*error);
    stepwell_variable_t *found = nullptr;
    if (stepwell_error_t *error = stepwell_frame_variable(frame_, level, path.c_str(), &found)) return detail::take_error(error);
    return Variable(found);
  }
  Variable variable(const std::string &path, std::size_t level = 0) const { return try_variable(path, level).value(); }
  /// The same of an expression that may assign (`x = 3`) and call exports (`name(1)`), as far as that is `allowed`.
  Result<Variable> try_expression(const std::string &text, Evaluate allowed, std::size_t level = 0) const {
    if (std::optional<Error> error = detail::no_c_string(text, "text")) return std::move(*error);
    stepwell_variable_t *found = nullptr;
    const auto flags = static_cast<stepwell_evaluate_flags_t>(allowed);
    if (stepwell_error_t *error = stepwell_frame_expression(frame_, level, text.c_str(), flags, &found)) return detail::take_error(error);
    return Variable(found);
  }
  Variable expression(const std::string &text, Evaluate allowed, std::size_t level = 0) const {
    return try_expression(text, allowed, level).value();
  }
  /// Gives what an expression leads to another value, which is that of the expression `text`, with which the guest goes on.
  Result<void> try_assign(const std::string &path, const std::string &text) const {
    if (std::optional<Error> error = detail::no_c_string(path, "path")) return std::move(*error);
    if (std::optional<Error> error = detail::no_c_string(text, "text")) return std::move(*error);
    return detail::outcome(stepwell_frame_assign(frame_, path.c_str(), text.c_str()));
  }
  void assign(const std::string &path, const std::string &text) const { try_assign(path, text).value(); }

  const stepwell_frame_t *raw() const noexcept { return frame_; }

private:
  [[noreturn]] static void over() { detail::last_error("looking at a frame").raise(); }
  void check() const {
    if (stepwell_frame_id(frame_) == 0) over();
  }
  std::vector<Val> all(std::size_t (*get)(const stepwell_frame_t *, wasm_val_t *, std::size_t), std::size_t count) const {
    std::vector<wasm_val_t> values(count);
    std::vector<Val> list;
    list.reserve(count);
    const std::size_t there = get(frame_, values.data(), count);
    if (there == 0 && is_production()) over();
    for (std::size_t i = 0; i < count && i < there; i++) list.emplace_back(store_, values[i]);
    return list;
  }
  detail::StorePtr store_;
  const stepwell_frame_t *frame_;
};

class Debugger;

/// A guest that was stopped, in the hands of the stop callback. Thread: inside the callback. Used later, it is an error (and `valid()`
/// is false). One of `Debugger::stop_of` lasts until its call is run or deleted, or is asked for its stop again. Thread: with its store.
class Stop {
public:
  /// For this header.
  Stop(stepwell_stop_t *stop, detail::StorePtr store, std::weak_ptr<detail::DebuggerBox> debugger) noexcept
      : stop_(stop), store_(std::move(store)), debugger_(std::move(debugger)) {}

  /// Whether it still lasts.
  bool valid() const noexcept {
    const bool is = stepwell_stop_reason(stop_) != 0;
    if (!is) stepwell_last_error_clear();
    return is;
  }
  StopReason reason() const {
    const stepwell_stop_reason_t reason = stepwell_stop_reason(stop_);
    if (reason == 0) over();
    return static_cast<StopReason>(reason);
  }
  /// How many Wasm frames of the store are live, in all nested runs.
  std::size_t frame_count() const { return check(), stepwell_stop_frame_count(stop_); }
  /// A frame, 0 the innermost; an error beyond the outermost.
  Result<Frame> try_frame(std::size_t index = 0) const {
    const stepwell_frame_t *frame = stepwell_stop_frame(stop_, index);
    if (frame) return Frame(store_, frame);
    if (!valid()) return Error(ErrorCode::State, "a stop was used after its callback returned");
    return Error(ErrorCode::Argument, "there is no frame " + std::to_string(index));
  }
  Frame frame(std::size_t index = 0) const { return try_frame(index).value(); }
  /// All frames, innermost first.
  std::vector<Frame> frames() const {
    std::vector<Frame> list;
    const std::size_t count = frame_count();
    for (std::size_t i = 0; i < count; i++) list.emplace_back(store_, stepwell_stop_frame(stop_, i));
    return list;
  }
  /// The breakpoints that were hit, in the order they were set.
  std::vector<Breakpoint> breakpoints() const {
    check();
    std::vector<Breakpoint> list;
    const std::size_t count = stepwell_stop_breakpoint_count(stop_);
    for (std::size_t i = 0; i < count; i++) list.emplace_back(debugger_, stepwell_stop_breakpoint(stop_, i));
    return list;
  }
  /// What watchpoints have seen; empty if they are not the reason.
  std::vector<WatchHit> watch_hits() const {
    check();
    const auto bytes = [&](auto *write, std::size_t index) {
      wasm_byte_vec_t found = WASM_EMPTY_VEC;
      write(stop_, index, &found);
      const std::unique_ptr<wasm_byte_vec_t, detail::Deleter<wasm_byte_vec_delete>> guard(&found);
      return std::vector<std::uint8_t>(found.data, found.data + found.size);
    };
    std::vector<WatchHit> list;
    const std::size_t count = stepwell_stop_watchpoint_count(stop_);
    for (std::size_t i = 0; i < count; i++) {
      const std::uint64_t address = stepwell_stop_watchpoint_address(stop_, i);
      list.push_back({Watchpoint(debugger_, stepwell_stop_watchpoint(stop_, i)), stepwell_stop_watchpoint_func_index(stop_, i),
                      stepwell_stop_watchpoint_offset(stop_, i), stepwell_stop_watchpoint_by_host(stop_, i),
                      stepwell_stop_watchpoint_is_read(stop_, i), address == UINT64_MAX ? std::nullopt : std::optional<std::uint64_t>(address),
                      bytes(stepwell_stop_watchpoint_old_value, i), bytes(stepwell_stop_watchpoint_new_value, i),
                      stepwell_stop_watchpoint_is_end(stop_, i)});
    }
    return list;
  }
  /// Why the guest trapped, if a trap is the reason.
  std::optional<TrapCode> trap_code() const {
    if (reason() != StopReason::Trap) return std::nullopt;
    return static_cast<TrapCode>(stepwell_stop_trap_code(stop_));
  }
  /// The trap's message, if a trap is the reason.
  std::optional<std::string> trap_message() const {
    check();
    const char *message = stepwell_stop_trap_message(stop_);
    return message ? std::optional<std::string>(message) : std::nullopt;
  }
  /// The exception that is thrown, if that is the reason. It may be kept.
  std::optional<ExnRef> exception() const {
    check();
    stepwell_exception_t *exception = stepwell_stop_exception(stop_);
    return exception ? std::optional<ExnRef>(ExnRef(store_, exception)) : std::nullopt;
  }
  /// The module that the store has now, or of which there is another instance, if that is the reason.
  std::optional<Module> module() const { return wrap<Module>(stepwell_stop_module(stop_)); }
  /// The instance that has been made, if that is the reason.
  std::optional<Instance> instance() const { return wrap<Instance>(stepwell_stop_instance(stop_)); }
  /// The memory that has grown, if that is the reason.
  std::optional<Memory> memory() const { return wrap<Memory>(stepwell_stop_memory(stop_)); }
  /// How many pages it had before.
  std::uint64_t memory_old_size() const { return check(), stepwell_stop_memory_old_size(stop_); }
  /// The host function that is called, or returns, if that is the reason.
  std::optional<Func> host_func() const { return wrap<Func>(stepwell_stop_host_func(stop_)); }
  /// The module and name by which the guest that calls imports it, if it does.
  std::optional<std::pair<std::string, std::string>> host_import() const {
    check();
    const char *module = stepwell_stop_import_module(stop_);
    if (!module) return std::nullopt;
    return std::make_pair(std::string(module), std::string(stepwell_stop_import_name(stop_)));
  }
  /// What it is called with, or where it returns, its results.
  std::vector<Val> host_values() const {
    check();
    std::vector<wasm_val_t> raw(stepwell_stop_host_values(stop_, nullptr, 0));
    const std::size_t count = std::min(raw.size(), stepwell_stop_host_values(stop_, raw.data(), raw.size()));
    std::vector<Val> list;
    list.reserve(count);
    for (std::size_t i = 0; i < count; i++) list.emplace_back(store_, raw[i]);
    return list;
  }
  /// Whether it has failed, so that it has no results.
  bool host_failed() const { return check(), stepwell_stop_host_failed(stop_); }
  /// The frame that catches it; none if no frame does, or if no exception is the reason.
  std::optional<Frame> catching_frame() const {
    check();
    const stepwell_frame_t *frame = stepwell_stop_catching_frame(stop_);
    return frame ? std::optional<Frame>(Frame(store_, frame)) : std::nullopt;
  }
  /// The message of the trap that `Action::Trap` ends the guest with.
  Result<void> try_message(const std::string &message) {
    if (std::optional<Error> error = detail::no_c_string(message, "message")) return std::move(*error);
    if (!stepwell_stop_message_set(stop_, message.c_str())) return detail::last_error("setting a message");
    return {};
  }
  void message(const std::string &message) { try_message(message).value(); }
  /// Calls `wait()`, and lends the stop to other threads until that returns: they may do with it, one at a time, what the callback may,
  /// but call guests of the store. What `wait` throws is thrown again.
  template <class F> Result<void> try_serve(F &&wait) {
    detail::Wait<std::remove_reference_t<F>> env{wait, std::nullopt};
    return env.outcome(stepwell_stop_serve(stop_, env.call, &env));
  }
  template <class F> void serve(F &&wait) { try_serve(std::forward<F>(wait)).value(); }
  /// The state of the store as a core dump, a WebAssembly module in the format "Coredump": all instances with their memories and globals,
  /// all frames with their locals and operands.
  Result<std::vector<std::uint8_t>> try_core_dump() const {
    wasm_byte_vec_t dump = WASM_EMPTY_VEC;
    if (stepwell_error_t *error = stepwell_stop_core_dump(stop_, &dump)) return detail::take_error(error);
    const std::unique_ptr<wasm_byte_vec_t, detail::Deleter<wasm_byte_vec_delete>> guard(&dump);
    return std::vector<std::uint8_t>(dump.data, dump.data + dump.size);
  }
  std::vector<std::uint8_t> core_dump() const { return try_core_dump().value(); }
  /// Has the innermost frame go on with the instruction at an offset of its function, with the locals and operands that it has.
  Result<void> try_jump(std::size_t offset) { return detail::outcome(stepwell_stop_jump(stop_, offset)); }
  void jump(std::size_t offset) { try_jump(offset).value(); }
  /// Has the innermost frame return these values to its caller.
  Result<void> try_return_early(Span<const Val> values) {
    std::vector<wasm_val_t> given = detail::raw_values(values);
    const wasm_val_vec_t vec = {given.size(), given.data()};
    return detail::outcome(stepwell_stop_return_early(stop_, &vec));
  }
  Result<void> try_return_early(std::initializer_list<Val> values) {
    return try_return_early(Span<const Val>(values.begin(), values.size()));
  }
  void return_early(Span<const Val> values) { try_return_early(values).value(); }
  void return_early(std::initializer_list<Val> values) { try_return_early(values).value(); }
  /// What to answer so that the guest stops once so many frames are left: at the next instruction of the frame of that index.
  Result<Action> try_step_out_of(std::size_t frames) {
    return answer(Action::StepOutOf, stepwell_stop_step_out_of_set(stop_, frames));
  }
  Action step_out_of(std::size_t frames) { return try_step_out_of(frames).value(); }
  /// What to answer so that the guest stops at an instruction of the innermost frame's function, in that frame, or in its caller once it
  /// returns. It takes the place of what was said before.
  Result<Action> try_run_to_offset(std::size_t offset) {
    return answer(Action::RunTo, stepwell_stop_run_to_offset_set(stop_, offset));
  }
  Action run_to_offset(std::size_t offset) { return try_run_to_offset(offset).value(); }
  /// The same for a line of the file that the frame is in: wherever a statement of it begins in the function.
  Result<Action> try_run_to_line(std::uint32_t line) {
    return answer(Action::RunTo, stepwell_stop_run_to_line_set(stop_, line));
  }
  Action run_to_line(std::uint32_t line) { return try_run_to_line(line).value(); }
  /// The store.
  Store store() const { return check(), Store(store_); }
  /// Sets a breakpoint, as `Debugger` does; it takes effect before the guest goes on.
  Result<Breakpoint> try_break_at(const Module &module, std::size_t offset) const;
  Breakpoint break_at(const Module &module, std::size_t offset) const { return try_break_at(module, offset).value(); }

  stepwell_stop_t *raw() const noexcept { return stop_; }

private:
  template <class T, class C> std::optional<T> wrap(C *owned) const {
    if (owned) return T(store_, owned);
    check();
    return std::nullopt;
  }
  static Result<Action> answer(Action action, stepwell_error_t *error) {
    if (error) return detail::take_error(error);
    return action;
  }
  [[noreturn]] static void over() { detail::last_error("looking at a stop").raise(); }
  void check() const {
    if (stepwell_stop_reason(stop_) == 0) over();
  }
  stepwell_stop_t *stop_;
  detail::StorePtr store_;
  std::weak_ptr<detail::DebuggerBox> debugger_;
};

namespace detail {

/// Ends a guest because its stop callback failed. The call that runs it keeps what it failed with.
inline void end_at_stop(stepwell_stop_t *stop, Thrown thrown, CallScope *scope) noexcept {
  std::string message = thrown.error.what(); // up to a NUL, if there is one
  if (stepwell_stop_reason(stop) == STEPWELL_STOP_TRAP) {
    if (const char *text = stepwell_stop_trap_message(stop)) message = text; // it ends by its own trap
  } else if (!stepwell_stop_message_set(stop, message.c_str())) {
    message = "a stop callback failed";
    stepwell_stop_message_set(stop, message.c_str());
    stepwell_last_error_clear();
  }
  if (scope) scope->keep(std::move(thrown), std::move(message));
}

template <class F> struct StopFunction : StopEnv {
  F function;
  explicit StopFunction(F f) : function(std::move(f)) {}

  static stepwell_action_t call(void *env, stepwell_stop_t *stop) noexcept {
    auto *self = static_cast<StopFunction *>(static_cast<StopEnv *>(env));
    if (self->closed) return STEPWELL_ACTION_CONTINUE;
    const StorePtr store = self->store.lock();
    Action action = Action::Continue;
    std::optional<Thrown> thrown = no_further([&]() -> std::optional<Error> {
      Stop wrapped(stop, store, self->debugger);
      using Return = decltype(self->function(wrapped));
      if constexpr (std::is_void_v<Return>) {
        self->function(wrapped);
      } else if constexpr (IsResult<Return>::value) {
        const Return result = self->function(wrapped);
        if (!result) return result.error();
        if constexpr (!std::is_void_v<typename IsResult<Return>::Value>) action = result.value();
      } else {
        action = self->function(wrapped);
      }
      return std::nullopt;
    });
    if (thrown) {
      end_at_stop(stop, std::move(*thrown), CallScope::find(store.get()));
      action = Action::Trap;
    }
    return static_cast<stepwell_action_t>(action);
  }
  static void finalize(void *env) noexcept { delete static_cast<StopFunction *>(static_cast<StopEnv *>(env)); }
};

/// A condition that is asked for.
template <class F> struct ConditionFunction : StopEnv {
  F function;
  explicit ConditionFunction(F f) : function(std::move(f)) {}

  static void call(void *env, stepwell_stop_t *stop, stepwell_outcome_t *outcome) noexcept {
    auto *self = static_cast<ConditionFunction *>(static_cast<StopEnv *>(env));
    const StorePtr store = self->store.lock();
    bool holds = false;
    std::optional<Thrown> thrown = no_further([&]() -> std::optional<Error> {
      Stop wrapped(stop, store, self->debugger);
      holds = self->function(wrapped);
      return std::nullopt;
    });
    if (thrown) {
      std::string text = thrown->error.what(); // up to a NUL, if there is one
      const wasm_message_t message = {text.size() + 1, &text[0]};
      outcome->trap = wasm_trap_new(stepwell_stop_store(stop), &message);
      if (!outcome->trap) die("no trap could be made for a condition that failed");
      if (CallScope *scope = CallScope::find(store.get())) scope->keep(std::move(*thrown), stepwell_trap_message(outcome->trap));
    }
    outcome->value = holds;
    outcome->done = 1;
  }
  static void finalize(void *env) noexcept { delete static_cast<ConditionFunction *>(static_cast<StopEnv *>(env)); }
};

/// Sets a breakpoint: `set(debugger, &id)`.
template <class Set> Result<Breakpoint> set_breakpoint(const std::shared_ptr<DebuggerBox> &box, Set &&set) {
  stepwell_breakpoint_t id = 0;
  if (stepwell_error_t *error = set(box->debugger, &id)) return take_error(error);
  return Breakpoint(box, id);
}

/// The same in a module.
template <class Set> Result<Breakpoint> set_breakpoint(const std::shared_ptr<DebuggerBox> &box, const Module &module, Set &&set) {
  if (!module.valid()) return moved_from(Module::class_name);
  return set_breakpoint(box, std::forward<Set>(set));
}

} // namespace detail

/// Breakpoints that are prepared once and set in many stores: what names and lines mean is looked up when they are added.
/// Thread: any; several at once as long as nothing is added.
class BreakpointSet {
public:
  static constexpr const char *class_name = "BreakpointSet";
  BreakpointSet() : ptr_(stepwell_breakpoint_set_new()) {}
  /// From C, which gives it up.
  explicit BreakpointSet(stepwell_breakpoint_set_t *owned) noexcept : ptr_(owned) {}

  bool valid() const noexcept { return ptr_ != nullptr; }
  /// How many breakpoints it has.
  std::size_t count() const noexcept { return valid() ? stepwell_breakpoint_set_count(raw()) : 0; }
  /// Adds one at an instruction of a module, as `Debugger::break_at` sets one.
  Result<void> try_add(const Module &module, std::size_t offset) {
    return added(module, [&] { return stepwell_breakpoint_set_add(raw(), module.raw(), offset); });
  }
  void add(const Module &module, std::size_t offset) { try_add(module, offset).value(); }
  /// As `Debugger::break_at_function`.
  Result<void> try_add_at_function(const Module &module, const std::string &name) {
    if (std::optional<Error> error = detail::no_c_string(name, "name")) return std::move(*error);
    return added(module, [&] { return stepwell_breakpoint_set_add_at_function(raw(), module.raw(), name.c_str()); });
  }
  void add_at_function(const Module &module, const std::string &name) { try_add_at_function(module, name).value(); }
  /// As `Debugger::break_at_line`.
  Result<void> try_add_at_line(const Module &module, const std::string &file, std::uint32_t line, std::uint32_t column = 0) {
    if (std::optional<Error> error = detail::no_c_string(file, "file")) return std::move(*error);
    return added(module, [&] { return stepwell_breakpoint_set_add_at_line(raw(), module.raw(), file.c_str(), line, column); });
  }
  void add_at_line(const Module &module, const std::string &file, std::uint32_t line, std::uint32_t column = 0) {
    try_add_at_line(module, file, line, column).value();
  }
  /// As `Debugger::break_at_function_index`.
  Result<void> try_add_at_function_index(const Module &module, std::uint32_t index) {
    return added(module, [&] { return stepwell_breakpoint_set_add_at_function_index(raw(), module.raw(), index); });
  }
  void add_at_function_index(const Module &module, std::uint32_t index) { try_add_at_function_index(module, index).value(); }
  stepwell_breakpoint_set_t *raw() const noexcept { return ptr_.get(); }

private:
  template <class F> Result<void> added(const Module &module, F add) {
    if (!valid()) return detail::moved_from(class_name);
    if (!module.valid()) return detail::moved_from(Module::class_name);
    return detail::outcome(add());
  }

  detail::Owned<stepwell_breakpoint_set_t, stepwell_breakpoint_set_delete> ptr_;
};

/// A debugger attached to one store; other stores never notice. It is detached when it goes; inside a callback of its store, when
/// the outermost call has returned, and its callback is not called any more until then. Thread: with its store.
class Debugger {
public:
  static constexpr const char *class_name = "Debugger";
  /// Attaches to a store of an engine with `Config::debug(true)`. From the next call on, `on_stop(Stop &)` is
  /// called at every stop, on the guest's thread. Guests that run in the store go on in production code until they return
  /// (`Frame::is_production`); what they call is debug code. It returns an `Action`, or nothing to go on, or a `Result` of either. What it throws
  /// ends the guest, and is thrown again by the call that ran it.
  template <class F> static Result<Debugger> try_make(Store &store, F on_stop) {
    return try_make(store, std::move(on_stop), [](std::size_t, std::size_t) { return true; });
  }
  /// The same for modules that may have no debug code yet: `progress(done, total)` returns whether to go on; it may be called by another
  /// thread. Where it does not, or throws, the store is as it was.
  template <class F, class P> static Result<Debugger> try_make(Store &store, F on_stop, P &&progress) {
    if (!store.valid()) return detail::moved_from(Store::class_name);
    using Env = detail::StopFunction<F>;
    auto box = std::make_shared<detail::DebuggerBox>();
    auto env = std::make_unique<Env>(std::move(on_stop));
    env->store = store.box();
    env->debugger = box;
    box->store = store.box();
    box->env = env.get();
    using Progress = detail::Progress<std::remove_reference_t<P>>;
    Progress told{progress, std::nullopt};
    Result<void> attached = told.outcome(
        stepwell_debugger_attach_with_progress(store.raw(), Env::call, static_cast<detail::StopEnv *>(env.release()), Env::finalize,
                                               Progress::call, &told, &box->debugger));
    if (!attached) return attached.error();
    return Debugger(std::move(box));
  }
  template <class F> Debugger(Store &store, F on_stop) : Debugger(try_make(store, std::move(on_stop)).value()) {}
  template <class F, class P>
  Debugger(Store &store, F on_stop, P &&progress)
      : Debugger(try_make(store, std::move(on_stop), std::forward<P>(progress)).value()) {}
  Debugger(Debugger &&) noexcept = default;
  Debugger &operator=(Debugger &&) noexcept = default;

  bool valid() const noexcept { return box_ != nullptr; }
  /// Sets a breakpoint at the instruction at `offset` bytes from the start of `module`, or the next one in the same function:
  /// `Breakpoint::offset` says where. The module need not be instantiated yet.
  Result<Breakpoint> try_break_at(const Module &module, std::size_t offset) {
    if (!valid()) return detail::moved_from(class_name);
    return detail::set_breakpoint(box_, module, [&](stepwell_debugger_t *debugger, stepwell_breakpoint_t *id) {
      return stepwell_breakpoint_add(debugger, module.raw(), offset, id);
    });
  }
  Breakpoint break_at(const Module &module, std::size_t offset) { return try_break_at(module, offset).value(); }
  /// At the first instruction of every function that a name means: its name in the source, whole or from the start of one of its parts
  /// on, as the linker knew it, of the name section, or of an export.
  Result<Breakpoint> try_break_at_function(const Module &module, const std::string &name) {
    if (!valid()) return detail::moved_from(class_name);
    if (std::optional<Error> error = detail::no_c_string(name, "name")) return std::move(*error);
    return detail::set_breakpoint(box_, module, [&](stepwell_debugger_t *debugger, stepwell_breakpoint_t *id) {
      return stepwell_breakpoint_add_at_function(debugger, module.raw(), name.c_str(), id);
    });
  }
  Breakpoint break_at_function(const Module &module, const std::string &name) {
    return try_break_at_function(module, name).value();
  }
  /// The same in all modules of the store, and in those that come later.
  Result<Breakpoint> try_break_at_function(const std::string &name) {
    if (!valid()) return detail::moved_from(class_name);
    if (std::optional<Error> error = detail::no_c_string(name, "name")) return std::move(*error);
    return detail::set_breakpoint(box_, [&](stepwell_debugger_t *debugger, stepwell_breakpoint_t *id) {
      return stepwell_breakpoint_add_at_function(debugger, nullptr, name.c_str(), id);
    });
  }
  Breakpoint break_at_function(const std::string &name) { return try_break_at_function(name).value(); }
  /// At every place of a line of the source, or of the next one that has code: `Breakpoint::line` tells. `file` is a path as the compiler
  /// knew it, or the end of one. With a column other than 0, only what begins there, or at the next one of the line.
  Result<Breakpoint> try_break_at_line(const Module &module, const std::string &file, std::uint32_t line, std::uint32_t column = 0) {
    if (!valid()) return detail::moved_from(class_name);
    if (std::optional<Error> error = detail::no_c_string(file, "file")) return std::move(*error);
    return detail::set_breakpoint(box_, module, [&](stepwell_debugger_t *debugger, stepwell_breakpoint_t *id) {
      return stepwell_breakpoint_add_at_line(debugger, module.raw(), file.c_str(), line, column, id);
    });
  }
  Breakpoint break_at_line(const Module &module, const std::string &file, std::uint32_t line, std::uint32_t column = 0) {
    return try_break_at_line(module, file, line, column).value();
  }
  /// The same in all modules of the store, and in those that come later.
  Result<Breakpoint> try_break_at_line(const std::string &file, std::uint32_t line, std::uint32_t column = 0) {
    if (!valid()) return detail::moved_from(class_name);
    if (std::optional<Error> error = detail::no_c_string(file, "file")) return std::move(*error);
    return detail::set_breakpoint(box_, [&](stepwell_debugger_t *debugger, stepwell_breakpoint_t *id) {
      return stepwell_breakpoint_add_at_line(debugger, nullptr, file.c_str(), line, column, id);
    });
  }
  Breakpoint break_at_line(const std::string &file, std::uint32_t line, std::uint32_t column = 0) {
    return try_break_at_line(file, line, column).value();
  }
  /// At the first instruction of a function by its index, imports counted; of an import, at each call of it.
  Result<Breakpoint> try_break_at_function_index(const Module &module, std::uint32_t index) {
    if (!valid()) return detail::moved_from(class_name);
    return detail::set_breakpoint(box_, module, [&](stepwell_debugger_t *debugger, stepwell_breakpoint_t *id) {
      return stepwell_breakpoint_add_at_function_index(debugger, module.raw(), index, id);
    });
  }
  Breakpoint break_at_function_index(const Module &module, std::uint32_t index) {
    return try_break_at_function_index(module, index).value();
  }
  /// Breakpoints at instructions of a module, all or none, set in one edit of the machine code: many are set as fast as one.
  Result<std::vector<Breakpoint>> try_break_at_all(const Module &module, Span<const std::size_t> offsets) {
    if (!valid()) return detail::moved_from(class_name);
    if (!module.valid()) return detail::moved_from(Module::class_name);
    std::vector<stepwell_breakpoint_t> ids(offsets.size());
    if (stepwell_error_t *error = stepwell_breakpoint_add_all(raw(), module.raw(), offsets.data(), offsets.size(), ids.data())) {
      return detail::take_error(error);
    }
    std::vector<Breakpoint> list;
    list.reserve(ids.size());
    for (const stepwell_breakpoint_t id : ids) list.emplace_back(box_, id);
    return list;
  }
  std::vector<Breakpoint> break_at_all(const Module &module, Span<const std::size_t> offsets) {
    return try_break_at_all(module, offsets).value();
  }
  /// All breakpoints of a set, or none, in one edit of the machine code.
  Result<std::vector<Breakpoint>> try_break_at_set(const BreakpointSet &set) {
    if (!valid()) return detail::moved_from(class_name);
    if (!set.valid()) return detail::moved_from(BreakpointSet::class_name);
    std::vector<stepwell_breakpoint_t> ids(set.count());
    if (stepwell_error_t *error = stepwell_breakpoint_add_set(raw(), set.raw(), ids.data())) return detail::take_error(error);
    std::vector<Breakpoint> list;
    list.reserve(ids.size());
    for (const stepwell_breakpoint_t id : ids) list.emplace_back(box_, id);
    return list;
  }
  std::vector<Breakpoint> break_at_set(const BreakpointSet &set) { return try_break_at_set(set).value(); }
  /// Removes breakpoints, all or none, in one edit of the machine code.
  Result<void> try_remove_all(Span<const Breakpoint> breakpoints) {
    if (!valid()) return detail::moved_from(class_name);
    std::vector<stepwell_breakpoint_t> ids;
    ids.reserve(breakpoints.size());
    for (const Breakpoint &breakpoint : breakpoints) ids.push_back(breakpoint.id());
    return detail::outcome(stepwell_breakpoint_remove_all(raw(), ids.data(), ids.size()));
  }
  void remove_all(Span<const Breakpoint> breakpoints) { try_remove_all(breakpoints).value(); }
  /// Has writes of a mutable global stop the guest, behind the instruction that writes, or behind the call of the host function that has.
  Result<Watchpoint> try_watch_global(const Global &global, WatchKind kind = WatchKind::Change) {
    if (!valid()) return detail::moved_from(class_name);
    if (!global.valid()) return detail::moved_from(Global::class_name);
    stepwell_watchpoint_t id = 0;
    if (stepwell_error_t *error = stepwell_debugger_watch_global(raw(), global.raw(), static_cast<stepwell_watch_kind_t>(kind), &id)) {
      return detail::take_error(error);
    }
    return Watchpoint(box_, id);
  }
  Watchpoint watch_global(const Global &global, WatchKind kind = WatchKind::Change) { return try_watch_global(global, kind).value(); }
  /// Has accesses of `size` bytes of a memory from `offset` on stop the guest, behind the instruction that accesses any of them.
  Result<Watchpoint> try_watch_memory(const Memory &memory, std::uint64_t offset, std::uint64_t size, WatchKind kind = WatchKind::Change) {
    if (!valid()) return detail::moved_from(class_name);
    if (!memory.valid()) return detail::moved_from(Memory::class_name);
    stepwell_watchpoint_t id = 0;
    if (stepwell_error_t *error = stepwell_debugger_watch_memory(raw(), memory.raw(), offset, size, static_cast<stepwell_watch_kind_t>(kind), &id)) {
      return detail::take_error(error);
    }
    return Watchpoint(box_, id);
  }
  Watchpoint watch_memory(const Memory &memory, std::uint64_t offset, std::uint64_t size, WatchKind kind = WatchKind::Change) {
    return try_watch_memory(memory, offset, size, kind).value();
  }
  /// Has writes of a local of a frame, parameters first, stop the guest, behind the instruction that writes. Other frames of the same function
  /// have locals of their own. The watchpoint is removed with the frame, which `WatchHit::is_end` tells where a guest goes on then.
  Result<Watchpoint> try_watch_local(const Frame &frame, std::size_t index, WatchKind kind = WatchKind::Change) {
    if (!valid()) return detail::moved_from(class_name);
    stepwell_watchpoint_t id = 0;
    if (stepwell_error_t *error = stepwell_debugger_watch_local(raw(), frame.raw(), index, static_cast<stepwell_watch_kind_t>(kind), &id)) {
      return detail::take_error(error);
    }
    return Watchpoint(box_, id);
  }
  Watchpoint watch_local(const Frame &frame, std::size_t index, WatchKind kind = WatchKind::Change) {
    return try_watch_local(frame, index, kind).value();
  }
  /// Watches a variable of the source where it is now: in memory, in a local or in a global. A parameter or a variable of a block ends with its
  /// frame, as by `watch_local`; a static variable does not, nor does what a pointer points to.
  Result<Watchpoint> try_watch_variable(const Variable &variable, WatchKind kind = WatchKind::Change) {
    if (!valid()) return detail::moved_from(class_name);
    if (!variable.valid()) return detail::moved_from(Variable::class_name);
    stepwell_watchpoint_t id = 0;
    if (stepwell_error_t *error = stepwell_debugger_watch_variable(raw(), variable.raw(), static_cast<stepwell_watch_kind_t>(kind), &id)) {
      return detail::take_error(error);
    }
    return Watchpoint(box_, id);
  }
  Watchpoint watch_variable(const Variable &variable, WatchKind kind = WatchKind::Change) { return try_watch_variable(variable, kind).value(); }
  /// The watchpoints there are, in the order in which they were set.
  std::vector<Watchpoint> watchpoints() const {
    if (!valid()) detail::moved_from(class_name).raise();
    std::vector<Watchpoint> list;
    const std::size_t count = stepwell_debugger_watchpoint_count(raw());
    for (std::size_t i = 0; i < count; i++) list.emplace_back(box_, stepwell_debugger_watchpoint(raw(), i));
    return list;
  }
  /// With `on`, every instruction of every call stops from now on, whatever the callback answers.
  Result<void> try_step_always(bool on) {
    if (!valid()) return detail::moved_from(class_name);
    return detail::outcome(stepwell_debugger_step_always_set(raw(), on));
  }
  void step_always(bool on) { try_step_always(on).value(); }
  /// Which exceptions are stops from now on; none are at first.
  Result<void> try_stop_at_exceptions(ExceptionStops which) {
    if (!valid()) return detail::moved_from(class_name);
    return detail::outcome(stepwell_debugger_stop_at_exceptions_set(raw(), static_cast<stepwell_exception_stops_t>(which)));
  }
  void stop_at_exceptions(ExceptionStops which) { try_stop_at_exceptions(which).value(); }
  /// Which events are stops from now on; at first traps alone. What runs within the callback is not told of by them, but for traps.
  Result<void> try_events(Event events) {
    if (!valid()) return detail::moved_from(class_name);
    return detail::outcome(stepwell_debugger_events_set(raw(), static_cast<stepwell_events_t>(events)));
  }
  void events(Event events) { try_events(events).value(); }
  Event events() const {
    if (!valid()) detail::moved_from(class_name).raise();
    return static_cast<Event>(stepwell_debugger_events(raw()));
  }
  std::size_t breakpoint_count() const {
    if (!valid()) detail::moved_from(class_name).raise();
    return stepwell_debugger_breakpoint_count(raw());
  }
  /// Notes from now on what of a module is reached; without one, of all modules that the store has and will have. It
  /// needs an engine whose debug code is `DebugTier::Blocks` (or `Simple`).
  Result<void> try_cover(const Module *module = nullptr) {
    if (!valid()) return detail::moved_from(class_name);
    if (module && !module->valid()) return detail::moved_from("Module");
    return detail::outcome(stepwell_debugger_cover(raw(), module ? module->raw() : nullptr));
  }
  void cover(const Module *module = nullptr) { try_cover(module).value(); }
  /// The blocks of a module, by their offsets, with what has been reached; none where `cover` was not asked for it.
  std::vector<stepwell_covered_block_t> coverage(const Module &module) const {
    if (!valid()) detail::moved_from(class_name).raise();
    if (!module.valid()) detail::moved_from("Module").raise();
    return detail::all_rows<stepwell_covered_block_t>([&](stepwell_covered_block_t *out, std::size_t capacity) {
      return stepwell_debugger_coverage(raw(), module.raw(), out, capacity);
    });
  }
  /// The sides of a module's branches, branch by branch, with which of them were taken; none where `cover` was not asked
  /// for it, and none in debug code of the kind `DebugTier::Simple`.
  std::vector<stepwell_covered_side_t> coverage_branches(const Module &module) const {
    if (!valid()) detail::moved_from(class_name).raise();
    if (!module.valid()) detail::moved_from("Module").raise();
    return detail::all_rows<stepwell_covered_side_t>([&](stepwell_covered_side_t *out, std::size_t capacity) {
      return stepwell_debugger_coverage_branches(raw(), module.raw(), out, capacity);
    });
  }
  /// What has been reached of the lines, functions and branches of the sources, in the format of lcov's tracefiles.
  Result<std::string> try_lcov() const {
    if (!valid()) return detail::moved_from(class_name);
    wasm_byte_vec_t text = WASM_EMPTY_VEC;
    if (stepwell_error_t *error = stepwell_debugger_coverage_lcov(raw(), &text)) return detail::take_error(error);
    std::string copy(text.data, text.size);
    wasm_byte_vec_delete(&text);
    return copy;
  }
  std::string lcov() const { return try_lcov().value(); }

  /// The stop at which a call's guest stands, for which the callback has said `Action::Later`. All that can be done with a stop in its
  /// callback can be done with it. An error where it stands at none.
  Result<Stop> try_stop_of(const Call &call) const {
    if (!valid()) return detail::moved_from(class_name);
    if (!call.valid()) return detail::moved_from(Call::class_name);
    stepwell_stop_t *stop = stepwell_debugger_stop_of(raw(), call.raw());
    if (!stop) return detail::last_error("asking for the stop of a call");
    return Stop(stop, box_->store, box_);
  }
  Stop stop_of(const Call &call) const { return try_stop_of(call).value(); }
  /// Says what a call's guest that stands at a stop is to do when the call is run next. What was said last counts; nothing is
  /// `Action::Continue`.
  Result<void> try_answer(const Call &call, Action action) const {
    if (!valid()) return detail::moved_from(class_name);
    if (!call.valid()) return detail::moved_from(Call::class_name);
    return detail::outcome(stepwell_debugger_answer(raw(), call.raw(), static_cast<stepwell_action_t>(action)));
  }
  void answer(const Call &call, Action action) const { try_answer(call, action).value(); }

  stepwell_debugger_t *raw() const noexcept { return box_ ? box_->debugger : nullptr; }

private:
  explicit Debugger(std::shared_ptr<detail::DebuggerBox> box) noexcept : box_(std::move(box)) {}
  std::shared_ptr<detail::DebuggerBox> box_;
};

/// Has guests that compute in a debugger's store stop, from other threads. It may outlive both. Thread: any.
class Pauser {
public:
  static constexpr const char *class_name = "Pauser";
  static Result<Pauser> try_make(const Debugger &debugger) {
    if (!debugger.valid()) return detail::moved_from(Debugger::class_name);
    stepwell_pauser_t *pauser = nullptr;
    if (stepwell_error_t *error = stepwell_pauser_new(debugger.raw(), &pauser)) return detail::take_error(error);
    return Pauser(pauser);
  }
  explicit Pauser(const Debugger &debugger) : Pauser(try_make(debugger).value()) {}
  /// From C, which gives it up.
  explicit Pauser(stepwell_pauser_t *owned) noexcept : ptr_(owned) {}

  bool valid() const noexcept { return ptr_ != nullptr; }
  /// Has the guest that computes stop, with `StopReason::Pause`; if none runs, the next one. False where the system refuses to have it
  /// stop before its next stop of another kind. A signal handler may call it.
  bool pause() const {
    if (!valid()) detail::moved_from(class_name).raise();
    return stepwell_pauser_pause(raw());
  }
  /// Takes a pause back that no guest has stopped for yet.
  void cancel() const {
    if (!valid()) detail::moved_from(class_name).raise();
    stepwell_pauser_cancel(raw());
  }
  stepwell_pauser_t *raw() const noexcept { return ptr_.get(); }

private:
  detail::Owned<stepwell_pauser_t, stepwell_pauser_delete> ptr_;
};

namespace detail {

/// What a store calls for an attacher.
template <class F> struct AttachFunction {
  F function;
  std::weak_ptr<StoreBox> store;

  static void call(void *env, stepwell_outcome_t *outcome) noexcept {
    auto *self = static_cast<AttachFunction *>(env);
    const StorePtr store = self->store.lock();
    std::optional<Thrown> thrown = no_further([&]() -> std::optional<Error> {
      using Return = decltype(self->function());
      if constexpr (IsResult<Return>::value) {
        const Return result = self->function();
        if (!result) return result.error();
      } else {
        self->function();
      }
      return std::nullopt;
    });
    if (thrown && store) {
      std::string text = thrown->error.what(); // up to a NUL, if there is one
      const wasm_message_t message = {text.size() + 1, &text[0]};
      outcome->trap = wasm_trap_new(store->store, &message);
      if (!outcome->trap) die("no trap could be made for an attach callback that failed");
      if (CallScope *scope = CallScope::find(store.get())) scope->keep(std::move(*thrown), stepwell_trap_message(outcome->trap));
    }
    outcome->done = 1;
  }
  static void finalize(void *env) noexcept { delete static_cast<AttachFunction *>(env); }
};

} // namespace detail

/// Has a store call `on_attach()`, on the thread that uses it, when another thread or a signal handler asks: there it attaches a debugger,
/// whatever guests run. Where it is called in the middle of a guest, guests cannot be called. What it throws, or returns as a `Result`,
/// ends the guest. It may outlive the store.
class Attacher {
public:
  static constexpr const char *class_name = "Attacher";
  template <class F> static Result<Attacher> try_make(Store &store, F on_attach) {
    if (!store.valid()) return detail::moved_from(Store::class_name);
    using Env = detail::AttachFunction<F>;
    auto env = std::unique_ptr<Env>(new Env{std::move(on_attach), store.box()});
    stepwell_attacher_t *attacher = nullptr;
    if (stepwell_error_t *error = stepwell_attacher_new(store.raw(), Env::call, env.release(), Env::finalize, &attacher)) return detail::take_error(error);
    return Attacher(attacher);
  }
  template <class F> Attacher(Store &store, F on_attach) : Attacher(try_make(store, std::move(on_attach)).value()) {}
  /// From C, which gives it up.
  explicit Attacher(stepwell_attacher_t *owned) noexcept : ptr_(owned) {}

  bool valid() const noexcept { return ptr_ != nullptr; }
  /// Has the store call, at the next of these: the host enters a guest; a host function returns to the guest; the guest begins a function
  /// or a turn of a loop, where the engine has `Config::epoch(true)`. Twice before that is once. Thread: any; a signal handler may call it.
  void request() const {
    if (!valid()) detail::moved_from(class_name).raise();
    stepwell_attacher_request(raw());
  }
  /// Takes a request back for which the store has not begun to call. Thread: any.
  void cancel() const {
    if (!valid()) detail::moved_from(class_name).raise();
    stepwell_attacher_cancel(raw());
  }
  stepwell_attacher_t *raw() const noexcept { return ptr_.get(); }

private:
  detail::Owned<stepwell_attacher_t, stepwell_attacher_delete> ptr_;
};

/// What debuggers of other programs speak.
enum class Protocol {
  /// gdb's remote protocol with what LLDB adds for WebAssembly.
  Gdb = STEPWELL_PROTOCOL_GDB,
  /// The Debug Adapter Protocol, which editors speak.
  Dap = STEPWELL_PROTOCOL_DAP,
};

/// What becomes of guests when their debugger is gone without a word. What it has set goes in any case.
enum class OnDisconnect {
  /// Those that stand go on.
  GoOn = STEPWELL_ON_DISCONNECT_GO_ON,
  /// Those that stand do so until another one comes.
  Wait = STEPWELL_ON_DISCONNECT_WAIT,
  /// Those that stand or run end with a trap; where none runs, the next one does.
  EndGuests = STEPWELL_ON_DISCONNECT_END_GUESTS,
};

/// Where output went.
enum class OutputStream { Out = STEPWELL_OUTPUT_OUT, Err = STEPWELL_OUTPUT_ERR, Host = STEPWELL_OUTPUT_HOST };

/// How a store is served to debuggers of other programs.
struct ServeOptions {
  /// `ADDR:PORT`, or `PORT` alone for 127.0.0.1; 0 is any that is free.
  std::string tcp = "0";
  /// Instead, a Unix socket of this path.
  std::string unix_path = {};
  /// Instead, one debugger at these descriptors, of which the first is read and the second written.
  std::optional<std::pair<int, int>> descriptors = {};
  Protocol protocol = Protocol::Gdb;
  /// What they have to send first, as a line `stepwell TOKEN`. Where others than this machine can come, one is needed.
  std::optional<std::string> token = {};
  /// Whether the first guest stands at its first instruction until a debugger has come and has it go on.
  bool wait = false;
  OnDisconnect on_disconnect = OnDisconnect::GoOn;
  /// The store's name, for people.
  std::string name = {};
};

/// A store that debuggers of other programs come to, one at a time. All goes on by itself: at a stop the guest's thread waits, inside of the
/// call that has entered the guest. It is stopped when it is dropped; where no guest runs, the store runs production code again.
class Server {
public:
  static constexpr const char *class_name = "Server";
  static Result<Server> try_make(Store &store, const ServeOptions &options = {}) {
    if (!store.valid()) return detail::moved_from(Store::class_name);
    detail::Owned<stepwell_serve_options_t, stepwell_serve_options_delete> c(stepwell_serve_options_new());
    const std::pair<const std::string *, const char *> texts[] = {
        {&options.tcp, "tcp"}, {&options.unix_path, "unix_path"}, {&options.name, "name"}, {options.token ? &*options.token : &options.name, "token"}};
    for (const auto &text : texts) {
      if (std::optional<Error> error = detail::no_c_string(*text.first, text.second)) return std::move(*error);
    }
    stepwell_error_t *error = stepwell_serve_options_tcp_set(c.get(), options.tcp.c_str());
    if (!error && !options.unix_path.empty()) error = stepwell_serve_options_unix_set(c.get(), options.unix_path.c_str());
    if (!error) error = stepwell_serve_options_protocol_set(c.get(), static_cast<stepwell_protocol_t>(options.protocol));
    if (!error) error = stepwell_serve_options_token_set(c.get(), options.token ? options.token->c_str() : nullptr);
    if (!error) error = stepwell_serve_options_on_disconnect_set(c.get(), static_cast<stepwell_on_disconnect_t>(options.on_disconnect));
    if (!error) error = stepwell_serve_options_name_set(c.get(), options.name.c_str());
    if (error) return detail::take_error(error);
    if (options.descriptors) stepwell_serve_options_descriptors_set(c.get(), options.descriptors->first, options.descriptors->second);
    stepwell_serve_options_wait_set(c.get(), options.wait);
    stepwell_server_t *server = nullptr;
    error = stepwell_debugger_serve(store.raw(), c.get(), &server);
    if (error) return detail::take_error(error);
    return Server(server);
  }
  explicit Server(Store &store, const ServeOptions &options = {}) : Server(try_make(store, options).value()) {}
  /// From C, which gives it up.
  explicit Server(stepwell_server_t *owned) noexcept : ptr_(owned) {}

  bool valid() const noexcept { return ptr_ != nullptr; }
  /// Where debuggers come: the address with its port, or the path of the socket.
  std::string address() const { return stepwell_server_address(need()); }
  /// Waits until a debugger has come, for so long at most; whether one is there. Thread: any.
  bool wait(std::chrono::milliseconds most = std::chrono::milliseconds::max()) const {
    const bool for_ever = most == std::chrono::milliseconds::max();
    const auto count = most.count() < 0 ? 0 : most.count();
    return stepwell_server_wait(need(), for_ever ? UINT64_MAX : static_cast<std::uint64_t>(count));
  }
  /// Ends it. Thread: any.
  void stop() const { stepwell_server_stop(need()); }
  /// Tells the debugger what the guest, or the host, has written. It never waits. Thread: any.
  void output(OutputStream stream, Span<const char> bytes) const {
    stepwell_server_output(need(), static_cast<stepwell_output_t>(stream), reinterpret_cast<const byte_t *>(bytes.data()), bytes.size());
  }
  /// Tells the debugger that the program has ended, which only the host knows. Thread: any.
  void exited(int status) const { stepwell_server_exited(need(), status); }
  /// The same, with a trap. Up to a NUL, if there is one. Thread: any.
  void trapped(const std::string &message) const { stepwell_server_trapped(need(), message.c_str()); }
  /// Says which file a module is from: a debugger that can open it reads it there, with the debug information that stands beside it.
  Result<void> try_module_file(const Module &module, const std::string &path) const {
    if (!valid()) return detail::moved_from(class_name);
    if (!module.valid()) return detail::moved_from(Module::class_name);
    if (std::optional<Error> error = detail::no_c_string(path, "path")) return std::move(*error);
    return detail::outcome(stepwell_server_module_file_set(raw(), module.raw(), path.c_str()));
  }
  void module_file(const Module &module, const std::string &path) const { try_module_file(module, path).value(); }
  stepwell_server_t *raw() const noexcept { return ptr_.get(); }

private:
  stepwell_server_t *need() const {
    if (!valid()) detail::moved_from(class_name).raise();
    return ptr_.get();
  }
  detail::Owned<stepwell_server_t, stepwell_server_delete> ptr_;
};

/// Stops that wait for another thread to look at them and answer: given to a `Debugger` in the place of a callback. Copies are of the
/// same queue. Thread: any.
class StopQueue {
public:
  StopQueue() : state_(std::make_shared<State>()) {}

  /// What a debugger calls: waits, on the guest's thread, until the stop is answered.
  Action operator()(Stop &stop) {
    Entry entry{&stop, std::nullopt};
    const std::shared_ptr<State> state = state_;
    stop.serve([&] {
      std::unique_lock<std::mutex> lock(state->mutex);
      if (state->closed) return;
      state->waiting.push_back(&entry);
      state->changed.notify_all();
      state->changed.wait(lock, [&] { return entry.answer.has_value() || state->closed; });
      state->drop(&entry);
    });
    return entry.answer.value_or(Action::Continue);
  }
  /// The stop that has waited longest, or the next one; none if none came in time, or the queue was closed. Until it is answered, threads
  /// may do with it, one at a time, what a stop callback may, but call guests of its store.
  template <class Rep, class Period> std::optional<Stop> next(std::chrono::duration<Rep, Period> time) {
    std::unique_lock<std::mutex> lock(state_->mutex);
    if (!state_->changed.wait_for(lock, time, [&] { return state_->ready(); })) return std::nullopt;
    return state_->take();
  }
  std::optional<Stop> next() {
    std::unique_lock<std::mutex> lock(state_->mutex);
    state_->changed.wait(lock, [&] { return state_->ready(); });
    return state_->take();
  }
  /// Answers a stop that `next` has given: its guest goes on. False where it does not wait for an answer.
  bool answer(const Stop &stop, Action action = Action::Continue) {
    const std::lock_guard<std::mutex> lock(state_->mutex);
    for (Entry *entry : state_->taken) {
      if (entry->stop->raw() != stop.raw()) continue;
      entry->answer = action;
      state_->drop(entry);
      state_->changed.notify_all();
      return true;
    }
    return false;
  }
  /// Who waits for a stop is told that none comes; guests whose stops wait go on, and do so at each later stop.
  void close() {
    const std::lock_guard<std::mutex> lock(state_->mutex);
    state_->closed = true;
    state_->changed.notify_all();
  }

private:
  struct Entry {
    Stop *stop;
    std::optional<Action> answer;
  };
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<Entry *> waiting;
    std::vector<Entry *> taken;
    bool closed = false;

    bool ready() const { return closed || !waiting.empty(); }
    std::optional<Stop> take() {
      if (closed) return std::nullopt;
      Entry *entry = waiting.front();
      waiting.pop_front();
      taken.push_back(entry);
      return *entry->stop;
    }
    void drop(Entry *entry) {
      waiting.erase(std::remove(waiting.begin(), waiting.end(), entry), waiting.end());
      taken.erase(std::remove(taken.begin(), taken.end(), entry), taken.end());
    }
  };
  std::shared_ptr<State> state_;
};

template <class F> Result<void> Breakpoint::try_condition_callback(F holds) const {
  const auto box = debugger_.lock();
  if (!box) return Error(ErrorCode::State, "the debugger of breakpoint " + std::to_string(id_) + " is gone");
  using Env = detail::ConditionFunction<F>;
  auto env = std::make_unique<Env>(std::move(holds));
  env->store = box->store;
  env->debugger = box;
  return detail::outcome(stepwell_breakpoint_condition_guarded_set(
      box->debugger, id_, Env::call, static_cast<detail::StopEnv *>(env.release()), Env::finalize));
}

inline Result<Breakpoint> Stop::try_break_at(const Module &module, std::size_t offset) const {
  const auto box = debugger_.lock();
  if (!box || !valid()) return Error(ErrorCode::State, "the stop is over, or its debugger is gone");
  return detail::set_breakpoint(box, module, [&](stepwell_debugger_t *debugger, stepwell_breakpoint_t *id) {
    return stepwell_breakpoint_add(debugger, module.raw(), offset, id);
  });
}

} // inline namespace STEPWELL_HPP_NAMESPACE
} // namespace stepwell

#undef STEPWELL_HPP_OBJECT
#endif /* STEPWELL_HPP */
