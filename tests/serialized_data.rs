//! What the memories of serialized modules begin with: it is what their Wasm says, whatever shape that has and however
//! it was loaded; loading copies it once; what is damaged, foreign, or changed meanwhile is found. One test at a time,
//! for some look at what the whole process has.

use std::collections::BTreeMap;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use stepwell::base::{DataIndex, ErrorKind, MemoryIndex};
use stepwell::internals::image::{ElfImages, ImageOf, ImageRef, MemoryContents, Tier, seal_elf, write_elf};
use stepwell::internals::sys::faults;
use stepwell::runtime::{Config, Engine, Extern, Fallbacks, Instance, Module, Store};

fn one_at_a_time() -> MutexGuard<'static, ()> {
    static LOCK: Mutex<()> = Mutex::new(());
    LOCK.lock().unwrap_or_else(PoisonError::into_inner)
}

const PAGE: usize = 4096;
/// Where the head of a file says how long its front is.
const FRONT_AT: usize = 88;

fn engine(memory_images: bool) -> Engine {
    Engine::new(Config { memory_images, ..Config::default() }).unwrap()
}

fn module(engine: &Engine, text: &str) -> Module {
    Module::new(engine, &wat::parse_str(text).unwrap()).unwrap()
}

/// A file, deleted at the end.
struct File(PathBuf);

impl File {
    fn new(name: &str, bytes: &[u8]) -> File {
        let path = std::env::temp_dir().join(format!("stepwell-serialized-data-{name}-{}", std::process::id()));
        std::fs::write(&path, bytes).unwrap();
        File(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// `count` segments of `len` bytes, `step` apart from `at` on.
fn segments(count: usize, len: usize, at: usize, step: usize) -> String {
    let segment = |i: usize| format!("(data (i32.const {}) \"{}\")", at + i * step, "\\7a".repeat(len));
    (0..count).map(segment).collect()
}

/// Modules of all shapes, and whether their files bring an image.
fn shapes() -> Vec<(String, bool)> {
    let all = [
        (r#"(memory (export "m") 1)"#.to_owned(), false),
        (r#"(memory (export "m") 0)"#.into(), false),
        (r#"(memory (export "m") 0) (data (i32.const 0) "")"#.into(), false),
        (r#"(memory (export "m") 1) (data (i32.const 9) "")"#.into(), false),
        (r#"(memory (export "m") 1) (data "passive")"#.into(), false),
        (r#"(memory (export "m") 1) (data (i32.const 0) "start")"#.into(), true),
        (r#"(memory (export "m") 3) (data (i32.const 196605) "end")"#.into(), true),
        (r#"(memory (export "m") 3) (data (i32.const 4094) "across") (data (i32.const 4096) "over")"#.into(), true),
        (r#"(memory (export "m") 1) (data (i32.const 8192) "\00\00\00")"#.into(), true),
        (r#"(memory (export "m") 2 9) (data (i32.const 1) "a") (data "p") (data (i32.const 70000) "b")"#.into(), true),
        // Far from the start and the end: what is around it is not in the image.
        (format!("(memory (export \"m\") 100) {}", segments(3, 7, 5 << 20, 20_000)), true),
        (format!("(memory (export \"m\") 100) {}", segments(40, 1, 0, 100_000)), true),
        // Too far from each other.
        (format!("(memory (export \"m\") 100) {}", segments(40, 1, 0, 150_000)), false),
        (format!("(memory (export \"m\") 3) {}", segments(30, 4096, 1, 5000)), true),
        // Each in a page of its own: more pages than they are worth.
        (format!("(memory (export \"m\") 100) {}", segments(600, 1, 0, 8192)), false),
        // A start function writes, and drops a segment.
        (
            r#"(memory (export "m") 1) (data $d (i32.const 0) "abc") (start $s)
               (func $s (i32.store8 (i32.const 1) (i32.const 33)) (data.drop $d))"#
                .into(),
            true,
        ),
        // Where it is depends on what is imported.
        (r#"(import "p" "g" (global $g i32)) (memory (export "m") 1) (data (global.get $g) "there")"#.into(), false),
        // The memory is somebody else's.
        (r#"(import "p" "m" (memory 1)) (data (i32.const 5) "x") (export "m" (memory 0))"#.into(), false),
        // Behind what traps, nothing is known, or nothing more.
        (
            r#"(import "p" "m" (memory 1)) (table 1 funcref) (func $f) (elem (i32.const 1) $f)
               (data (i32.const 5) "x")"#
                .into(),
            false,
        ),
        (
            r#"(memory (export "m") 1) (table 1 funcref) (func $f) (elem (i32.const 1) $f) (data (i32.const 5) "x")"#
                .into(),
            false,
        ),
        (r#"(memory (export "m") 1) (data (i32.const 5) "x") (data (i32.const 65535) "xy")"#.into(), true),
    ];
    all.into_iter().map(|(text, image)| (format!("(module {text})"), image)).collect()
}

/// What becomes of an instance of a module: its memory, or why there is none; and the memory that it was given.
fn outcome(module: &Module) -> (Result<Vec<u8>, String>, Vec<u8>) {
    let provider =
        self::module(module.engine(), r#"(module (memory (export "m") 2) (global (export "g") i32 (i32.const 77)))"#);
    let mut store = Store::new(module.engine());
    let provider = Instance::new(&mut store, &provider, &[]).unwrap();
    let names: Vec<String> = module.imports().map(|(_, name, _)| name.to_owned()).collect();
    let imports: Vec<Extern> = names.iter().map(|name| provider.export(&mut store, name).unwrap()).collect();
    let made = Instance::new(&mut store, module, &imports).map_err(|error| error.to_string());
    let bytes = |store: &mut Store, instance: Instance| {
        let memory = instance.export(&mut *store, "m").and_then(|item| item.memory()).unwrap();
        memory.data(&*store).unwrap().to_vec()
    };
    (made.map(|instance| bytes(&mut store, instance)), bytes(&mut store, provider))
}

fn has_image(bytes: &[u8]) -> bool {
    !ElfImages::open(bytes, bytes.len()).unwrap().memories().unwrap().is_empty()
}

#[test]
fn memories_begin_with_what_the_wasm_says() {
    let _one = one_at_a_time();
    let [with, without] = [true, false].map(engine);
    for (text, image) in shapes() {
        let expected = outcome(&module(&without, &text));
        let original = module(&with, &text);
        // Written before there is an instance, and after.
        let bytes = original.serialize().unwrap();
        assert_eq!(has_image(&bytes), image, "{text}");
        assert!(outcome(&original) == expected, "{text}");
        assert!(original.serialize().unwrap() == bytes);
        let file = File::new("shape", &bytes);
        let plain = module(&without, &text).serialize().unwrap();
        assert!(!has_image(&plain));
        for (engine, bytes) in [(&with, &bytes), (&without, &bytes), (&with, &plain), (&without, &plain)] {
            std::fs::write(&file.0, bytes).unwrap();
            for loaded in
                [Module::deserialize(engine, bytes).unwrap(), Module::deserialize_from_file(engine, &file.0).unwrap()]
            {
                assert!((0..2).all(|_| outcome(&loaded) == expected), "{text}");
                let again = loaded.serialize().unwrap();
                assert_eq!(has_image(&again), image && engine.config().memory_images);
                assert!(engine.config().memory_images != has_image(bytes) || again == *bytes);
                assert!(outcome(&Module::deserialize(&with, &again).unwrap()) == expected, "{text}");
            }
        }
    }
}

/// The files in memory that this process has for modules, by their numbers: the bytes that are set aside for each.
fn files_in_memory() -> BTreeMap<u64, usize> {
    let entries = std::fs::read_dir("/proc/self/fd").unwrap().map(|entry| entry.unwrap().path());
    let ours = entries.filter(|path| {
        std::fs::read_link(path).is_ok_and(|target| target.to_string_lossy().starts_with("/memfd:stepwell-"))
    });
    let about = ours.filter_map(|path| std::fs::metadata(path).ok());
    about.map(|about| (about.ino(), about.blocks() as usize * 512)).collect()
}

/// How often this thread has had a page made for it.
fn faults_taken() -> i64 {
    // SAFETY: all zero is a value, and the call fills it in.
    unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        assert_eq!(libc::getrusage(libc::RUSAGE_THREAD, &mut usage), 0);
        usage.ru_minflt
    }
}

/// A module with 8 MB of data, in four places, in a memory of 32 MB.
fn large() -> String {
    let data: String = (0..4)
        .map(|i| {
            let bytes: String =
                (0..2 << 20).map(|at: usize| char::from(b'a' + ((at / 7 + at / 4099 + i) % 26) as u8)).collect();
            format!("(data (i32.const {}) \"{bytes}\")", i * ((5 << 20) + 1000))
        })
        .collect();
    format!(
        r#"(module (memory (export "m") 512) {data} (func (export "f") (param i32) (result i32)
            (i32.load8_u (local.get 0))))"#
    )
}

#[test]
fn loading_copies_once_and_instances_nothing() {
    let _one = one_at_a_time();
    // A module with debug code keeps the file that it is in open.
    let engine = Engine::new(Config { debug: true, ..Config::default() }).unwrap();
    let original = module(&engine, &large());
    original.debug_code(&|_, _| true).unwrap();
    let file = File::new("large", &[]);
    original.serialize_to_file(&file.0).unwrap();
    let bytes = std::fs::read(&file.0).unwrap();
    let expected = outcome(&original);
    // The data is there twice, in the Wasm and in pages; what is between it is not.
    assert!(bytes.len() > 16 << 20 && bytes.len() < 17 << 20, "{}", bytes.len());
    drop(original);
    for from_file in [true, false] {
        let before = files_in_memory();
        let loaded = match from_file {
            true => Module::deserialize_from_file(&engine, &file.0).unwrap(),
            false => Module::deserialize(&engine, &bytes).unwrap(),
        };
        let after = files_in_memory();
        let new: Vec<usize> =
            after.iter().filter(|(file, _)| !before.contains_key(file)).map(|(_, bytes)| *bytes).collect();
        assert_eq!(new.len(), 2, "the front, and the image: {new:?}");
        assert_eq!(new.iter().sum::<usize>(), bytes.len().next_multiple_of(PAGE), "{new:?}");

        let mut store = Store::new(&engine);
        let taken = faults_taken();
        let [first, second] = [0; 2].map(|_| Instance::new(&mut store, &loaded, &[]).unwrap());
        let taken = faults_taken() - taken;
        assert!(taken < 100, "{taken} faults, of {} pages", bytes.len() / PAGE);
        assert_eq!(files_in_memory(), after, "an instance makes none");
        // Each has its own copy of what it writes.
        let [first, second] =
            [first, second].map(|instance| instance.export(&mut store, "m").and_then(|item| item.memory()).unwrap());
        first.write(&mut store, (1 << 20) + 5, b"something else").unwrap();
        assert!(first.data(&store).unwrap() != &expected.0.as_ref().unwrap()[..]);
        assert!(second.data(&store).unwrap() == &expected.0.as_ref().unwrap()[..]);
        drop(store);
        assert!((0..2).all(|_| outcome(&loaded) == expected));
        // What becomes of the file is nothing to it.
        if from_file {
            std::fs::write(&file.0, vec![0xcc; bytes.len()]).unwrap();
            std::fs::File::options().write(true).open(&file.0).unwrap().set_len(10).unwrap();
            assert!(outcome(&loaded) == expected);
        }
    }
    // An engine without images copies the front alone.
    let before = files_in_memory().values().sum::<usize>();
    let plain = Module::deserialize(&self::engine(false), &bytes).unwrap();
    let copied = files_in_memory().values().sum::<usize>() - before;
    assert!(copied < bytes.len() - (8 << 20) + 2 * PAGE, "{copied}");
    assert!(outcome(&plain) == expected);
}

const TWO_PAGES: &str =
    r#"(module (memory (export "m") 1) (data (i32.const 4090) "across pages") (data (i32.const 9) ""))"#;

#[test]
fn every_damaged_byte_is_found() {
    let _one = one_at_a_time();
    let [with, without] = [true, false].map(engine);
    let mut bytes = module(&with, TWO_PAGES).serialize().unwrap();
    let front = bytes.len() - 2 * PAGE;
    assert!(has_image(&bytes) && front.is_multiple_of(PAGE));
    let file = File::new("damaged", &bytes);
    let refused = |bytes: &[u8], from_file: bool, engine: &Engine| {
        let loaded = match from_file {
            true => {
                std::fs::write(&file.0, bytes).unwrap();
                Module::deserialize_from_file(engine, &file.0)
            }
            false => Module::deserialize(engine, bytes),
        };
        loaded.err().map(|error| (error.kind(), error.to_string()))
    };
    for len in 0..bytes.len() {
        for engine in [&with, &without].into_iter().take(1 + usize::from(len % 8 == 0)) {
            let (kind, message) = refused(&bytes[..len], len % 128 == 0, engine).unwrap();
            assert_eq!(kind, ErrorKind::InvalidModule, "{len}: {message}");
            assert!(len < 112 || message.contains("truncated"), "{len}: {message}");
        }
    }
    for at in 0..bytes.len() {
        bytes[at] ^= 1 << (at % 8);
        let formats = 72..76;
        let expected = if formats.contains(&at) { ErrorKind::Unsupported } else { ErrorKind::InvalidModule };
        let (kind, message) = refused(&bytes, at % 128 == 0, &with).unwrap();
        assert_eq!(kind, expected, "byte {at}: {message}");
        assert!(at < front || message.contains("hash of what memory 0 begins with"), "{message}");
        // Who has no use for the pages does not look at them.
        if at % 8 == 5 {
            assert_eq!(refused(&bytes, at % 128 == 5, &without).is_some(), at < front, "byte {at}");
        }
        bytes[at] ^= 1 << (at % 8);
    }
    assert_eq!(refused(&bytes, true, &with), None);
    assert!(refused(&[&bytes[..], &[0; PAGE]].concat(), true, &with).unwrap().1.contains("are there"));
}

/// Files whose hashes are right, and that say something which their Wasm does not.
#[test]
fn what_is_not_of_the_wasm_is_refused() {
    let _one = one_at_a_time();
    let engine = engine(true);
    let original = module(&engine, TWO_PAGES);
    let good = original.serialize().unwrap();
    let file = ElfImages::open(&good, good.len()).unwrap();
    let (tables, text) = file.image(Tier::Production).unwrap().unwrap();
    let image = ImageRef { text: &good[text], tables: &tables };
    let stored = file.memories().unwrap().remove(0).of;
    let segments = |segments: &[u32]| segments.iter().copied().map(DataIndex::new).collect::<Vec<_>>();
    assert_eq!(stored, ImageOf { memory: MemoryIndex::new(0), range: 0..65536, segments: segments(&[0, 1]) });
    let zeros = vec![0x33; 1 << 20];
    let write = |images: &[ImageOf], wasm: &[u8]| {
        let contents = images
            .iter()
            .map(|of| MemoryContents::new(of.clone(), &zeros[..of.range.len()], std::iter::once(of.range.clone())));
        write_elf(file.manifest().unwrap(), wasm, &[image], &contents.collect::<Vec<_>>())
    };
    let wasm = original.binary();
    Module::deserialize(&engine, &write(std::slice::from_ref(&stored), wasm)).unwrap();
    Module::deserialize(&engine, &write(&[], wasm)).unwrap();
    let other = |change: &dyn Fn(&mut ImageOf)| {
        let mut other = stored.clone();
        change(&mut other);
        other
    };
    let another = other(&|of| of.memory = MemoryIndex::new(1));
    for images in [
        vec![other(&|of| of.range = 0..65536 - PAGE)],
        vec![other(&|of| of.range = 0..65536 + PAGE)],
        vec![other(&|of| of.range = PAGE..65536)],
        vec![other(&|of| of.segments = segments(&[0]))],
        vec![other(&|of| of.segments = segments(&[0, 1, 2]))],
        vec![other(&|of| of.segments = segments(&[1, 0]))],
        vec![another.clone()],
        vec![stored.clone(), another],
        vec![stored.clone(), stored.clone()],
    ] {
        let error = Module::deserialize(&engine, &write(&images, wasm)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidModule, "{images:?}: {error}");
        assert!(error.message().contains("compile the module again"), "{error}");
    }
    // Modules that have none.
    for text in [
        r#"(module (memory 1))"#,
        r#"(module)"#,
        r#"(module (import "p" "m" (memory 1)) (data (i32.const 0) "x"))"#,
        r#"(module (import "p" "g" (global i32)) (memory 1) (data (global.get 0) "x") (data (i32.const 0) ""))"#,
    ] {
        let error = Module::deserialize(&engine, &write(std::slice::from_ref(&stored), &wat::parse_str(text).unwrap()));
        assert_eq!(error.unwrap_err().kind(), ErrorKind::InvalidModule, "{text}");
    }
    // The pages begin elsewhere than the head says.
    let front = good.len() - 2 * PAGE;
    for wrong in [0, 111, 112, PAGE, front - 1, front + 1, front + PAGE, good.len(), good.len() + PAGE, usize::MAX] {
        let mut bytes = good.clone();
        bytes[FRONT_AT..FRONT_AT + 8].copy_from_slice(&(wrong as u64).to_le_bytes());
        seal_elf(&mut bytes);
        let error = Module::deserialize(&engine, &bytes).err().filter(|_| wrong != front);
        assert_eq!(error.map(|error| error.kind()), Some(ErrorKind::InvalidModule), "{wrong}");
    }
    // A page less, a page more, and a length that fits.
    for len in [good.len() - PAGE, good.len() - 1, good.len() + PAGE, front] {
        let mut bytes = good.clone();
        bytes.resize(len, 0);
        seal_elf(&mut bytes);
        assert_eq!(Module::deserialize(&engine, &bytes).unwrap_err().kind(), ErrorKind::InvalidModule, "{len}");
    }
}

#[test]
fn a_file_that_changes_meanwhile_is_whole_or_refused() {
    let _one = one_at_a_time();
    let engine = engine(true);
    let bytes = module(&engine, &format!("(module (memory (export \"m\") 20) {})", segments(20, 5000, 0, 60_000)))
        .serialize()
        .unwrap();
    let expected = outcome(&Module::deserialize(&engine, &bytes).unwrap());
    let file = File::new("changing", &bytes);
    let (done, path, all) = (AtomicBool::new(false), &file.0, &bytes);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let file = std::fs::File::options().write(true).open(path).unwrap();
            for round in 0.. {
                if done.load(Relaxed) {
                    return;
                }
                match round % 3 {
                    0 => file.write_all_at(&[0xcc; PAGE], (all.len() - 3 * PAGE) as u64).unwrap(),
                    1 => file.set_len((all.len() / 2) as u64).unwrap(),
                    _ => file.set_len(all.len() as u64 + 9).unwrap(),
                }
                file.set_len(all.len() as u64).unwrap();
                file.write_all_at(all, 0).unwrap();
                std::thread::yield_now();
            }
        });
        for _ in 0..400 {
            match Module::deserialize_from_file(&engine, path) {
                Ok(module) => assert!(outcome(&module) == expected),
                Err(error) => assert_eq!(error.kind(), ErrorKind::InvalidModule, "{error}"),
            }
        }
        done.store(true, Relaxed);
    });
}

#[test]
fn where_there_are_no_files_in_memory_data_is_copied() {
    let _one = one_at_a_time();
    let text = r#"(module (memory (export "m") 1) (data (i32.const 5) "abc"))"#;
    let expected = outcome(&module(&engine(false), text));
    let bytes = module(&engine(true), text).serialize().unwrap();
    let file = File::new("refused", &bytes);
    for from_file in [true, false] {
        let engine = engine(true);
        let _refused = faults::refuse_memfd();
        let loaded = match from_file {
            true => Module::deserialize_from_file(&engine, &file.0).unwrap(),
            false => Module::deserialize(&engine, &bytes).unwrap(),
        };
        assert!(outcome(&loaded) == expected);
        assert!(engine.fallbacks().contains(Fallbacks::COPIED_DATA));
        assert!(!has_image(&loaded.serialize().unwrap()));
    }
    // And where it is written.
    let engine = engine(true);
    let original = module(&engine, text);
    let refused = faults::refuse_memfd();
    assert!(!has_image(&original.serialize().unwrap()));
    assert!(engine.fallbacks().contains(Fallbacks::COPIED_DATA));
    drop(refused);
    // Code in plain memory is nothing to images.
    let config = Config { copied_code: true, ..Config::default() };
    let before = files_in_memory().len();
    let loaded = Module::deserialize_from_file(&Engine::new(config).unwrap(), &file.0).unwrap();
    assert_eq!(files_in_memory().len(), before + 1);
    assert!(outcome(&loaded) == expected);
}

/// Each call that can fail for want of memory, one after the other.
#[test]
fn a_call_that_fails_is_an_error_and_leaves_nothing() {
    let _one = one_at_a_time();
    let engine = engine(true);
    let bytes = module(&engine, TWO_PAGES).serialize().unwrap();
    let expected = outcome(&Module::deserialize(&engine, &bytes).unwrap());
    let before = files_in_memory();
    let mut failed = 0;
    let loaded = loop {
        let guard = faults::fail_nth(failed + 1);
        let loaded = Module::deserialize(&engine, &bytes);
        if !guard.hit() {
            break loaded.unwrap();
        }
        assert_eq!(loaded.unwrap_err().kind(), ErrorKind::System);
        assert_eq!(files_in_memory(), before);
        failed += 1;
    };
    assert!(failed >= 4, "{failed}: both files, and their mappings");
    assert!(outcome(&loaded) == expected);
}
