//! Virtual memory as ownership: what the system's own account says. Which pages are dirty, which mappings are writable
//! and executable, what fork and locked memory do, and that texts can be swapped under frames that are suspended in
//! them. One test at a time, for they read the maps of the whole process.

#[path = "common/descriptors.rs"]
mod descriptors;
#[allow(dead_code, reason = "shared with other tests, which use all of it")]
#[path = "common/machine.rs"]
mod machine;

use machine::{FUNCTION_BYTES, SITES, Stop, bytes, call, call_at, image, no_cell};
use std::cell::RefCell;
use std::fs::read_to_string;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use stepwell::base::{DefinedFuncIndex, Shared, TextOffset};
use stepwell::internals::code::{CodeRegistry, CodeSlot, EngineCode, Ownership, StepScope};
use stepwell::internals::image::{CodeImage, SiteId};
use stepwell::internals::sys::faults;

fn one_at_a_time() -> MutexGuard<'static, ()> {
    static LOCK: Mutex<()> = Mutex::new(());
    LOCK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An image of about 10 MB.
fn large() -> CodeImage {
    image(10 << 20 >> FUNCTION_BYTES.ilog2(), false)
}

fn private(registry: &mut CodeRegistry, code: &Shared<EngineCode>) -> CodeSlot {
    let cell = no_cell();
    registry.register(code, Ownership::Private { cell }).unwrap()
}

fn set(registry: &mut CodeRegistry, slot: CodeSlot, sites: &[u32]) {
    let mut edit = registry.edit();
    sites.iter().for_each(|site| edit.add_site(slot, SiteId(*site)).unwrap());
    edit.commit().unwrap();
}

fn clear(registry: &mut CodeRegistry, slot: CodeSlot, sites: &[u32]) {
    let mut edit = registry.edit();
    sites.iter().for_each(|site| edit.remove_site(slot, SiteId(*site)).unwrap());
    edit.commit().unwrap();
}

fn step(registry: &mut CodeRegistry, scope: StepScope) {
    let mut edit = registry.edit();
    edit.set_step(scope).unwrap();
    edit.commit().unwrap();
}

/// A mapping of this process.
#[derive(Debug)]
struct Vma {
    start: usize,
    flags: String,
    name: String,
}

fn parse_vma(line: &str) -> Option<Vma> {
    let mut words = line.split_ascii_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let start = usize::from_str_radix(start, 16).ok()?;
    usize::from_str_radix(end, 16).ok()?;
    let flags = words.next()?.to_owned();
    let name = words.skip(3).collect();
    Some(Vma { start, flags, name })
}

fn maps() -> Vec<Vma> {
    read_to_string("/proc/self/maps").unwrap().lines().filter_map(parse_vma).collect()
}

fn executable_texts() -> usize {
    maps().iter().filter(|vma| vma.flags.contains('x') && vma.name.contains("stepwell-text")).count()
}

/// A field of `/proc/self/smaps`, in bytes, summed over the mappings that start in the range.
fn smaps(range: std::ops::Range<usize>, field: &str) -> usize {
    let mut inside = false;
    let mut sum = 0;
    for line in read_to_string("/proc/self/smaps").unwrap().lines() {
        if let Some(vma) = parse_vma(line) {
            inside = range.contains(&vma.start);
        } else if inside && let Some(rest) = line.strip_prefix(field) {
            let kilobytes = rest.trim_start_matches(':').trim_end_matches("kB").trim();
            sum += kilobytes.parse::<usize>().unwrap() * 1024;
        }
    }
    sum
}

fn text_range(registry: &CodeRegistry, slot: CodeSlot) -> std::ops::Range<usize> {
    let store = &registry.entry(slot).store;
    let base = store.base().get();
    base..base + (store.text_len() as usize).next_multiple_of(4096)
}

fn page_tables() -> usize {
    let status = read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmPTE:")).unwrap();
    line.trim_end_matches("kB").trim().parse::<usize>().unwrap() * 1024
}

#[test]
fn a_private_copy_dirties_a_page_per_armed_site() {
    let _one = one_at_a_time();
    let code = EngineCode::new(large());
    let mut registry = CodeRegistry::new();
    let slot = private(&mut registry, &code);
    let text = text_range(&registry, slot);
    // Pages that are not the image's. (`Private_Dirty` would count the image's own pages, which are dirty since it was
    // written to its memfd, to whoever alone has them mapped.)
    let dirty = || smaps(text.clone(), "Anonymous");
    // Run through it, so that it is resident.
    for function in (0..160_000).step_by(50) {
        assert_eq!(call(&registry, slot, function), u64::from(function));
    }
    assert_eq!(dirty(), 0);
    // Far apart, in one edit and one by one.
    let sites: Vec<u32> = (0..20).map(|i| i * 30_000).collect();
    set(&mut registry, slot, &sites[..10]);
    assert_eq!(dirty(), 10 * 4096);
    for site in &sites[10..] {
        set(&mut registry, slot, &[*site]);
    }
    assert_eq!(dirty(), 20 * 4096);
    // Another site on a page that is dirty already.
    set(&mut registry, slot, &[sites[3] + 1]);
    assert_eq!(dirty(), 20 * 4096);
    // The pieces became one mapping again.
    let pieces = || maps().iter().filter(|vma| text.contains(&vma.start)).count();
    assert_eq!(pieces(), 1);
    // Stepping is a swap, which dirties nothing and loses nothing.
    step(&mut registry, StepScope::All);
    assert!(registry.is_armed(slot, SiteId(123)));
    assert_eq!(dirty(), 0);
    step(&mut registry, StepScope::Off);
    assert!(!registry.is_armed(slot, SiteId(123)));
    assert!(registry.is_armed(slot, SiteId(sites[19])));
    assert_eq!(dirty(), 20 * 4096);
    assert_eq!(pieces(), 1);
    // Cleared pages are the image's again.
    clear(&mut registry, slot, &sites);
    assert_eq!(dirty(), 4096);
    clear(&mut registry, slot, &[sites[3] + 1]);
    assert_eq!(dirty(), 0);
    assert!(bytes(&registry, slot) == large().text);
}

#[test]
fn a_thousand_private_copies_of_10_mb() {
    let _one = one_at_a_time();
    let code = EngineCode::new(large());
    private(&mut CodeRegistry::new(), &code);
    let tables_before = page_tables();
    let mut dirty = 0;
    let mut stores: Vec<_> = (0..1000).map(|_| CodeRegistry::new()).collect();
    let slots: Vec<_> = stores.iter_mut().map(|registry| private(registry, &code)).collect();
    for (i, (registry, slot)) in stores.iter_mut().zip(&slots).enumerate() {
        let site = 97 * i as u32;
        set(registry, *slot, &[site]);
        let function = (i as u32 * 150 + 1) % 160_000;
        if function != site / SITES {
            assert_eq!(call(registry, *slot, function), u64::from(function));
        }
    }
    // Once over all: the text and the cell page of each.
    for (registry, slot) in stores.iter().zip(&slots).step_by(100) {
        let text = text_range(registry, *slot);
        dirty += smaps(text.start..text.end, "Private_Dirty") + 4096;
    }
    let each = dirty / 10 + (page_tables() - tables_before) / 1000;
    assert!(each <= 40 << 10, "{each} bytes for each private copy");
    println!("{each} bytes for each private copy");
}

#[test]
fn if_all_are_private_the_engine_maps_nothing_executable() {
    let _one = one_at_a_time();
    assert_eq!(executable_texts(), 0);
    let code = EngineCode::new(image(1000, false));
    assert_eq!(executable_texts(), 0);
    let mut stores: Vec<_> = (0..3).map(|_| CodeRegistry::new()).collect();
    for registry in &mut stores {
        let slot = private(registry, &code);
        set(registry, slot, &[5]);
    }
    assert_eq!(executable_texts(), 3);
    let mut sharing = CodeRegistry::new();
    let slot = sharing.register(&code, Ownership::Shared).unwrap();
    assert_eq!(executable_texts(), 4);
    CodeRegistry::new().register(&code, Ownership::Shared).unwrap();
    assert_eq!(executable_texts(), 4);
    drop(stores);
    assert_eq!(executable_texts(), 1);
    assert_eq!(call(&sharing, slot, 9), 9);
    drop(code);
    assert_eq!(call(&sharing, slot, 9), 9);
    drop(sharing);
    assert_eq!(executable_texts(), 0);
}

#[test]
fn shared_code_keeps_no_file_open() {
    let _one = one_at_a_time();
    let open = || {
        let entries = std::fs::read_dir("/proc/self/fd").unwrap();
        entries.filter(|e| std::fs::read_link(e.as_ref().unwrap().path()).is_ok_and(|to| is_ours(&to))).count()
    };
    fn is_ours(path: &std::path::Path) -> bool {
        path.to_string_lossy().contains("stepwell-text")
    }
    let code = EngineCode::new(image(1000, false));
    let mut sharing = CodeRegistry::new();
    sharing.register(&code, Ownership::Shared).unwrap();
    assert_eq!(open(), 0);
    let mut registry = CodeRegistry::new();
    let slot = private(&mut registry, &code);
    assert_eq!(open(), 1);
    assert!(bytes(&registry, slot) == image(1000, false).text);
    drop((registry, sharing, code));
    assert_eq!(open(), 0);
}

#[test]
fn a_closed_descriptor_is_an_error_not_another_file() {
    let _one = one_at_a_time();
    let code = EngineCode::new(image(1000, false));
    let mut registry = CodeRegistry::new();
    let slot = private(&mut registry, &code);
    let fd = descriptors::replaced("stepwell-text");
    let error = CodeRegistry::new().register(&code, Ownership::Private { cell: no_cell() }).unwrap_err();
    assert!(error.message().contains("descriptor"), "{error}");
    // What is mapped goes on.
    set(&mut registry, slot, &[5]);
    clear(&mut registry, slot, &[5]);
    assert_eq!(call(&registry, slot, 9), 9);
    drop((registry, code));
    // It is not ours to close.
    descriptors::close_other(fd);
}

#[test]
fn never_writable_and_executable() {
    let _one = one_at_a_time();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut scans = 0;
            while !done.load(Relaxed) || scans < 20 {
                for vma in maps() {
                    assert!(!(vma.flags.contains('w') && vma.flags.contains('x')), "{vma:?}");
                }
                scans += 1;
            }
            scans
        });
        for fallback in [false, true] {
            let _refused = fallback.then(faults::refuse_memfd);
            for round in 0..100 {
                let mut registry = CodeRegistry::new();
                let slot = private(&mut registry, &EngineCode::new(image(3000, true)));
                let sites: Vec<u32> = (0..12_000).step_by(1 + round * 7).collect();
                set(&mut registry, slot, &sites);
                step(&mut registry, StepScope::All);
                step(&mut registry, StepScope::Functions(vec![(slot, DefinedFuncIndex::new(77))]));
                step(&mut registry, StepScope::Off);
                clear(&mut registry, slot, &sites);
                assert_eq!(call(&registry, slot, 2_999), 2_999);
            }
        }
        done.store(true, Relaxed);
        assert!(watcher.join().unwrap() >= 20);
    });
}

#[test]
fn texts_are_swapped_under_suspended_frames() {
    let _one = one_at_a_time();
    for fallback in [false, true] {
        let _refused = fallback.then(faults::refuse_memfd);
        // Five frames deep in a text of several megabytes, and edits of all kinds at every stop.
        let functions = 50_000;
        let image = image(functions, true);
        let registry = RefCell::new(CodeRegistry::new());
        let slot = private(&mut registry.borrow_mut(), &EngineCode::new(image.clone()));
        let pc = |site: u32| {
            let registry = registry.borrow();
            registry.entry(slot).store.pc(image.tables.site(SiteId(site)).after).get()
        };
        let first = (functions - 5) * SITES;
        let mut order = Vec::new();
        // Functions call the next one behind their second site.
        for f in 0..5 {
            order.extend([pc(first + f * SITES), pc(first + f * SITES + 1)]);
        }
        for f in (0..5).rev() {
            order.extend([pc(first + f * SITES + 2), pc(first + f * SITES + 3)]);
        }
        let mut stops = Vec::new();
        let mut stop = Box::pin(Stop(Box::new(|pc| {
            let mut registry = registry.borrow_mut();
            stops.push(pc);
            let n = stops.len() as u32;
            step(&mut registry, StepScope::Off);
            set(&mut registry, slot, &[n * 1000, first + n % 20]);
            let all = (0..5).map(|f| (slot, DefinedFuncIndex::new(functions - 5 + f))).collect();
            step(&mut registry, StepScope::Functions(all));
            clear(&mut registry, slot, &[n * 1000, first + n % 20]);
            if !n.is_multiple_of(3) {
                step(&mut registry, StepScope::All);
            }
        })));
        registry.borrow_mut().set_cell(slot, stop.cell()).unwrap();
        let entry = registry.borrow().entry(slot).store.pc(TextOffset::new((functions - 5) * FUNCTION_BYTES));
        step(&mut registry.borrow_mut(), StepScope::All);
        assert_eq!(call_at(entry.get()), u64::from(functions - 5));
        drop(stop);
        assert_eq!(stops, order);
        step(&mut registry.borrow_mut(), StepScope::Off);
        assert!(bytes(&registry.borrow(), slot) == image.text);
    }
}

#[test]
fn two_threads_edit_their_copies_of_one_image() {
    let _one = one_at_a_time();
    let code = EngineCode::new(image(20_000, false));
    std::thread::scope(|scope| {
        for thread in 0..2 {
            let code = &code;
            scope.spawn(move || {
                for round in 0..150u32 {
                    let hits = RefCell::new(0);
                    let mut stop = Box::pin(Stop(Box::new(|_| *hits.borrow_mut() += 1)));
                    let mut registry = CodeRegistry::new();
                    let cell = stop.cell();
                    let slot = registry.register(code, Ownership::Private { cell }).unwrap();
                    let function = (round * 131 + thread) % 20_000;
                    set(&mut registry, slot, &[function * SITES]);
                    assert_eq!(call(&registry, slot, function), u64::from(function));
                    // The other thread's function is not armed here.
                    assert_eq!(call(&registry, slot, function ^ 1), u64::from(function ^ 1));
                    assert_eq!(*hits.borrow(), 1);
                    step(&mut registry, StepScope::All);
                    assert_eq!(call(&registry, slot, function ^ 1), u64::from(function ^ 1));
                    assert_eq!(*hits.borrow(), 1 + SITES);
                }
            });
        }
    });
}

#[test]
fn a_forked_child_has_its_own_copy() {
    let _one = one_at_a_time();
    for fallback in [false, true] {
        let _refused = fallback.then(faults::refuse_memfd);
        let hits = RefCell::new(0);
        let mut stop = Box::pin(Stop(Box::new(|_| *hits.borrow_mut() += 1)));
        let mut registry = CodeRegistry::new();
        let cell = stop.cell();
        let code = EngineCode::new(image(1000, false));
        let slot = registry.register(&code, Ownership::Private { cell }).unwrap();
        set(&mut registry, slot, &[8]);
        let before = bytes(&registry, slot);
        // SAFETY: the child touches only what this thread owns, and leaves by _exit.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let mut right = call(&registry, slot, 2) == 2 && *hits.borrow() == 1;
            for scope in [StepScope::All, StepScope::Off, StepScope::All] {
                let mut edit = registry.edit();
                right &= edit.set_step(scope).is_ok() && edit.commit().is_ok();
            }
            right &= call(&registry, slot, 700) == 700 && *hits.borrow() == 1 + SITES;
            // A store of its own, too.
            let mut own = CodeRegistry::new();
            right &= own.register(&code, Ownership::Private { cell: no_cell() }).is_ok();
            // SAFETY: ends the child without running anything of the test harness.
            unsafe { libc::_exit(i32::from(!right)) };
        }
        let mut status = 0;
        // SAFETY: waits for the child made above.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0, "child: status {status:#x}");
        assert!(bytes(&registry, slot) == before);
        assert_eq!(call(&registry, slot, 700), 700);
        assert_eq!(*hits.borrow(), 0);
    }
}

#[test]
fn locked_memory_is_patched_all_the_same() {
    let _one = one_at_a_time();
    let image = image(2000, false);
    let mut registry = CodeRegistry::new();
    let slot = private(&mut registry, &EngineCode::new(image.clone()));
    let text = text_range(&registry, slot);
    // SAFETY: locking changes nothing about what memory holds.
    let locked = unsafe { libc::mlock(text.start as *const libc::c_void, text.len()) };
    assert_eq!(locked, 0, "{}", std::io::Error::last_os_error());
    for _ in 0..3 {
        set(&mut registry, slot, &[1, 500, 5000]);
        assert!(registry.is_armed(slot, SiteId(500)));
        clear(&mut registry, slot, &[500, 5000]);
        step(&mut registry, StepScope::All);
        assert!(registry.is_armed(slot, SiteId(7999)));
        step(&mut registry, StepScope::Off);
        clear(&mut registry, slot, &[1]);
        assert!(bytes(&registry, slot) == image.text);
    }
}

/// Where the system does not swap texts, stepping patches every site. Older systems do not when a text is several
/// mappings to them, newer ones do even then.
#[test]
fn a_text_that_cannot_be_swapped_is_stepped_in_place() {
    let _one = one_at_a_time();
    for refused in [false, true] {
        let image = image(2000, false);
        let mut registry = CodeRegistry::new();
        let slot = private(&mut registry, &EngineCode::new(image.clone()));
        let text = text_range(&registry, slot);
        let page = (text.start + 8 * 4096) as *mut libc::c_void;
        // SAFETY: a page that is not inherited by children is a mapping of its own; nothing else changes.
        assert_eq!(unsafe { libc::madvise(page, 4096, libc::MADV_DONTFORK) }, 0);
        assert!(maps().iter().filter(|vma| text.contains(&vma.start)).count() > 1);
        let _refused = refused.then(faults::refuse_swap);
        set(&mut registry, slot, &[1, 2500]);
        for _ in 0..2 {
            step(&mut registry, StepScope::All);
            assert!((0..8000).all(|site| registry.is_armed(slot, SiteId(site))));
            assert!(!refused || smaps(text.clone(), "Anonymous") >= 30 * 4096);
            clear(&mut registry, slot, &[2500]);
            step(&mut registry, StepScope::Off);
            assert!((0..8000).all(|site| registry.is_armed(slot, SiteId(site)) == (site == 1)));
            assert_eq!(smaps(text.clone(), "Anonymous"), 4096);
            set(&mut registry, slot, &[2500]);
        }
        clear(&mut registry, slot, &[1, 2500]);
        assert!(bytes(&registry, slot) == image.text);
    }
}
