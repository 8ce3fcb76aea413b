// Coroutines that await calls, with hosts of all manners: that answer later, at once, never, wrongly, or end the coroutine.
#include "check.hpp"

#include <deque>
#include <functional>
#include <map>
#include <stdexcept>
#include <thread>

#if !defined(STEPWELL_HPP_COROUTINES)
#error "this is compiled where there are coroutines"
#endif

using namespace stepwell;

namespace {

struct Mine : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A coroutine that begins at once, and is ended with this.
class Task {
public:
  struct promise_type {
    std::exception_ptr failed;
    Task get_return_object() { return Task(std::coroutine_handle<promise_type>::from_promise(*this)); }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { failed = std::current_exception(); }
  };
  explicit Task(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  Task(Task &&other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task &operator=(Task &&other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Task() {
    if (handle_) handle_.destroy();
  }
  bool done() const { return handle_.done(); }
  void check() const {
    CHECK(done());
    if (handle_.promise().failed) std::rethrow_exception(handle_.promise().failed);
  }

private:
  std::coroutine_handle<promise_type> handle_;
};

struct Guest {
  Store store;
  Instance instance;
  explicit Guest(const Engine &engine) : Guest(engine, [](std::int32_t n) -> Result<std::int32_t> { return NotYet(std::uint64_t(n)); }) {}
  template <class F> Guest(const Engine &engine, F later) : store(engine), instance(make(engine, store, std::move(later))) {}
  Call call(const char *name, std::int32_t n) const { return Call(instance.func(name), n); }

private:
  template <class F> static Instance make(const Engine &engine, Store &store, F later) {
    Linker linker(engine);
    linker.func("host", "later", std::move(later));
    return linker.instantiate(store, Module(store, bytes(SUSPENDED)));
  }
};

/// A host that keeps what waits.
struct Waiting {
  std::deque<Pending> list;
  void operator()(Pending pending) { list.push_back(std::move(pending)); }
  Pending take() {
    CHECK(!list.empty());
    Pending first = std::move(list.front());
    list.pop_front();
    return first;
  }
};

template <class Host> Task twice(Call call, Host &host, std::int32_t &result) {
  const std::vector<Val> results = co_await call.finished(host);
  result = results.at(0).i32();
}

/// Many coroutines, answered in turn.
void many() {
  Engine engine;
  Guest guest(engine);
  Waiting host;
  std::vector<std::int32_t> results(20);
  std::vector<Task> tasks;
  for (std::int32_t i = 0; i < 20; i++) tasks.push_back(twice(guest.call("twice", i), host, results[std::size_t(i)]));
  CHECK(host.list.size() == 20);
  while (!host.list.empty()) {
    Pending pending = host.take();
    const Pending copy = pending;
    CHECK(pending.valid() && pending.status() == CallStatus::Waiting && pending.call().token() == pending.token());
    FAILS(pending.try_answer(1.5), ErrorCode::Argument, "f64"); // it waits still
    FAILS(pending.try_answer(), ErrorCode::Argument, "0 results");
    CHECK(pending.valid());
    pending.answer(std::int32_t(pending.token()));
    CHECK(!pending.valid() && !copy.valid());
    copy.answer(99); // it was answered: nothing
    copy.go_on();
    copy.answer_trap(Trap("late"));
    THROWS(copy.call(), Error, "no coroutine waits");
  }
  for (std::size_t i = 0; i < 20; i++) {
    tasks[i].check();
    CHECK(results[i] == std::int32_t(10 * i + i + 10 * (i + 1) + i + 1));
  }
}

/// Answers that are there at once, and a call that need not wait: no coroutine is suspended, however many times.
void at_once() {
  Engine engine;
  Guest guest(engine);
  int asked = 0;
  const auto host = [&](const Pending &pending) {
    asked++;
    pending.answer(1);
    CHECK(!pending.valid());
    pending.answer(2);
  };
  std::int32_t result = 0;
  twice(guest.call("twice", 0), host, result).check();
  CHECK(result == 12 && asked == 2);
  twice(guest.call("plain", 0), host, result).check();
  CHECK(result == 1 && asked == 2);
  Call done = guest.call("plain", 5);
  CHECK(done.run() == CallStatus::Finished);
  twice(std::move(done), host, result).check();
  CHECK(result == 6);
  // A hundred thousand slices are no recursion.
  Engine slicing(Config().fuel(true).fuel_slices(true));
  Guest counter(slicing);
  counter.store.set_fuel(100'000'000);
  int slices = 0;
  const auto count = [](Call call, int &turns) -> Task {
    const auto at_end = [&](const Pending &pending) {
      turns++;
      CHECK(pending.status() == CallStatus::OutOfSlice && pending.token() == 0);
      pending.go_on();
    };
    CHECK((co_await call.finished(at_end, 10)).at(0).i32() == 200'000);
  };
  count(counter.call("count", 200'000), slices).check();
  CHECK(slices > 50'000);
}

/// How it can fail.
void failures() {
  Engine engine;
  Guest guest(engine);
  Waiting host;
  std::int32_t result = 0;
  Task task = twice(guest.call("twice", 1), host, result);
  host.take().answer_trap(std::make_exception_ptr(Mine("mine")));
  THROWS(task.check(), Mine, "mine");
  task = twice(guest.call("twice", 1), host, result);
  host.take().answer_trap(Trap("gone"));
  THROWS(task.check(), Trap, "gone");
  task = twice(guest.call("traps", 1), host, result);
  host.take().answer(0);
  THROWS(task.check(), Trap, "out of bounds");
  // As a `Result`.
  bool seen = false;
  const auto quiet = [](Call call, Waiting &waiting, bool &failed) -> Task {
    const Result<std::vector<Val>> results = co_await call.try_finished(waiting);
    CHECK(!results && results.error().is_trap());
    FAILS(co_await call.try_finished(waiting), ErrorCode::State, "no results");
    const Call moved = std::move(call);
    FAILS(co_await call.try_finished(waiting), ErrorCode::Argument, "moved from");
    failed = true;
  };
  task = quiet(guest.call("traps", 1), host, seen);
  host.take().answer(0);
  task.check();
  CHECK(seen);
  // The host itself, the first time and later; the guest waits still.
  for (const int good : {0, 1}) {
    int asked = 0;
    std::optional<Pending> kept;
    const auto broken = [&](const Pending &pending) {
      kept = pending;
      if (asked++ == good) throw Mine("host");
    };
    Call call = guest.call("twice", 1);
    task = twice(call.clone(), broken, result);
    if (good) kept->answer(1);
    THROWS(task.check(), Mine, "host");
    CHECK(call.status() == CallStatus::Waiting && !kept->valid());
  }
  // One that is awaited already.
  Call call = guest.call("twice", 1);
  task = twice(call.clone(), host, result);
  THROWS(twice(call.clone(), host, result).check(), Error, "not been answered");
  CHECK(host.list.size() == 1);
  host.take().answer(1);
  host.take().answer(1);
  task.check();
}

/// Coroutines that are ended while they wait, from everywhere.
void ended() {
  Engine engine;
  std::int32_t result = -1;
  std::optional<Task> task;
  bool end_inside = false;
  Guest guest(engine, [&](std::int32_t n) -> Result<std::int32_t> {
    if (end_inside) task.reset();
    return NotYet(std::uint64_t(n));
  });
  Waiting host;
  guest.store.call_limit(1);
  task.emplace(twice(guest.call("twice", 1), host, result));
  task.reset();
  Pending late = host.take();
  CHECK(!late.valid());
  late.answer(1);
  late.go_on();
  THROWS(late.call(), Error, "no coroutine waits");
  { // the guest has gone with it, unless somebody has its call
    Call call = guest.call("twice", 1);
    task.emplace(twice(call.clone(), host, result));
    task.reset();
    call.answer(1);
    CHECK(call.run() == CallStatus::Waiting);
  }
  host.list.clear();
  // By a host function, in the middle of the guest.
  task.emplace(twice(guest.call("twice", 1), host, result));
  end_inside = true;
  host.take().answer(1);
  CHECK(!task && host.list.empty());
  end_inside = false;
  // By the host, when it is told.
  int told = 0;
  std::optional<Call> left;
  const auto ends = [&](const Pending &pending) {
    if (told++ == 0) return host(pending);
    left = pending.call();
    task.reset();
    pending.answer(1);
    left->answer(1);
  };
  task.emplace(twice(guest.call("twice", 1), ends, result));
  host.take().answer(1);
  CHECK(!task && told == 2 && result == -1 && host.list.empty());
  CHECK(left->status() == CallStatus::Waiting && left->run() == CallStatus::Finished); // nobody has run it
  // A coroutine that ends another call's when it goes on.
  guest.store.call_limit(10);
  Task first = twice(guest.call("twice", 1), host, result);
  const auto waits_for_nobody = [](Call call, Waiting &waiting, Task other) -> Task {
    co_await call.finished(waiting);
    (void)other;
  };
  task.emplace(waits_for_nobody(guest.call("twice", 2), host, std::move(first)));
  Pending of_first = host.take();
  host.take().answer(1);
  host.take().answer(1);
  CHECK(task->done() && of_first.valid());
  task.reset(); // with its parameters
  CHECK(!of_first.valid());
  of_first.answer(1);
  CHECK(result == -1);
  // A coroutine whose store, instance and call are its own.
  const auto owner = [](const Engine &on, Waiting &waiting, std::int32_t &out) -> Task {
    Guest own(on);
    out = (co_await own.call("twice", 1).finished(waiting)).at(0).i32();
  };
  task.emplace(owner(engine, host, result));
  task.reset();
  host.take().answer(1);
  task.emplace(owner(engine, host, result));
  host.take().answer(1);
  host.take().answer(1);
  task->check();
  CHECK(result == 32);
}

/// Coroutines of coroutines: one goes on by another's, on a thread of the host's choice.
void threads() {
  Engine engine;
  Guest guest(engine);
  Waiting host;
  std::int32_t sum = 0;
  std::thread::id last;
  const auto all = [](const Guest &of, Waiting &waiting, std::int32_t &out, std::thread::id &on) -> Task {
    for (std::int32_t i = 0; i < 5; i++) out += (co_await of.call("twice", i).finished(waiting)).at(0).i32();
    on = std::this_thread::get_id();
  };
  Task task = all(guest, host, sum, last);
  for (int i = 0; i < 10; i++) {
    std::thread::id here;
    std::thread([&] {
      here = std::this_thread::get_id();
      host.take().answer(0);
      CHECK((i == 9) == (last == here));
    }).join();
  }
  task.check();
  CHECK(sum == 10 + 30 + 50 + 70 + 90);
}

/// Stops and deadlines are waits as well.
void stops_and_deadlines() {
  Engine engine(Config().debug(true).epoch(true));
  Guest guest(engine);
  guest.store.set_epoch_deadline(1000);
  Debugger debugger(guest.store, [](Stop &) { return Action::Later; });
  debugger.break_at_function(guest.instance.module(), "inner");
  Waiting host;
  std::int32_t result = 0;
  Call call = guest.call("twice", 1);
  call.wait_at_deadline();
  Task task = twice(call.clone(), host, result);
  int stops = 0;
  while (!task.done()) {
    Pending pending = host.take();
    if (pending.status() == CallStatus::Stopped) {
      const Call stopped = pending.call();
      CHECK(debugger.stop_of(stopped).frame().func_name() == "inner");
      FAILS(pending.try_answer(1), ErrorCode::State, "wait");
      debugger.answer(stopped, Action::Continue);
      stops++;
      guest.store.set_epoch_deadline(0); // it is over at once
      pending.go_on();
    } else if (pending.status() == CallStatus::AtDeadline) {
      guest.store.set_epoch_deadline(1000);
      pending.go_on();
    } else {
      pending.answer(1);
    }
  }
  task.check();
  CHECK(stops == 2 && result == 32);
}

} // namespace

int main() {
  many();
  at_once();
  failures();
  ended();
  threads();
  stops_and_deadlines();
}
