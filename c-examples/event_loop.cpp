// event-loop: one thread, one store, many guests that wait at the same time, and a C++20 coroutine for each of them.
//
//   event-loop [GUEST.wasm]     the guest is guest/example.wasm, see its source beside it
#include <chrono>
#include <exception>
#include <fstream>
#include <functional>
#include <iostream>
#include <iterator>
#include <map>
#include <thread>
#include <vector>

#include <stepwell.hpp>

using std::chrono::milliseconds, std::chrono::steady_clock;

static std::vector<std::uint8_t> read_file(const char *path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw stepwell::Error(std::string(path) + ": cannot be opened");
    return {std::istreambuf_iterator<char>(file), {}};
}

// The event loop: what is to be done at which time. One with sockets has more that can happen.
class Loop {
public:
    void after(milliseconds time, std::function<void()> work) { timers.emplace(steady_clock::now() + time, std::move(work)); }
    void run() {
        while (!timers.empty()) {
            const auto next = timers.extract(timers.begin());
            std::this_thread::sleep_until(next.key());
            next.mapped()();
        }
    }

private:
    std::multimap<steady_clock::time_point, std::function<void()>> timers;
};

// A coroutine that begins at once, and for whose end nobody waits.
struct Task {
    struct promise_type {
        Task get_return_object() { return {}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception() { std::terminate(); }
    };
};

struct Question {
    std::int32_t article, number;
};

static std::vector<Question> questions;
static std::int32_t total = 0;

// A guest asks for the price of some articles; the loop knows it in a while, the sooner the higher the number of the article.
static Task customer(Loop &loop, const stepwell::Instance &instance, std::int32_t article) {
    const auto host = [&loop](stepwell::Pending pending) { // the guest waits
        const Question question = questions[pending.token()];
        std::cout << "article " << question.article << ": asked for\n";
        loop.after(milliseconds(200 / question.article), [=] { pending.answer(question.number * 10 * question.article); });
    };
    try {
        stepwell::Call call(instance.func("indirect"), 0, article, 3);
        const std::vector<stepwell::Val> results = co_await call.finished(host);
        total += results[0].i32();
        std::cout << "article " << article << ": " << results[0].i32() << '\n';
    } catch (const stepwell::Trap &trap) { // as out of any call
        std::cout << "article " << article << ": " << trap.what() << '\n';
    }
}

int main(int argc, char **argv) try {
    stepwell::Engine engine;
    stepwell::Store store(engine);
    stepwell::Module module(store, read_file(argc > 1 ? argv[1] : "c-examples/guest/example.wasm"));
    stepwell::Linker linker(engine);
    linker.fill_missing_with_defaults(store, module);
    stepwell::Instance instance = linker.instantiate(store, module);

    // What guests call by their table has no answer yet. Its number is that of the question.
    stepwell::Func price(store, [](std::int32_t article, std::int32_t number) -> stepwell::Result<std::int32_t> {
        if (article > 4) return stepwell::Trap("there is none");
        questions.push_back({article, number});
        return stepwell::NotYet(questions.size() - 1);
    });
    instance.table("table").set(0, price.to_ref());

    Loop loop;
    for (std::int32_t article = 1; article <= 5; article++) customer(loop, instance, article);
    loop.run();
    return total == 300 ? EXIT_SUCCESS : EXIT_FAILURE;
} catch (const std::exception &error) {
    std::cerr << error.what() << '\n';
    return EXIT_FAILURE;
}
