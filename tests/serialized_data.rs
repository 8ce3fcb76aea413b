//! The data of serialized modules: memories begin with what their Wasm says, whatever shape that has and however it was
//! loaded; it stands in the file once, and loading copies it once; what is damaged, foreign, or changed meanwhile is
//! found. One test at a time, for some look at what the whole process has.

#![allow(clippy::single_range_in_vec_init, reason = "lists of ranges, and some have one")]

use std::collections::BTreeMap;
use std::ops::Range;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use stepwell::base::ErrorKind;
use stepwell::internals::image::{ElfImages, ImageRef, Tier, seal_elf, write_elf};
use stepwell::internals::sys::faults;
use stepwell::runtime::{Config, Engine, Extern, Fallbacks, Instance, Module, Store};

fn one_at_a_time() -> MutexGuard<'static, ()> {
    static LOCK: Mutex<()> = Mutex::new(());
    LOCK.lock().unwrap_or_else(PoisonError::into_inner)
}

const PAGE: usize = 4096;
/// Data segments are left out of a copy if they are at least as long.
const LARGE: usize = 32 << 10;
/// Where the head of a file says what is left out: where each piece of it begins, and where it ends.
const RANGES_AT: usize = 120;

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

/// Modules of all shapes, and how many of their segments may be left out of a copy.
fn shapes() -> Vec<(String, usize)> {
    let large = |at: usize, by: usize| segments(1, LARGE + by, at, 0);
    let all = [
        (r#"(memory (export "m") 1)"#.to_owned(), 0),
        (r#"(memory (export "m") 0)"#.into(), 0),
        (r#"(memory (export "m") 0) (data (i32.const 0) "")"#.into(), 0),
        (r#"(memory (export "m") 1) (data (i32.const 9) "")"#.into(), 0),
        (r#"(memory (export "m") 1) (data "passive")"#.into(), 0),
        (r#"(memory (export "m") 1) (data (i32.const 0) "start")"#.into(), 0),
        (r#"(memory (export "m") 3) (data (i32.const 196605) "end")"#.into(), 0),
        (r#"(memory (export "m") 3) (data (i32.const 4094) "across") (data (i32.const 4096) "over")"#.into(), 0),
        (r#"(memory (export "m") 1) (data (i32.const 8192) "\00\00\00")"#.into(), 0),
        (r#"(memory (export "m") 2 9) (data (i32.const 1) "a") (data "p") (data (i32.const 70000) "b")"#.into(), 0),
        // Far from the start and the end: what is around it is not in the image.
        (format!("(memory (export \"m\") 100) {}", segments(3, 7, 5 << 20, 20_000)), 0),
        (format!("(memory (export \"m\") 100) {}", segments(40, 1, 0, 100_000)), 0),
        // Too far from each other.
        (format!("(memory (export \"m\") 100) {}", segments(40, 1, 0, 150_000)), 0),
        (format!("(memory (export \"m\") 3) {}", segments(30, 4096, 1, 5000)), 0),
        // Each in a page of its own: more pages than they are worth.
        (format!("(memory (export \"m\") 100) {}", segments(600, 1, 0, 8192)), 0),
        // A start function writes, and drops a segment.
        (
            r#"(memory (export "m") 1) (data $d (i32.const 0) "abc") (start $s)
               (func $s (i32.store8 (i32.const 1) (i32.const 33)) (data.drop $d))"#
                .into(),
            0,
        ),
        // Where it is depends on what is imported.
        (r#"(import "p" "g" (global $g i32)) (memory (export "m") 1) (data (global.get $g) "there")"#.into(), 0),
        // The memory is somebody else's.
        (r#"(import "p" "m" (memory 1)) (data (i32.const 5) "x") (export "m" (memory 0))"#.into(), 0),
        // Behind what traps, nothing is known, or nothing more.
        (
            r#"(import "p" "m" (memory 1)) (table 1 funcref) (func $f) (elem (i32.const 1) $f)
               (data (i32.const 5) "x")"#
                .into(),
            0,
        ),
        (
            r#"(memory (export "m") 1) (table 1 funcref) (func $f) (elem (i32.const 1) $f) (data (i32.const 5) "x")"#
                .into(),
            0,
        ),
        (r#"(memory (export "m") 1) (data (i32.const 5) "x") (data (i32.const 65535) "xy")"#.into(), 0),
        // Large ones: at the start, in the middle, at the end; beside each other and beside small ones, in any order.
        (format!(r#"(memory (export "m") 3) {}"#, large(0, 0)), 1),
        (format!(r#"(memory (export "m") 3) {}{}"#, large(0, 5), large(3 * 65536 - LARGE, 0)), 2),
        (format!(r#"(memory (export "m") 9) {}{}"#, large(70_001, 1), segments(30, 900, 1000, 1500)), 1),
        (format!(r#"(memory (export "m") 9) {}"#, segments(5, LARGE + 3, 4000, LARGE + 77)), 5),
        (format!(r#"(memory (export "m") 9) (data "p") {}{}"#, large(2 * LARGE, 0), segments(3, 9, LARGE, 9)), 1),
        // Under and over others: only what is all there.
        (format!(r#"(memory (export "m") 9) {}{}(data (i32.const 5) "over")"#, large(0, 0), large(LARGE, 0)), 1),
        (format!(r#"(memory (export "m") 9) (data (i32.const 9) "under") {}"#, large(5, 0)), 0),
        (format!(r#"(memory (export "m") 9) {}{}"#, large(5, 0), large(LARGE, 0)), 0),
        // Behind what traps.
        (format!(r#"(memory (export "m") 1) {}(data (i32.const 65535) "xy")"#, large(5, 0)), 1),
        (format!(r#"(memory (export "m") 1) (data (i32.const 65535) "xy"){}"#, large(5, 0)), 0),
        // What is passive, for an imported memory, or where an imported global says.
        (
            format!(
                r#"(memory (export "m") 2) (data $p "{}") {} (start $s)
                   (func $s (memory.init $p (i32.const 60000) (i32.const 1) (i32.const 40000)))"#,
                "q".repeat(50_000),
                large(7, 0)
            ),
            1,
        ),
        (format!(r#"(import "p" "m" (memory 1)) {} (export "m" (memory 0))"#, large(5, 0)), 0),
        (
            format!(
                r#"(import "p" "g" (global $g i32)) (memory (export "m") 2) (data (global.get $g) "there") {}"#,
                large(500, 0)
            ),
            0,
        ),
    ];
    all.into_iter().map(|(text, count)| (format!("(module {text})"), count)).collect()
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

/// What may be left out of a copy of a file.
fn left_out(bytes: &[u8]) -> Vec<Range<usize>> {
    ElfImages::open(bytes).unwrap().left_out().to_vec()
}

#[test]
fn memories_begin_with_what_the_wasm_says() {
    let _one = one_at_a_time();
    let [with, without] = [true, false].map(engine);
    for (text, count) in shapes() {
        let expected = outcome(&module(&without, &text));
        let original = module(&with, &text);
        let bytes = original.serialize().unwrap();
        assert_eq!(left_out(&bytes).len(), count, "{text}");
        assert!(outcome(&original) == expected, "{text}");
        assert!(original.serialize().unwrap() == bytes);
        assert!(module(&without, &text).serialize().unwrap() == bytes);
        let file = File::new("shape", &bytes);
        for engine in [&with, &without] {
            for loaded in
                [Module::deserialize(engine, &bytes).unwrap(), Module::deserialize_from_file(engine, &file.0).unwrap()]
            {
                assert!((0..2).all(|_| outcome(&loaded) == expected), "{text}");
                // Before and after the Wasm has been put together.
                assert!(loaded.serialize().unwrap() == bytes);
                assert!(loaded.binary() == original.binary());
                assert!(loaded.serialize().unwrap() == bytes);
            }
        }
    }
}

/// What debuggers compile, and what is read for names and positions, is what it would be.
#[test]
fn nobody_misses_what_is_left_out() {
    let _one = one_at_a_time();
    let engine = Engine::new(Config { debug: true, ..Config::default() }).unwrap();
    let text = format!(
        r#"(module $named (memory (export "m") 3) {} (@custom "before" "one") (@custom "after" (after data) "two")
            (func $f (export "f") (param i32) (result i32) (i32.div_u (i32.const 7) (i32.load8_u (local.get 0)))))"#,
        segments(2, LARGE, 100, LARGE + 5)
    );
    let original = module(&engine, &text);
    let bytes = original.serialize().unwrap();
    assert_eq!(left_out(&bytes).len(), 2);
    let loaded = Module::deserialize(&engine, &bytes).unwrap();
    let custom = |module: &Module| -> Vec<(String, Vec<u8>)> {
        module.custom_sections().map(|(name, data)| (name.to_owned(), data.to_vec())).collect()
    };
    assert!(custom(&loaded).len() >= 3);
    assert_eq!(custom(&loaded), custom(&original));
    assert_eq!((loaded.name(), loaded.name()), (Some("named"), original.name()));
    let code = [&original, &loaded].map(|module| module.debug_code(&|_, _| true).unwrap());
    assert_eq!(code[0].tables(), code[1].tables());
    assert!(code[0].copy_text().unwrap() == code[1].copy_text().unwrap());
    let func = stepwell::base::DefinedFuncIndex::new(0);
    assert_eq!(loaded.region_graph(func).unwrap(), original.region_graph(func).unwrap());
    loaded.rerun(func).unwrap();
    assert!(outcome(&loaded) == outcome(&original));
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
    assert!(bytes.len() < (8 << 20) + (20 << 10), "the data is there once: {}", bytes.len());
    assert_eq!(left_out(&bytes).len(), 4);
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
        assert_eq!(new.len(), 2, "the copy, and the image: {new:?}");
        // But for pages of which a part is data: two for each piece, in both.
        assert!(new.iter().sum::<usize>() <= bytes.len().next_multiple_of(PAGE) + 4 * 4 * PAGE, "{new:?}");

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
        // To put the Wasm together takes plain memory alone.
        let before = files_in_memory();
        assert!(loaded.serialize().unwrap() == bytes);
        assert_eq!(files_in_memory(), before);
        // What becomes of the file is nothing to it.
        if from_file {
            std::fs::write(&file.0, vec![0xcc; bytes.len()]).unwrap();
            std::fs::File::options().write(true).open(&file.0).unwrap().set_len(10).unwrap();
            assert!(outcome(&loaded) == expected);
        }
    }
    // An engine without images copies all of it to one.
    let before = files_in_memory().values().sum::<usize>();
    let plain = Engine::new(Config { memory_images: false, ..engine.config().clone() }).unwrap();
    let plain = Module::deserialize(&plain, &bytes).unwrap();
    let copied = files_in_memory().values().sum::<usize>() - before;
    assert_eq!(copied, bytes.len().next_multiple_of(PAGE));
    assert!(outcome(&plain) == expected);
}

/// A module with a large segment and a small one.
fn two() -> String {
    format!(
        r#"(module (memory (export "m") 1) (data (i32.const 4090) "across pages") {} (@custom "c" (after data) "end"))"#,
        segments(1, LARGE + 3, 8190, 0)
    )
}

#[test]
fn every_damaged_byte_is_found() {
    let _one = one_at_a_time();
    let [with, without] = [true, false].map(engine);
    let mut bytes = module(&with, &two()).serialize().unwrap();
    let data = left_out(&bytes).remove(0);
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
    // Of the data some bytes, and both ends.
    let few = |at: &usize| !(data.start + 9..data.end - 9).contains(at) || at.is_multiple_of(61);
    for len in (0..bytes.len()).filter(few) {
        for engine in [&with, &without].into_iter().take(1 + usize::from(len % 8 == 0)) {
            let (kind, message) = refused(&bytes[..len], len % 128 == 0, engine).unwrap();
            assert_eq!(kind, ErrorKind::InvalidModule, "{len}: {message}");
            assert!(len < RANGES_AT || message.contains("truncated"), "{len}: {message}");
        }
    }
    for at in (0..bytes.len()).filter(few) {
        bytes[at] ^= 1 << (at % 8);
        let formats = 72..76;
        let expected = if formats.contains(&at) { ErrorKind::Unsupported } else { ErrorKind::InvalidModule };
        for engine in [&with, &without].into_iter().take(1 + usize::from(at % 8 == 5)) {
            let (kind, message) = refused(&bytes, at % 128 == 5, engine).unwrap();
            assert_eq!(kind, expected, "byte {at}: {message}");
            assert!(!data.contains(&at) || message.contains("the hash of its data"), "byte {at}: {message}");
        }
        bytes[at] ^= 1 << (at % 8);
    }
    assert_eq!(refused(&bytes, true, &with), None);
    assert!(refused(&[&bytes[..], &[0; PAGE]].concat(), true, &with).unwrap().1.contains("are there"));
}

/// Files whose hashes are right, and that would have something else left out than data that goes to images.
#[test]
fn nothing_else_is_left_out() {
    let _one = one_at_a_time();
    let [with, without] = [true, false].map(engine);
    // The file of another module, with this left out of its Wasm.
    let write = |text: &str, left_out: &[Range<usize>]| {
        let original = module(&with, text);
        let good = original.serialize().unwrap();
        let file = ElfImages::open(&good).unwrap();
        let (tables, code) = file.image(Tier::Production).unwrap().unwrap();
        let image = ImageRef { text: &good[code], tables: &tables };
        (write_elf(file.manifest().unwrap(), original.binary(), &[image], left_out), outcome(&original))
    };
    let refused = |bytes: &[u8], what: &str| {
        let error = Module::deserialize(&with, bytes).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidModule, "{what}: {error}");
    };
    let text = two();
    let segment = module(&with, &text).info().data[1].bytes.clone();
    let Range { start, end } = segment;
    for left_out in [vec![], vec![start..end]] {
        let (bytes, expected) = write(&text, &left_out);
        assert!(outcome(&Module::deserialize(&with, &bytes).unwrap()) == expected);
    }
    for left_out in [
        vec![start + 1..end],
        vec![start - 1..end],
        vec![start..end - 1],
        vec![start..end + 1],
        vec![start..start + 100, start + 100..end],
        vec![0..9],
        vec![8..9, start..end],
        vec![0..end],
    ] {
        refused(&write(&text, &left_out).0, &format!("{left_out:?} of {start}..{end}"));
    }
    // Engines without images do not care.
    let (bytes, expected) = write(&text, &[start + 1..end]);
    assert!(outcome(&Module::deserialize(&without, &bytes).unwrap()) == expected);
    // Small ones may be, each alone or all.
    let small = format!(r#"(module (memory (export "m") 1) (data (i32.const 9) "") {})"#, segments(3, 5, 9, 5));
    let data: Vec<_> = module(&with, &small).info().data[1..].iter().map(|segment| segment.bytes.clone()).collect();
    for left_out in [&data[..], &data[1..2]] {
        let (bytes, expected) = write(&small, left_out);
        let loaded = Module::deserialize(&with, &bytes).unwrap();
        assert!(outcome(&loaded) == expected);
        assert!(loaded.binary() == module(&with, &small).binary());
    }
    // Segments that go to no image, or that others are over.
    for (segment, text) in [
        (0, r#"(module (memory (export "m") 1) (data "passive"))"#),
        (0, r#"(module (import "p" "m" (memory 1)) (data (i32.const 0) "x") (export "m" (memory 0)))"#),
        (
            1,
            r#"(module (import "p" "g" (global i32)) (memory (export "m") 1) (data (global.get 0) "x")
            (data (i32.const 0) "y"))"#,
        ),
        (0, r#"(module (memory (export "m") 100) (data (i32.const 0) "a") (data (i32.const 6000000) "b"))"#),
        (0, r#"(module (memory (export "m") 1) (data (i32.const 0) "under") (data (i32.const 3) "x"))"#),
    ] {
        let range = module(&with, text).info().data[segment].bytes.clone();
        refused(&write(text, std::slice::from_ref(&range)).0, text);
    }
    // The code, the manifest, what the file ends with, all, and what is no range.
    let good = module(&with, &text).serialize().unwrap();
    let file = ElfImages::open(&good).unwrap();
    let code = file.image(Tier::Production).unwrap().unwrap().1;
    let (len, head) = (good.len(), RANGES_AT + 16);
    for wrong in
        [code, head..head + 5, len - 1..len, len - 640..len, head..len, 0..len, 9..9, len..len + 1, 9..usize::MAX]
    {
        let mut bytes = good.clone();
        bytes[RANGES_AT..RANGES_AT + 8].copy_from_slice(&wrong.start.to_le_bytes());
        bytes[RANGES_AT + 8..RANGES_AT + 16].copy_from_slice(&wrong.end.to_le_bytes());
        seal_elf(&mut bytes);
        // What was in its place may have said that it is of another build.
        let kind = Module::deserialize(&with, &bytes).unwrap_err().kind();
        assert!(matches!(kind, ErrorKind::InvalidModule | ErrorKind::Unsupported), "{wrong:?}: {kind:?}");
    }
    // A length that fits.
    for len in [good.len() - 1, good.len() + 1, good.len() / 2] {
        let mut bytes = good.clone();
        bytes.resize(len, 0);
        seal_elf(&mut bytes);
        assert!(Module::deserialize(&with, &bytes).is_ok_and(|_| len > good.len()) || len < good.len(), "{len}");
    }
}

#[test]
fn a_file_that_changes_meanwhile_is_whole_or_refused() {
    let _one = one_at_a_time();
    let engine = engine(true);
    let bytes = module(&engine, &format!("(module (memory (export \"m\") 20) {})", segments(3, 2 * LARGE, 0, 100_000)))
        .serialize()
        .unwrap();
    assert_eq!(left_out(&bytes).len(), 3);
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
                match round % 4 {
                    0 => file.write_all_at(&[0xcc; PAGE], (all.len() - 3 * PAGE) as u64).unwrap(),
                    1 => file.write_all_at(&[0xcc; PAGE], 2 * LARGE as u64).unwrap(),
                    2 => file.set_len((all.len() / 2) as u64).unwrap(),
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
    let text = two();
    let expected = outcome(&module(&engine(false), &text));
    let bytes = module(&engine(true), &text).serialize().unwrap();
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
        assert!(loaded.serialize().unwrap() == bytes);
    }
    // Code in plain memory is nothing to images.
    let config = Config { copied_code: true, ..Config::default() };
    let before = files_in_memory().len();
    let loaded = Module::deserialize_from_file(&Engine::new(config).unwrap(), &file.0).unwrap();
    assert_eq!(files_in_memory().len(), before + 1);
    assert!(outcome(&loaded) == expected);
}

/// A process may have so many files of data and no more: what is loaded then has a copy of its own with all in it.
#[test]
fn where_there_are_too_many_files_data_is_in_the_copy() {
    let _one = one_at_a_time();
    let engine = engine(true);
    let bytes = module(&engine, &two()).serialize().unwrap();
    let expected = outcome(&Module::deserialize(&engine, &bytes).unwrap());
    let files = |soft: Option<libc::rlim_t>| {
        // SAFETY: all zero is a value, and the calls read and write it.
        unsafe {
            let mut limit: libc::rlimit = std::mem::zeroed();
            assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit), 0);
            let before = limit.rlim_cur;
            limit.rlim_cur = soft.unwrap_or(before);
            assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &limit), 0);
            before
        }
    };
    let before = files(Some(200));
    let loaded: Vec<_> = (0..60).map(|_| Module::deserialize(&engine, &bytes)).collect();
    let made = loaded.iter().map(|module| module.as_ref().is_ok_and(|module| outcome(module) == expected));
    let made = made.collect::<Vec<_>>();
    files(Some(before));
    assert!(made.iter().all(|made| *made));
    assert!(engine.fallbacks().contains(Fallbacks::COPIED_DATA));
    assert!(loaded.iter().all(|module| module.as_ref().unwrap().serialize().unwrap() == bytes));
}

/// Each call that can fail for want of memory, one after the other.
#[test]
fn a_call_that_fails_is_an_error_and_leaves_nothing() {
    let _one = one_at_a_time();
    let engine = engine(true);
    let bytes = module(&engine, &two()).serialize().unwrap();
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
