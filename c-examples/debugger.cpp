// debugger: a C++ host debugs a guest in one store: breakpoints, frames, locals, steps, and an exception out of a stop.
//
//   debugger [GUEST.wasm]   the guest is guest/warehouse.wasm, see its source beside it
#include <fstream>
#include <iostream>
#include <iterator>
#include <stdexcept>
#include <vector>

#include <stepwell.hpp>

using stepwell::Action;

static std::vector<std::uint8_t> read_file(const char *path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw std::runtime_error(std::string(path) + ": cannot be opened");
    return {std::istreambuf_iterator<char>(file), {}};
}

static void print(const stepwell::Stop &stop) {
    for (const stepwell::Frame &frame : stop.frames()) {
        std::cout << "  " << frame.func_name().value_or("?") << " at " << frame.offset() << ':';
        for (const stepwell::Val &local : frame.locals()) {
            if (local.kind() == stepwell::ValKind::I32) std::cout << ' ' << local.i32();
        }
        std::cout << '\n';
    }
}

int main(int argc, char **argv) try {
    stepwell::Engine engine(stepwell::Config().debug(true)); // stores may be debugged; those that are not pay nothing
    stepwell::Store store(engine);
    stepwell::Module module(store, read_file(argc > 1 ? argv[1] : "c-examples/guest/warehouse.wasm"));
    stepwell::Linker linker(engine);
    linker.fill_missing_with_defaults(store, module);
    stepwell::Instance instance = linker.instantiate(store, module);
    auto fib = instance.func<std::int32_t(std::int32_t)>("fib");

    int stops = 0, refused = 0;
    {
        stepwell::Debugger debugger(store, [&](stepwell::Stop &stop) { // on the guest's thread, store in hand
            for (const stepwell::Breakpoint &hit : stop.breakpoints()) hit.remove(); // the first call is enough
            print(stop);
            return ++stops < 5 ? Action::StepOver : Action::Continue;
        });
        debugger.break_at_function(module, "fib");
        const std::int32_t result = fib(10);
        std::cout << "fib(10) = " << result << " after " << stops << " stops\n";
    } // detached: production code again

    stepwell::Debugger debugger(store, [&](stepwell::Stop &stop) {
        if (stop.frame_count() == 4) throw std::out_of_range("too deep");
    });
    debugger.break_at_function(module, "fib");
    try {
        fib(10);
    } catch (const std::out_of_range &error) { // what the callback threw
        refused++;
        std::cout << "fib(10): " << error.what() << '\n';
    }
    return fib(2) == 1 && stops == 5 && refused == 1 ? EXIT_SUCCESS : EXIT_FAILURE;
} catch (const std::exception &error) {
    std::cerr << error.what() << '\n';
    return EXIT_FAILURE;
}
