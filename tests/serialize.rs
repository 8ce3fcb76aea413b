//! Modules as bytes and as files: what is written is read back without compiling, runs and can be debugged; what is
//! foreign, damaged, or made for another engine is refused, by name.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use stepwell::Features;
use stepwell::base::{ErrorKind, FuncIndex, WasmOffset};
use stepwell::debug::{Action, Debugger, Stop};
use stepwell::internals::image::{ElfImages, ImageRef, ImageTables, Point, Tier, write_elf};
use stepwell::runtime::{AsStoreMut, Config, DebugTier, Engine, Instance, Module, Store, Val};

const GUEST: &str = r#"(module $guest
  (import "env" "hint" (func $hint (param i32)))
  (memory $m (export "memory") 1)
  (table $t 2 funcref)
  (global $count (mut i32) (i32.const 3))
  (elem $e (i32.const 0) $double $fib)
  (data $d (i32.const 8) "initial data")
  (data $p "passive")
  (@custom "notes" "first")
  (@custom "notes" "second")
  (@custom "" "")
  (func $double (param $x i32) (result i32) (i32.mul (local.get $x) (i32.const 2)))
  (func $fib (export "fib") (param $n i32) (result i32)
    (if (result i32) (i32.lt_s (local.get $n) (i32.const 2))
      (then (local.get $n))
      (else (i32.add
        (call $fib (i32.sub (local.get $n) (i32.const 1)))
        (call $fib (i32.sub (local.get $n) (i32.const 2)))))))
  (func (export "indirect") (param i32 i32) (result i32)
    (global.set $count (i32.add (global.get $count) (i32.const 1)))
    (call_indirect (param i32) (result i32) (local.get 1) (local.get 0)))
  (func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0)))
  (func (export "init") (memory.init $p (i32.const 100) (i32.const 0) (i32.const 7))))"#;

/// Nothing of the code section.
const EMPTY: &str = "(module (memory (export \"m\") 1))";

fn debugging() -> Config {
    Config { debug: true, ..Config::default() }
}

fn engine(config: Config) -> Engine {
    Engine::new(config).unwrap()
}

fn wasm() -> Vec<u8> {
    wat::parse_str(GUEST).unwrap()
}

/// The guest, by an engine of this configuration, with its debug code where that is to be had.
fn serialized(config: &Config) -> Vec<u8> {
    let module = Module::new(&engine(config.clone()), &wasm()).unwrap();
    if config.debug {
        module.debug_code(&|_, _| true).unwrap();
    }
    module.serialize().unwrap()
}

fn instance(store: &mut Store, module: &Module) -> Instance {
    let hint = stepwell::runtime::Func::wrap(&mut *store, |_: i32| ()).unwrap();
    Instance::new(store, module, &[hint.into()]).unwrap()
}

fn call(store: &mut impl AsStoreMut, instance: Instance, name: &str, args: &[i32]) -> i32 {
    let func = instance.export(&mut *store, name).and_then(|item| item.func()).unwrap();
    let args: Vec<Val> = args.iter().map(|arg| Val::I32(*arg)).collect();
    let mut results = vec![Val::I32(0); func.ty(&*store).unwrap().results.len()];
    func.call(store, &args, &mut results).unwrap();
    match results[..] {
        [Val::I32(value)] => value,
        _ => 0,
    }
}

/// What the guest does is what it does.
fn check_guest(module: &Module) {
    let mut store = Store::new(module.engine());
    let guest = instance(&mut store, module);
    assert_eq!(call(&mut store, guest, "fib", &[15]), 610);
    assert_eq!(call(&mut store, guest, "indirect", &[0, 21]), 42);
    assert_eq!(call(&mut store, guest, "indirect", &[1, 10]), 55);
    assert_eq!(call(&mut store, guest, "load", &[8]), i32::from(b'i'));
    call(&mut store, guest, "init", &[]);
    assert_eq!(call(&mut store, guest, "load", &[106]), i32::from(b'e'));
}

/// The error of bytes that are refused.
fn refused(engine: &Engine, bytes: &[u8]) -> (ErrorKind, String) {
    let error = Module::deserialize(engine, bytes).expect_err("refused");
    (error.kind(), error.to_string())
}

/// A folder for one test, deleted at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let folder = std::env::temp_dir().join(format!("stepwell-serialize-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Folder(folder)
    }
    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn another_engine_runs_it() {
    for config in [Config::default(), debugging(), Config { copied_code: true, ..debugging() }] {
        let bytes = serialized(&config);
        let module = Module::deserialize(&engine(config.clone()), &bytes).unwrap();
        assert_eq!(module.debug_text_size().is_some(), config.debug);
        check_guest(&module);
        assert_eq!(module.binary(), wasm());
        assert_eq!(module.serialize().unwrap(), bytes, "once more, from where it is mapped");
        let again = Module::deserialize(module.engine(), &bytes).unwrap();
        assert!(!Module::same(&module, &again));
        drop(module);
        check_guest(&again);
    }
    for text in [EMPTY, "(module)", "(module (import \"\" \"\" (func)))"] {
        let module = Module::new(&engine(debugging()), &wat::parse_str(text).unwrap()).unwrap();
        module.debug_code(&|_, _| true).unwrap();
        let loaded = Module::deserialize(&engine(debugging()), &module.serialize().unwrap()).unwrap();
        assert_eq!(loaded.imports().len() + loaded.exports().len(), module.imports().len() + module.exports().len());
        assert_eq!(loaded.text_size(), module.text_size());
    }
}

#[test]
fn what_it_says_is_still_there() {
    let module = Module::deserialize(&engine(Config::default()), &serialized(&Config::default())).unwrap();
    assert_eq!(module.name(), Some("guest"));
    let sections: Vec<_> = module.custom_sections().filter(|(name, _)| *name != "name").collect();
    assert_eq!(sections, [("notes", &b"first"[..]), ("notes", b"second"), ("", b"")]);
    assert_eq!(module.custom_section("notes"), Some(&b"first"[..]));
    assert_eq!(module.custom_section("Notes"), None);
    let names = &module.info().names;
    assert_eq!(names.locals[&FuncIndex::new(2)].values().collect::<Vec<_>>(), ["n"]);
    let all = |names: Vec<&String>| names.into_iter().map(String::as_str).collect::<Vec<_>>().join(" ");
    assert_eq!(all(names.tables.values().collect()), "t");
    assert_eq!(all(names.memories.values().collect()), "m");
    assert_eq!(all(names.globals.values().collect()), "count");
    assert_eq!(all(names.elements.values().collect()), "e");
    assert_eq!(names.data.len(), 2);
    assert!(module.text_size() > 100 && module.debug_text_size().is_none());
}

/// What a debugger shows of a call: function, offset and locals at each stop.
fn trace(module: &Module) -> Vec<String> {
    let mut store = Store::new(module.engine());
    let guest = instance(&mut store, module);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let debugger = Debugger::attach(&mut store, {
        let seen = seen.clone();
        move |stop: &mut Stop<'_>| {
            let (count, frame) = (stop.frame_count(), stop.frame(0).unwrap());
            let what = (count, frame.func(), frame.offset(), frame.locals(), frame.operands());
            seen.lock().unwrap().push(format!("{:?} {what:?}", stop.reason()));
            Action::StepInstruction
        }
    })
    .unwrap();
    debugger.break_at_name(&mut store, module, "fib").unwrap();
    assert_eq!(call(&mut store, guest, "fib", &[5]), 5);
    debugger.detach(&mut store).unwrap();
    let seen = seen.lock().unwrap();
    seen.clone()
}

#[test]
fn it_is_debugged_like_the_original() {
    for debug_tier in [DebugTier::Regions, DebugTier::Simple] {
        let config = Config { debug_tier, ..debugging() };
        let original = Module::new(&engine(config.clone()), &wasm()).unwrap();
        let expected = trace(&original);
        assert!(expected.len() > 50, "{}", expected.len());
        let with = Module::deserialize(&engine(config.clone()), &original.serialize().unwrap()).unwrap();
        assert_eq!(with.debug_text_size(), original.debug_text_size());
        assert_eq!(trace(&with), expected);

        // Without debug code, or with that of the other kind, it is compiled from the bytes.
        let other = if debug_tier == DebugTier::Simple { DebugTier::Regions } else { DebugTier::Simple };
        for config in [Config::default(), Config { debug_tier: other, ..debugging() }] {
            let bytes = serialized(&config);
            let without = Module::deserialize(&engine(Config { debug_tier, ..debugging() }), &bytes).unwrap();
            assert_eq!(without.debug_text_size(), None);
            assert_eq!(trace(&without), expected);
        }
        // And an engine without debugging takes production code alone.
        let plain = Module::deserialize(&engine(Config::default()), &original.serialize().unwrap()).unwrap();
        assert_eq!(plain.debug_text_size(), None);
        check_guest(&plain);
    }
}

#[test]
fn threads_share_it() {
    let module = Module::deserialize(&engine(debugging()), &serialized(&debugging())).unwrap();
    let expected = trace(&module);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| check_guest(&module));
            scope.spawn(|| assert_eq!(trace(&module), expected));
        }
    });
    let bytes = serialized(&Config::default());
    let engine = engine(Config::default());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| check_guest(&Module::deserialize(&engine, &bytes).unwrap()));
        }
    });
}

/// Every setting, changed; whether that matters, and by which name it is to be refused.
#[test]
fn another_configuration_is_named() {
    let bytes = serialized(&debugging());
    let load = |change: &dyn Fn(&mut Config)| {
        let mut config = debugging();
        change(&mut config);
        Module::deserialize(&engine(config), &bytes)
    };
    type Change = dyn Fn(&mut Config);
    let decisive: [(&str, &Change); 9] = [
        ("signals", &|config| config.signals = false),
        ("memory_reservation", &|config| config.memory_reservation = 8 << 30),
        ("memory_reservation", &|config| config.memory_reservation = 0),
        ("memory_guard", &|config| config.memory_guard = 64 << 20),
        ("nan_canonicalization", &|config| config.nan_canonicalization = true),
        ("relaxed_simd_deterministic", &|config| config.relaxed_simd_deterministic = true),
        ("optimize", &|config| config.optimize = false),
        ("fuel", &|config| config.fuel = true),
        ("epoch", &|config| config.epoch = true),
    ];
    for (name, change) in decisive {
        let error = load(change).err().unwrap_or_else(|| panic!("{name}"));
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.message().contains(&format!("`{name}`")), "{error}");
    }
    let without_consequence: [&Change; 7] = [
        &|config| config.debug = false,
        &|config| config.debug_tier = DebugTier::Simple,
        &|config| config.rerun_cache = 0,
        &|config| config.max_stack = 1 << 20,
        &|config| config.stop_reserve = 512 << 10,
        &|config| config.parallel = false,
        &|config| config.copied_code = true,
    ];
    for change in without_consequence {
        check_guest(&load(change).unwrap());
    }
    // A proposal that is off is refused if the module uses it, as it would be when compiled.
    let error = load(&|config| config.features.bulk_memory = false).err().unwrap();
    assert!(error.kind() == ErrorKind::Unsupported && error.message().contains("bulk-memory"), "{error}");
    check_guest(&load(&|config| config.features = Features { bulk_memory: true, ..Features::WASM_1 }).unwrap());
}

#[test]
fn what_is_foreign_is_told() {
    let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    let component = b"\0asm\x0d\0\x01\0";
    let engine = engine(Config::default());
    for (bytes, says) in [
        (&b""[..], "it is empty"),
        (b"x", "begins with `x`"),
        (&wasm(), "it is WebAssembly"),
        (component, "it is WebAssembly"),
        (&own, "another ELF file"),
        (b"(module)", "text format"),
        (&[0; 200], "zeros"),
    ] {
        let (kind, message) = refused(&engine, bytes);
        assert!(kind == ErrorKind::InvalidModule && message.contains(says), "{message}");
        assert!(message.contains("no serialized module"), "{message}");
    }
    let error = Module::new(&engine, &serialized(&Config::default())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidModule);
    assert!(error.message().contains("no Wasm module") && error.message().contains("deserialize"), "{error}");
    for (bytes, says) in
        [(&b""[..], "empty"), (b"(module)", "text format"), (&own, "ELF"), (b"\0asm\x01", "cut off"), (b"{}", "JSON")]
    {
        for error in [Module::new(&engine, bytes).unwrap_err(), Module::validate(&engine, bytes).unwrap_err()] {
            assert_eq!(error.kind(), ErrorKind::InvalidModule);
            let message = error.message();
            assert!(message.starts_with("this is no Wasm module; it ") && message.contains(says), "{error}");
        }
    }
    let error = Module::new(&engine, component).unwrap_err();
    assert!(error.message().contains("component") && error.message().contains("wasm32-wasip1"), "{error}");
}

#[test]
fn what_is_damaged_is_refused() {
    let engine = engine(debugging());
    let module = Module::new(&engine, &wat::parse_str("(module (func (export \"f\") (drop (i32.const 1))))").unwrap());
    let module = module.unwrap();
    let bytes = module.serialize().unwrap();
    assert!(Module::deserialize(&engine, &bytes).is_ok());
    for len in 0..bytes.len() {
        let (kind, message) = refused(&engine, &bytes[..len]);
        assert_eq!(kind, ErrorKind::InvalidModule, "{len}: {message}");
        assert!(len < 120 || message.contains("truncated"), "{len}: {message}");
    }
    assert!(refused(&engine, &[&bytes[..], b"x"].concat()).1.contains("are there"));
    let mut bytes = bytes;
    for at in 0..bytes.len() {
        let bit = 1 << (at % 8);
        bytes[at] ^= bit;
        let (kind, message) = refused(&engine, &bytes);
        let formats = 72..76;
        let expected = if formats.contains(&at) { ErrorKind::Unsupported } else { ErrorKind::InvalidModule };
        assert_eq!(kind, expected, "byte {at}: {message}");
        bytes[at] ^= bit;
    }
    // Of a larger one, with debug code, a sample.
    let mut bytes = serialized(&debugging());
    for at in (0..bytes.len()).step_by(61) {
        bytes[at] ^= 0x20;
        refused(&engine, &bytes);
        bytes[at] ^= 0x20;
    }
    check_guest(&Module::deserialize(&engine, &bytes).unwrap());
}

/// Files whose hash is right, and which say something that no compiled module does.
#[test]
fn what_contradicts_itself_is_refused() {
    let engine = engine(debugging());
    let module = Module::new(&engine, &wasm()).unwrap();
    module.debug_code(&|_, _| true).unwrap();
    let good = module.serialize().unwrap();
    let file = ElfImages::open(&good).unwrap();
    let manifest = file.manifest().unwrap();
    let image = |tier| file.image(tier).unwrap().unwrap();
    let (production, debug) = (image(Tier::Production), image(Tier::Debug));
    let write = |manifest: &str, wasm: &[u8], images: &[&(ImageTables, std::ops::Range<usize>)]| {
        let images: Vec<ImageRef<'_>> =
            images.iter().map(|(tables, text)| ImageRef { text: &good[text.clone()], tables }).collect();
        write_elf(manifest, wasm, &images, &[])
    };
    check_guest(&Module::deserialize(&engine, &write(manifest, &wasm(), &[&production, &debug])).unwrap());
    check_guest(&Module::deserialize(&engine, &write(manifest, &wasm(), &[&production])).unwrap());

    let other = wat::parse_str(EMPTY).unwrap();
    let mut fewer = debug.clone();
    fewer.0.functions.pop();
    let mut locals = debug.clone();
    locals.0.functions[0].locals.1 += 1;
    let mut elsewhere = debug.clone();
    let points = debug.0.points.iter().map(|point| Point { wasm: WasmOffset::new(point.wasm.get() + 40), ..point });
    elsewhere.0.points = points.collect();
    let regions = {
        let mut other = debug.clone();
        other.0.regions = false;
        other
    };
    for (what, bytes) in [
        ("no images", write(manifest, &wasm(), &[])),
        ("debug code alone", write(manifest, &wasm(), &[&debug])),
        ("another module's code", write(manifest, &other, &[&production])),
        ("a function less", write(manifest, &wasm(), &[&production, &fewer])),
        ("a local more", write(manifest, &wasm(), &[&production, &locals])),
        ("points of another function", write(manifest, &wasm(), &[&production, &elsewhere])),
        ("another kind of debug code", write(manifest, &wasm(), &[&production, &regions])),
        ("no Wasm", write(manifest, b"", &[&production])),
        ("half of the Wasm", write(manifest, &wasm()[..100], &[&production])),
    ] {
        let (kind, message) = refused(&engine, &bytes);
        assert_eq!(kind, ErrorKind::InvalidModule, "{what}: {message}");
    }
    // A body that asks for 2^32 locals: refused without making room for them, or, where there is no debug code to
    // compare it with, before any is made of it.
    let many = b"\x01\xff\xff\xff\xff\x0f\x7f\x0b";
    let mut greedy = wasm();
    let body = module.info().bodies.iter().map(|body| body.bytes.clone()).find(|bytes| bytes.len() >= many.len());
    let at = body.unwrap().start;
    greedy[at..at + many.len()].copy_from_slice(many);
    let peak = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap().to_owned();
        line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() >> 10
    };
    let before = peak();
    let refuses = |kind| matches!(kind, ErrorKind::InvalidModule | ErrorKind::Limit);
    assert!(refuses(refused(&engine, &write(manifest, &greedy, &[&production, &debug])).0));
    let loaded = Module::deserialize(&engine, &write(manifest, &greedy, &[&production])).unwrap();
    assert!(refuses(loaded.debug_code(&|_, _| true).unwrap_err().kind()));
    assert!(peak() < before + 1000, "{} MB", peak() - before);
    for manifest in ["", "stepwell", &manifest.replace("stepwell: ", "stepwell: 9")] {
        assert_eq!(refused(&engine, &write(manifest, &wasm(), &[&production])).0, ErrorKind::Unsupported);
    }
}

#[test]
fn files() {
    let folder = Folder::new("files");
    let path = folder.file("guest.stepwell");
    for config in [debugging(), Config { copied_code: true, ..debugging() }] {
        let engine = engine(config.clone());
        let module = Module::new(&engine, &wasm()).unwrap();
        let expected = trace(&module);
        module.serialize_to_file(&path).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), module.serialize().unwrap());
        // What becomes of the file afterwards does not matter: overwritten in place, cut off, deleted.
        let loaded: Vec<Module> = (0..3).map(|_| Module::deserialize_from_file(&engine, &path).unwrap()).collect();
        let len = std::fs::metadata(&path).unwrap().len() as usize;
        std::fs::write(&path, vec![0xcc; len]).unwrap();
        check_guest(&loaded[0]);
        std::fs::File::options().write(true).open(&path).unwrap().set_len(10).unwrap();
        check_guest(&loaded[1]);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(trace(&loaded[2]), expected);
        check_guest(&loaded[2]);
        // Replaced while it is used, by itself.
        loaded[2].serialize_to_file(&path).unwrap();
        let again = Module::deserialize_from_file(&engine, &path).unwrap();
        again.serialize_to_file(&path).unwrap();
        assert_eq!(trace(&again), expected);
    }
    let engine = engine(debugging());
    let error = |path: PathBuf| Module::deserialize_from_file(&engine, path).err().unwrap();
    std::fs::write(folder.file("text"), "hello").unwrap();
    let wrong = error(folder.file("text"));
    assert!(wrong.kind() == ErrorKind::InvalidModule && wrong.message().contains("/text`"), "{wrong}");
    assert_eq!(error(folder.file("nobody")).kind(), ErrorKind::System);
    assert_eq!(error(folder.0.clone()).kind(), ErrorKind::System);
    let pipe = std::ffi::CString::new(folder.file("pipe").into_os_string().into_encoded_bytes()).unwrap();
    // SAFETY: the path is NUL-terminated.
    assert_eq!(unsafe { libc::mkfifo(pipe.as_ptr(), 0o600) }, 0);
    assert_eq!(error(folder.file("pipe")).kind(), ErrorKind::System);
    std::fs::remove_file(folder.file("pipe")).unwrap();
    let module = Module::new(&engine, &wasm()).unwrap();
    assert_eq!(module.serialize_to_file(folder.file("no/such/folder")).unwrap_err().kind(), ErrorKind::System);
    let left: Vec<_> = std::fs::read_dir(&folder.0).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "no temporary files: {left:?}");
}

/// Readers of a file that is written again and again see a whole one each time.
#[test]
fn nobody_sees_half_a_file() {
    let folder = Folder::new("halves");
    let path = folder.file("guest");
    let engine = engine(Config::default());
    let module = Module::new(&engine, &wasm()).unwrap();
    module.serialize_to_file(&path).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| (0..50).for_each(|_| module.serialize_to_file(&path).unwrap()));
            scope.spawn(|| (0..200).for_each(|_| drop(Module::deserialize_from_file(&engine, &path).unwrap())));
        }
    });
}
