//! The cache of compiled modules: what is found again, and by whom; what is damaged, foreign or too much; folders that
//! cannot be used; and many who use one at once.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use stepwell::debug::{Action, Debugger};
use stepwell::runtime::{Cache, Config, Engine, Fallbacks, Instance, LogLevel, Logger, Module, Processor, Store};

/// A module that answers a number.
fn guest(number: i32) -> Vec<u8> {
    let data = "x".repeat(5000);
    let text = format!(
        "(module $answers (memory 1) (data (i32.const 8) \"{data}\") (func (export \"f\") (result i32) (i32.add \
         (i32.load8_u (i32.const 9)) (i32.const {}))))",
        number - i32::from(b'x')
    );
    wat::parse_str(text).unwrap()
}

/// A folder of a test's own, which is not there yet.
fn fresh(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cache-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    path
}

/// An engine with that cache, and what it says.
fn engine(folder: &Path, max_bytes: u64, config: Config) -> (Engine, Arc<Mutex<Vec<String>>>) {
    let said: Arc<Mutex<Vec<String>>> = Arc::default();
    let to = said.clone();
    let log = Logger::new(LogLevel::Debug, move |_, message| to.lock().unwrap().push(message.to_owned()));
    let cache = Some(Cache::new(folder, max_bytes));
    (Engine::new(Config { cache, log: Some(log), ..config }).unwrap(), said)
}

fn answer(module: &Module) -> i32 {
    let mut store = Store::new(module.engine());
    if module.engine().config().fuel {
        store.set_fuel(1000).unwrap();
    }
    let instance = Instance::new(&mut store, module, &[]).unwrap();
    let f = instance.typed_func::<(), i32>(&mut store, "f").unwrap();
    f.call(&mut store, ()).unwrap()
}

/// Makes the module in an engine of its own, looks whether it answers, and tells what the engine has said.
fn make(folder: &Path, number: i32, config: Config) -> String {
    let (engine, said) = engine(folder, 1 << 30, config);
    let module = Module::new(&engine, &guest(number)).unwrap();
    assert_eq!(answer(&module), number);
    assert!(module.binary() == guest(number));
    assert_eq!(engine.fallbacks(), Fallbacks::default());
    let said = said.lock().unwrap();
    said.join("\n")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn what_was_compiled_is_found() {
    let folder = fresh("found");
    let of = |number, config| make(&folder, number, config);
    assert!(of(200, Config::default()).starts_with("compiled module answers"));
    let found = of(200, Config::default());
    assert!(found.starts_with("found module answers") && !found.contains("compiled"), "{found}");
    // Other bytes, and whatever code depends on, are other files.
    assert!(of(201, Config::default()).starts_with("compiled"));
    for other in [
        Config { fuel: true, ..Config::default() },
        Config { optimize: false, ..Config::default() },
        Config { debug: true, ..Config::default() },
        Config { processor: Some(Processor::parse("").unwrap()), ..Config::default() },
    ] {
        assert!(of(200, other.clone()).starts_with("compiled"), "{other:?}");
        assert!(of(200, other).starts_with("found"));
    }
    // What nothing depends on is none.
    assert!(of(200, Config { max_stack: 1 << 20, ..Config::default() }).starts_with("found"));
    assert!(of(200, Config { memory_images: false, ..Config::default() }).starts_with("found"));
    assert_eq!(files(&folder).len(), 6);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn debug_code_is_found_as_well() {
    let folder = fresh("debug");
    for (round, compiled) in [(0, 2), (1, 0)] {
        let (engine, said) = engine(&folder, 1 << 30, Config { debug: true, ..Config::default() });
        let module = Module::new(&engine, &guest(7)).unwrap();
        let mut store = Store::new(&engine);
        let debugger = Debugger::attach(&mut store, |_| Action::Continue).unwrap();
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let f = instance.typed_func::<(), i32>(&mut store, "f").unwrap();
        assert_eq!(f.call(&mut store, ()).unwrap(), 7);
        debugger.detach(&mut store).unwrap();
        let said = said.lock().unwrap();
        assert_eq!(said.iter().filter(|line| line.starts_with("compiled")).count(), compiled, "{round}: {said:?}");
    }
    assert_eq!(files(&folder).len(), 1);
    // Who wants it with the module compiles nothing either; who finds none compiles and keeps it.
    let eager = Config { debug: true, debug_eagerly: true, ..Config::default() };
    assert!(!make(&folder, 7, eager.clone()).contains("compiled"));
    assert_eq!(make(&folder, 8, eager.clone()).matches("compiled").count(), 2);
    assert_eq!(make(&folder, 8, eager).matches("compiled").count(), 0);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn what_a_host_loads_is_nobody_elses() {
    let folder = fresh("loaded");
    let debug = Config { debug: true, ..Config::default() };
    let bytes = Module::new(&Engine::new(debug.clone()).unwrap(), &guest(11)).unwrap().serialize().unwrap();
    let (engine, _) = engine(&folder, 1 << 30, debug);
    let loaded = Module::deserialize(&engine, &bytes).unwrap();
    loaded.debug_code(&|_, _| true).unwrap();
    assert!(files(&folder).is_empty());
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn damage_is_noticed_and_repaired() {
    let folder = fresh("damage");
    make(&folder, 9, Config::default());
    let file = files(&folder).remove(0);
    let good = std::fs::read(&file).unwrap();
    let mut damaged: Vec<Vec<u8>> =
        [0, 1, 100, 4096, good.len() / 2, good.len() - 1].map(|len| good[..len].to_vec()).into();
    damaged.push([&good[..], b"more"].concat());
    for at in (0..good.len()).step_by(good.len() / 40) {
        let mut bytes = good.clone();
        bytes[at] ^= 0x10;
        damaged.push(bytes);
    }
    for bytes in damaged {
        std::fs::write(&file, &bytes).unwrap();
        let said = make(&folder, 9, Config::default());
        // A byte that nothing depends on may be another.
        if !said.starts_with("found") {
            assert!(said.contains("a file of the cache is not used") && said.contains("compiled"), "{said}");
            assert!(std::fs::read(&file).unwrap() == good, "it was made anew");
        }
    }
    std::fs::write(&file, &good[..good.len() - 1]).unwrap();
    assert!(make(&folder, 9, Config::default()).contains("not used"));
    // A file that is whole, but of another module: as if two had the same name.
    make(&folder, 10, Config::default());
    let other = files(&folder).into_iter().find(|path| *path != file).unwrap();
    std::fs::copy(other, &file).unwrap();
    let said = make(&folder, 9, Config::default());
    assert!(said.contains("is of another module"), "{said}");
    // One of another configuration, likewise.
    make(&folder, 9, Config { epoch: true, ..Config::default() });
    let other = files(&folder).into_iter().find(|path| std::fs::read(path).unwrap().len() != good.len());
    std::fs::copy(other.expect("code that looks at the epoch is longer"), &file).unwrap();
    let said = make(&folder, 9, Config::default());
    assert!(said.contains("not used"), "{said}");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn what_was_used_longest_ago_is_thrown_away() {
    let folder = fresh("size");
    make(&folder, 0, Config::default());
    let size = std::fs::metadata(&files(&folder)[0]).unwrap().len();
    let max = size * 5 / 2;
    let new = |number| {
        let (engine, said) = engine(&folder, max, Config::default());
        assert_eq!(answer(&Module::new(&engine, &guest(number)).unwrap()), number);
        // As if it had been a while ago.
        for file in files(&folder) {
            let before = std::fs::metadata(&file).unwrap().modified().unwrap() - Duration::from_secs(10);
            std::fs::File::options().write(true).open(file).unwrap().set_modified(before).unwrap();
        }
        let said = said.lock().unwrap();
        said.join("\n")
    };
    assert!(new(1).starts_with("compiled"));
    assert!(new(0).starts_with("found"), "0 is used again");
    let said = new(2);
    assert!(said.contains("1 modules were thrown out"), "{said}");
    assert!(files(&folder).len() == 2 && new(0).starts_with("found"));
    assert!(new(1).starts_with("compiled"), "1 was thrown away");
    // What is larger than all that there may be is not kept, and nothing has to go for it.
    let before = files(&folder);
    let (small, said) = engine(&folder, size / 2, Config::default());
    assert_eq!(answer(&Module::new(&small, &guest(3)).unwrap()), 3);
    assert_eq!((files(&folder), said.lock().unwrap().len()), (before, 1));
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_folder_that_cannot_be_used_hinders_nobody() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = fresh("unusable");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("file"), b"x").unwrap();
    std::fs::create_dir(folder.join("open")).unwrap();
    std::fs::set_permissions(folder.join("open"), std::fs::Permissions::from_mode(0o777)).unwrap();
    for (name, says) in [("file", "cache"), ("file/inside", "cache"), ("open", "chmod go-w")] {
        let (engine, said) = engine(&folder.join(name), 1 << 30, Config::default());
        assert_eq!(engine.fallbacks(), Fallbacks::NO_CACHE);
        assert_eq!(answer(&Module::new(&engine, &guest(4)).unwrap()), 4);
        let said = said.lock().unwrap();
        assert!(said[0].contains(says) && said[0].contains("are not kept"), "{said:?}");
    }
    assert!(files(&folder.join("open")).is_empty());
    // One that goes while it is used, and comes again.
    let (engine, said) = engine(&folder.join("gone"), 1 << 30, Config::default());
    std::fs::remove_dir(folder.join("gone")).unwrap();
    for number in [5, 6] {
        assert_eq!(answer(&Module::new(&engine, &guest(number)).unwrap()), number);
    }
    assert_eq!(engine.fallbacks(), Fallbacks::NO_CACHE);
    assert_eq!(said.lock().unwrap().iter().filter(|line| line.contains("not kept")).count(), 1, "told once");
    std::fs::create_dir(folder.join("gone")).unwrap();
    Module::new(&engine, &guest(5)).unwrap();
    assert_eq!(files(&folder.join("gone")).len(), 1);
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Threads with engines of their own, and processes, over modules that do not all have room, while somebody damages
/// files: whatever they find, every module answers what it should.
#[test]
fn many_use_it_at_once() {
    const CHILD: &str = "STEPWELL_TEST_CACHE";
    let work = |folder: &Path, seed: i32| {
        let end = SystemTime::now() + Duration::from_secs(4);
        let mut turn = seed;
        while SystemTime::now() < end {
            let (engine, _) = engine(folder, 40_000, Config::default());
            for _ in 0..4 {
                turn = (turn * 13 + 7) % 1009;
                assert_eq!(answer(&Module::new(&engine, &guest(turn % 8)).unwrap()), turn % 8);
            }
            if turn % 5 == 0
                && let Some(file) = files(folder).first()
                && let Ok(bytes) = std::fs::read(file)
            {
                let _ = std::fs::write(file, &bytes[..bytes.len() / 2]);
            }
            assert_eq!(engine.fallbacks(), Fallbacks::default());
        }
    };
    if let Some(folder) = std::env::var_os(CHILD) {
        return work(Path::new(&folder), std::process::id() as i32 % 1009);
    }
    let folder = fresh("many");
    let children: Vec<_> = (0..2)
        .map(|_| {
            let mut command = std::process::Command::new(std::env::current_exe().unwrap());
            command
                .args(["--exact", "cache::many_use_it_at_once"])
                .env(CHILD, &folder)
                .stdout(std::process::Stdio::null());
            command.spawn().unwrap()
        })
        .collect();
    std::thread::scope(|scope| {
        for seed in [1, 2] {
            scope.spawn({
                let folder = &folder;
                move || work(folder, seed)
            });
        }
    });
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let total: u64 = files(&folder).iter().map(|file| std::fs::metadata(file).unwrap().len()).sum();
    assert!(total > 0, "something was kept");
    std::fs::remove_dir_all(&folder).unwrap();
}
