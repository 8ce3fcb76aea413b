// hello: a C++ host runs a guest. A lambda is a host function, exports are called with C++ types, failures are exceptions.
//
//   hello [GUEST.wasm]      the guest is guest/warehouse.wasm, see its source beside it
#include <fstream>
#include <iostream>
#include <iterator>
#include <vector>

#include <stepwell.hpp>

static std::vector<std::uint8_t> read_file(const char *path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw stepwell::Error(std::string(path) + ": cannot be opened");
    return {std::istreambuf_iterator<char>(file), {}};
}

int main(int argc, char **argv) try {
    stepwell::Engine engine;       // compiles; any thread
    stepwell::Store store(engine); // holds instances; one thread at a time
    stepwell::Module module(store, read_file(argc > 1 ? argv[1] : "c-examples/guest/warehouse.wasm"));

    int delivered = 0;
    stepwell::Linker linker(engine);
    linker.func("env", "report", [&](std::int32_t order, std::int32_t cost) { // its type is that of the import
        if (delivered++ < 3) std::cout << "order " << order << " cost " << cost << '\n';
    });
    stepwell::Instance instance = linker.instantiate(store, module);

    auto run = instance.func<std::int32_t(std::int32_t)>("run"); // the type is checked here, once
    const std::int32_t result = run(10);
    std::cout << "run(10) = " << result << ", " << delivered << " orders delivered\n";

    stepwell::Memory memory = instance.memory("memory");
    auto formula_address = instance.func<std::uint32_t(std::int32_t)>("formula_address");
    std::cout << "a formula: " << memory.read_c_string(formula_address(0)) << '\n';

    try {
        instance.func("divide").call(1, 0);
    } catch (const stepwell::Trap &trap) {
        std::cout << trap.backtrace() << '\n';
    }
    return result == 1246194346 ? EXIT_SUCCESS : EXIT_FAILURE;
} catch (const std::exception &error) {
    std::cerr << error.what() << '\n';
    return EXIT_FAILURE;
}
