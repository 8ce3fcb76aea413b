//! A plugin that uses the shared library is unloaded, and loaded again: the library stays, and with it its signal
//! handlers.

mod support;

#[test]
fn a_plugin_is_unloaded_and_the_handlers_stay() {
    let dir = support::scratch("plugin");
    let (plugin, host) = (dir.join("plugin.so"), dir.join("unload"));
    let source = |name: &str| support::root().join("tests/c/outside").join(name);
    support::compile("cc", &[&source("plugin.c")], &plugin, &["-std=c99", "-shared", "-fPIC"]);
    // It uses no symbol of the library, and is not linked with it.
    support::compile("cc", &[&source("unload.c")], &host, &["-std=c99", "-Wl,--as-needed"]);
    support::run(&host, &[plugin.to_str().unwrap()]);
}
