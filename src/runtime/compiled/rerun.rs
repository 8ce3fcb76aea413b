//! Rerun code at run time: mapped, ready to run, and kept by the engine for all its stores, up to a bound. What to
//! rerun, and from where, is decided in `debug/`.
//!
//! Each function has a mapping of its own. Sharing pages would mean writing to one while another store runs what is on
//! it, and no page is ever writable and executable at once. So the bound counts whole pages.

use crate::abi::VMContext;
use crate::base::{DefinedFuncIndex, Error, ErrorKind, Result, filled};
use crate::code::FixedCode;
use crate::compile::Outline;
use crate::image::{RerunEnd, RerunImage};
use crate::runtime::compiled::engine::Engine;
use crate::runtime::compiled::log::{LogLevel, Logger};
use crate::runtime::compiled::module::{ModuleId, WeakModule};
use lru::LruCache;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The most functions kept, however small: each is a mapping, and Linux gives a process 65,530 at first.
const MAX_KEPT: usize = 16 << 10;

/// The convention of rerun code; see [`crate::image::RerunImage`].
type Entry = unsafe extern "sysv64" fn(*mut VMContext, *mut u64, *const u8, u32) -> u64;

/// A function's rerun code, ready to run in any instance of its module, on any thread.
#[derive(Debug)]
pub struct RerunCode {
    code: Code,
    /// What is known of the instructions. Its machine code is in the mapping only.
    image: RerunImage,
    all_stops: Box<[u8]>,
    bytes: usize,
}

/// Where the machine code is.
#[derive(Debug)]
enum Code {
    /// There is one piece for the whole function.
    Whole(Machine),
    /// A piece is made for a run of instructions when one of them is first to be run.
    Runs { module: WeakModule, func: DefinedFuncIndex, outline: Outline },
}

/// Mapped machine code.
#[derive(Debug)]
struct Machine {
    entry: Entry,
    /// Where `entry` is.
    mapping: FixedCode,
}

impl Machine {
    fn new(engine: &Engine, code: Vec<u8>) -> Result<Machine> {
        let mapping = engine.fixed_code(code).map_err(|error| error.context("mapping rerun code"))?;
        // SAFETY: by the contract of an image, its code is one function of this convention from the first byte on. It
        // is called through `run` only, while `self` and so the mapping lives.
        let entry = unsafe { std::mem::transmute::<usize, Entry>(mapping.entry().get()) };
        Ok(Machine { entry, mapping })
    }

    /// Whole pages.
    fn bytes(&self) -> usize {
        self.mapping.mapped_bytes()
    }
}

/// The rerun code of a run of a function's instructions.
#[derive(Debug)]
pub struct RerunRun {
    of: (ModuleId, DefinedFuncIndex),
    positions: Range<u32>,
    machine: Machine,
}

impl RerunRun {
    /// The bytes of memory that it takes, whole pages counted.
    pub fn bytes(&self) -> usize {
        size_of::<RerunRun>() + self.machine.bytes()
    }
}

/// The run that was rerun last: at hand for the next step.
pub type LastRun = Option<Arc<RerunRun>>;

impl RerunCode {
    /// Maps the code of an image.
    pub(in crate::runtime) fn new(engine: &Engine, mut image: RerunImage) -> Result<RerunCode> {
        let machine = Machine::new(engine, std::mem::take(&mut image.code))?;
        let more = machine.bytes();
        Self::with(Code::Whole(machine), image, more)
    }

    /// Code that is made for one run at a time.
    pub(in crate::runtime) fn in_runs(
        module: WeakModule,
        func: DefinedFuncIndex,
        (outline, image): (Outline, RerunImage),
    ) -> Result<RerunCode> {
        let more = outline.bytes();
        Self::with(Code::Runs { module, func, outline }, image, more)
    }

    fn with(code: Code, mut image: RerunImage, more: usize) -> Result<RerunCode> {
        image.locals.shrink_to_fit();
        image.instructions.shrink_to_fit();
        image.stacks.shrink_to_fit();
        let all_stops = filled(1, image.instructions.len(), "the stops of a function")?.into_boxed_slice();
        let bytes = size_of::<RerunCode>() + image.bytes() + all_stops.len() + more;
        Ok(RerunCode { code, image, all_stops, bytes })
    }

    /// What is known of its instructions. [`RerunImage::code`] is empty: the code is mapped.
    pub fn image(&self) -> &RerunImage {
        &self.image
    }

    /// A stop at every instruction, for [`RerunCode::run`].
    pub fn all_stops(&self) -> &[u8] {
        &self.all_stops
    }

    /// The bytes of memory that it takes, whole pages of machine code included.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Runs the instruction at position `from`, and on from there; see [`crate::image::RerunImage`]. It has an end.
    /// Where code is made for a run at a time, it is made here; otherwise, and while what runs is in the last run, no
    /// lock is taken.
    ///
    /// # Errors
    /// Those of compiling a run; [`ErrorKind::State`] where there is none yet and the module is gone. The values are
    /// then those before some instruction on the way: they are of no use any more.
    ///
    /// # Safety
    /// - `vmctx` is of a live instance of the module that this is the code of, and nobody changes the instance's
    ///   memories, tables and globals meanwhile.
    /// - `values` are as many words as [`RerunImage::words`] says, and nobody else uses them. They hold a state of the
    ///   function before `from`, with references that are of the instance's store.
    /// - `stops` is a byte for each instruction.
    /// - `from` is a position of [`RerunImage::instructions`].
    #[inline]
    pub unsafe fn run(
        &self,
        last: &mut LastRun,
        vmctx: *mut VMContext,
        values: *mut u64,
        stops: *const u8,
        mut from: u32,
    ) -> Result<RerunEnd> {
        debug_assert!((from as usize) < self.image.instructions.len());
        loop {
            let entry = match &self.code {
                Code::Whole(machine) => machine.entry,
                Code::Runs { module, func, outline } => self.entry_of(last, (module, *func), outline, from)?,
            };
            // SAFETY: the arguments are as the code needs them, by the contract; it is mapped as long as `self`, or
            // `last`, lives.
            let raw = unsafe { entry(vmctx, values, stops, from) };
            if let Some(end) = RerunEnd::from_raw(raw) {
                return Ok(end);
            }
            from = raw as u32;
            if (raw >> 32) as u32 != RerunEnd::ONWARD || from as usize >= self.image.instructions.len() {
                no_end(raw);
            }
            // SAFETY: there is a byte for each instruction, by the contract.
            if unsafe { *stops.add(from as usize) } != 0 {
                return Ok(RerunEnd::Stopped(from));
            }
        }
    }

    /// The entry of the run that `from` is in, which is `last` from now on.
    #[inline]
    fn entry_of(
        &self,
        last: &mut LastRun,
        of: (&WeakModule, DefinedFuncIndex),
        outline: &Outline,
        from: u32,
    ) -> Result<Entry> {
        match last {
            Some(run) if run.positions.contains(&from) && run.of == (of.0.id(), of.1) => Ok(run.machine.entry),
            _ => self.change_run(last, of, outline, from),
        }
    }

    #[cold]
    fn change_run(
        &self,
        last: &mut LastRun,
        (module, func): (&WeakModule, DefinedFuncIndex),
        outline: &Outline,
        from: u32,
    ) -> Result<Entry> {
        let run = module.rerun_run(func, (outline, &self.image), from)?;
        let entry = run.machine.entry;
        *last = Some(run);
        Ok(entry)
    }
}

impl RerunRun {
    /// Maps the code of a run.
    pub(in crate::runtime) fn new(
        engine: &Engine,
        of: (ModuleId, DefinedFuncIndex),
        (code, positions): (Vec<u8>, Range<u32>),
    ) -> Result<RerunRun> {
        Ok(RerunRun { of, positions, machine: Machine::new(engine, code)? })
    }
}

#[cold]
#[inline(never)]
fn no_end(raw: u64) -> ! {
    panic!("fault of the compiler: rerun code ended with {raw:#x}, which means nothing")
}

/// A function of a module, and the number of a run of it where it is that run's code.
type Key = (ModuleId, DefinedFuncIndex, Option<u32>);

/// What can be kept.
#[derive(Clone)]
enum Item {
    Code(Arc<RerunCode>),
    Run(Arc<RerunRun>),
}

impl Item {
    fn bytes(&self) -> usize {
        match self {
            Item::Code(code) => code.bytes(),
            Item::Run(run) => run.bytes(),
        }
    }
}

#[cold]
fn misplaced() -> Error {
    Error::new(ErrorKind::Panic, "fault of the engine: rerun code is kept under another's name")
}

/// The rerun code of an engine's modules: the most recently used of it. What is in use lives on when it is not kept.
pub(in crate::runtime) struct RerunCache {
    bound: usize,
    log: Option<Logger>,
    kept: Mutex<Kept>,
}

struct Kept {
    codes: LruCache<Key, Item>,
    /// What they take together.
    bytes: usize,
}

impl RerunCache {
    /// Keeps up to `bound` bytes.
    pub(in crate::runtime) fn new(bound: usize, log: Option<Logger>) -> RerunCache {
        RerunCache { bound, log, kept: Mutex::new(Kept { codes: LruCache::unbounded(), bytes: 0 }) }
    }

    /// The code of a function: what is kept, or what `make` gives. `make` runs without the lock, so threads that ask
    /// for the same function at once may each make it; all get the code of the one that was done first.
    pub(in crate::runtime) fn get_or_make(
        &self,
        module: ModuleId,
        func: DefinedFuncIndex,
        make: impl FnOnce() -> Result<RerunCode>,
    ) -> Result<Arc<RerunCode>> {
        let item = self.get_or_make_item((module, func, None), || Ok(Item::Code(Arc::new(make()?))))?;
        match item {
            Item::Code(code) => Ok(code),
            Item::Run(_) => Err(misplaced()),
        }
    }

    /// The same for a run of a function, by its number.
    pub(in crate::runtime) fn run_or_make(
        &self,
        module: ModuleId,
        func: DefinedFuncIndex,
        number: u32,
        make: impl FnOnce() -> Result<RerunRun>,
    ) -> Result<Arc<RerunRun>> {
        let item = self.get_or_make_item((module, func, Some(number)), || Ok(Item::Run(Arc::new(make()?))))?;
        match item {
            Item::Run(run) => Ok(run),
            Item::Code(_) => Err(misplaced()),
        }
    }

    fn get_or_make_item(&self, key: Key, make: impl FnOnce() -> Result<Item>) -> Result<Item> {
        if let Some(code) = self.kept().codes.get(&key) {
            return Ok(code.clone());
        }
        let code = make()?;
        if code.bytes() > self.bound {
            return Ok(code);
        }
        // Unmapped only after the lock is given back.
        let mut out = Vec::new();
        let mut kept = self.kept();
        if let Some(first) = kept.codes.get(&key) {
            return Ok(first.clone());
        }
        // One that fits alone is the last that would go, so it stays.
        while kept.bytes > self.bound - code.bytes() || kept.codes.len() >= MAX_KEPT {
            let Some((_, least)) = kept.codes.pop_lru() else { break };
            kept.bytes -= least.bytes();
            out.push(least);
        }
        kept.bytes += code.bytes();
        kept.codes.put(key, code.clone());
        drop(kept);
        if let (Some(log), 1..) = (&self.log, out.len()) {
            log.tell(LogLevel::Debug, || format!("let go of the rerun code of {} functions, for another's", out.len()));
        }
        drop(out);
        Ok(code)
    }

    /// Lets go of what is kept for a module, which is gone: nobody can ask for it again.
    pub(in crate::runtime) fn forget(&self, module: ModuleId) {
        // Unmapped only after the lock is given back.
        let mut out = Vec::new();
        let mut kept = self.kept();
        let keys: Vec<Key> = kept.codes.iter().map(|(key, _)| *key).filter(|key| key.0 == module).collect();
        for key in keys {
            if let Some(code) = kept.codes.pop(&key) {
                kept.bytes -= code.bytes();
                out.push(code);
            }
        }
        drop(kept);
        drop(out);
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Nothing that may panic runs under the lock but allocation, which aborts.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::TrapCode;
    use crate::base::ValType;
    use crate::base::WasmOffset;
    use crate::image::RerunInstruction;
    use crate::isa::{FILL, samples};
    use crate::runtime::Module;
    use crate::runtime::{Config, Engine};
    use crate::sys::pages::PAGE_SIZE;
    use std::ptr::{null, null_mut};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Barrier, OnceLock};

    fn engine(bound: usize) -> Engine {
        Engine::new(Config { debug: true, rerun_cache: bound, ..Config::default() }).unwrap()
    }

    /// A module of `functions` empty functions.
    fn module(engine: &Engine, functions: usize) -> Module {
        Module::new(engine, &wat::parse_str(format!("(module {})", "(func)".repeat(functions))).unwrap()).unwrap()
    }

    fn image(code: &[u8]) -> RerunImage {
        let row = |wasm| RerunInstruction::new(WasmOffset::new(wasm), RerunImage::EMPTY, false);
        RerunImage {
            code: code.to_vec(),
            locals: [ValType::I32].into_iter().collect(),
            kept: 0,
            deepest: 1,
            instructions: [3, 5, 6].map(row).to_vec(),
            stacks: vec![],
        }
    }

    /// Code that ends at position 0, with `end` in the upper half of its result.
    fn ends(end: u32) -> RerunImage {
        image(&samples::returns_above(end))
    }

    /// What one code of the least size takes.
    fn one() -> usize {
        static ONE: OnceLock<usize> = OnceLock::new();
        *ONE.get_or_init(|| RerunCode::new(&engine(0), ends(0)).unwrap().bytes())
    }

    fn func(index: usize) -> DefinedFuncIndex {
        DefinedFuncIndex::from_usize(index)
    }

    /// Asks for a function; whether it had to be made.
    fn ask(module: &Module, index: usize) -> (bool, Arc<RerunCode>) {
        let mut made = false;
        let code = module.rerun_by(func(index), |_, _| {
            made = true;
            Ok(ends(0))
        });
        (made, code.unwrap())
    }

    fn made(module: &Module, index: usize) -> bool {
        ask(module, index).0
    }

    fn state(engine: &Engine) -> (usize, usize) {
        let kept = engine.reruns().kept();
        assert_eq!(kept.bytes, kept.codes.iter().map(|(_, code)| code.bytes()).sum::<usize>());
        (kept.codes.len(), kept.bytes)
    }

    #[test]
    fn runs_with_its_arguments() {
        for copied in [false, true] {
            let engine = Engine::new(Config { copied_code: copied, ..Config::default() }).unwrap();
            let code = RerunCode::new(&engine, image(&samples::four_arguments())).unwrap();
            assert!(code.image().code.is_empty());
            assert_eq!(code.all_stops(), [1; 3]);
            assert_eq!(code.image().position(WasmOffset::new(5)), Some(1));
            let mut values = [41, 0];
            let vmctx = std::ptr::without_provenance_mut(0x1230);
            let stops = [0, 1, 4];
            let mut run = |from| {
                // SAFETY: the code above writes two values, reads a stop of three, and does not touch the context.
                unsafe { code.run(&mut None, vmctx, values.as_mut_ptr(), stops.as_ptr(), from).unwrap() }
            };
            assert_eq!(run(0), RerunEnd::Stopped(0));
            assert_eq!(run(1), RerunEnd::Native(1));
            let trap = TrapCode::from_u8(2).unwrap();
            assert_eq!(RerunEnd::trap_to_raw(trap), 4);
            assert_eq!(run(2), RerunEnd::Traps(2, trap));
            assert_eq!(values, [44, 0x1230]);
        }
    }

    #[test]
    fn a_result_without_meaning_is_a_panic_that_says_so() {
        let code = RerunCode::new(&engine(0), ends(0xffff)).unwrap();
        // SAFETY: the code takes nothing.
        let run = || unsafe { code.run(&mut None, null_mut(), null_mut(), null(), 0).unwrap() };
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).unwrap_err();
        assert!(panic.downcast_ref::<String>().unwrap().contains("0xffff00000000"), "{panic:?}");
    }

    #[test]
    fn an_image_without_code_is_refused() {
        let error = RerunCode::new(&engine(0), image(&[])).unwrap_err();
        assert!(error.to_string().contains("mapping rerun code"), "{error}");
    }

    #[test]
    fn counts_all_that_it_takes() {
        let small = RerunCode::new(&engine(0), ends(0)).unwrap();
        assert!(small.bytes() > PAGE_SIZE + 3 * size_of::<RerunInstruction>(), "{}", small.bytes());
        let mut large = ends(0);
        large.code.resize(PAGE_SIZE + 1, FILL);
        assert_eq!(RerunCode::new(&engine(0), large).unwrap().bytes(), small.bytes() + PAGE_SIZE);
        let mut long = ends(0);
        long.instructions.resize(1003, long.instructions[2]);
        let more = RerunCode::new(&engine(0), long).unwrap().bytes() - small.bytes();
        assert_eq!(more, 1000 * (size_of::<RerunInstruction>() + 1));
    }

    #[test]
    fn keeps_what_was_used_last_within_its_bound() {
        let engine = engine(3 * one());
        let module = module(&engine, 6);
        for index in 0..3 {
            assert!(made(&module, index));
        }
        assert_eq!(state(&engine), (3, 3 * one()));
        // 0 is used again, so 1 is the one to go.
        assert!(!made(&module, 0));
        assert!(made(&module, 3));
        assert_eq!(state(&engine), (3, 3 * one()));
        for (index, again) in [(0, false), (2, false), (3, false), (1, true)] {
            assert_eq!(made(&module, index), again, "{index}");
        }
        // 0 had to go for 1; the same code is given out as long as it is kept.
        assert!(made(&module, 0));
        assert!(Arc::ptr_eq(&ask(&module, 0).1, &ask(&module, 0).1));
    }

    #[test]
    fn a_large_one_makes_room_for_itself_and_one_too_large_is_not_kept() {
        let engine = engine(3 * one());
        let module = module(&engine, 8);
        let sized = |index, pages: usize| {
            let code = module.rerun_by(func(index), |_, _| {
                let mut image = ends(7 + RerunEnd::NATIVE);
                image.code.resize(pages * PAGE_SIZE, FILL);
                Ok(image)
            });
            code.unwrap()
        };
        for index in 0..3 {
            ask(&module, index);
        }
        sized(3, 2);
        assert_eq!(state(&engine), (2, 2 * one() + PAGE_SIZE));
        let huge = sized(4, 100);
        assert!(huge.bytes() > 100 * PAGE_SIZE);
        assert_eq!(state(&engine), (2, 2 * one() + PAGE_SIZE), "what cannot be kept throws nothing out");
        // SAFETY: the code takes nothing.
        let end = unsafe { huge.run(&mut None, null_mut(), null_mut(), null(), 0).unwrap() };
        assert!(matches!(end, RerunEnd::Traps(0, _)), "{end:?}");
        assert!(!made(&module, 2) && !made(&module, 3));
        assert!(made(&module, 4));
    }

    #[test]
    fn without_a_bound_nothing_is_kept() {
        let engine = engine(0);
        let module = module(&engine, 1);
        assert!(made(&module, 0) && made(&module, 0));
        assert_eq!(state(&engine), (0, 0));
    }

    #[test]
    fn more_small_ones_than_the_system_has_mappings() {
        let engine = engine(usize::MAX);
        let cache = engine.reruns();
        let name = module(&engine, 1).id();
        for index in 0..MAX_KEPT + 10 {
            cache.get_or_make(name, func(index), || RerunCode::new(&engine, ends(0))).unwrap();
        }
        assert_eq!(state(&engine), (MAX_KEPT, MAX_KEPT * one()));
        cache.forget(name);
        assert_eq!(state(&engine), (0, 0));
    }

    #[test]
    fn what_is_in_use_lives_on() {
        let engine = engine(one());
        let module = module(&engine, 2);
        let (_, code) = ask(&module, 0);
        let gone = Arc::downgrade(&code);
        assert!(made(&module, 1));
        drop(module);
        // SAFETY: the code takes nothing.
        assert_eq!(unsafe { code.run(&mut None, null_mut(), null_mut(), null(), 0).unwrap() }, RerunEnd::Stopped(0));
        drop(code);
        assert!(gone.upgrade().is_none());
    }

    #[test]
    fn a_module_takes_its_own_along() {
        let engine = engine(1 << 20);
        let (a, b) = (module(&engine, 3), module(&engine, 3));
        let weak = Arc::downgrade(&ask(&a, 1).1);
        for index in 0..3 {
            assert_eq!((made(&a, index), made(&b, index)), (index != 1, true));
        }
        assert_eq!(state(&engine), (6, 6 * one()));
        let clone = a.clone();
        drop(a);
        assert!(!made(&clone, 1));
        drop(clone);
        assert_eq!(state(&engine), (3, 3 * one()));
        assert!(weak.upgrade().is_none(), "the mapping is gone with the module");
        assert!(!made(&b, 1));
    }

    #[test]
    fn code_of_a_large_function_is_made_where_it_is_needed() {
        // Blocks around blocks, and a branch out of all of them in each turn, so that runs begin and end in any of
        // them.
        let turn = "(local.set 0 (i32.add (local.get 0) (i32.const 1))) (block (br_if 1 (i32.eqz (local.get 0))))";
        let turns = 3000;
        let text = format!("(module (func (param i32) (block {}) (local.set 0 (i32.const 7))))", turn.repeat(turns));
        let binary = wat::parse_str(text).unwrap();
        let one_run = |engine: &Engine, bound: usize| {
            let module = Module::new(engine, &binary).unwrap();
            let code = module.rerun(func(0)).unwrap();
            let count = code.image().instructions.len();
            assert_eq!(count, turns * 9 + 5);
            assert!(code.bytes() < count * 16, "{} bytes known of {count} instructions", code.bytes());
            assert_eq!(state(engine), (1, code.bytes()), "no code before any is run");
            let nowhere = vec![0; count];
            let mut last = None;
            // One step in the middle takes one run.
            let mut values = [5, 0, 0, 0];
            let from = (1 + (turns / 2 + 5) * 9) as u32;
            // SAFETY: the function has a local and two operands, and reads nothing else.
            let run = |last: &mut LastRun, values: &mut [u64], stops: &[u8], from| unsafe {
                code.run(last, null_mut(), values.as_mut_ptr(), stops.as_ptr(), from).unwrap()
            };
            assert_eq!(run(&mut last, &mut values, code.all_stops(), from), RerunEnd::Stopped(from + 1));
            let made = last.as_ref().unwrap().bytes();
            assert!(made < 64 << 10, "{made} bytes for one run");
            assert_eq!(state(engine), (2, code.bytes() + made));
            // All of it, from end to end: what is kept stays within the bound. Of some hundred instructions one is the
            // guest's.
            let mut turn = 0;
            loop {
                let from = 1 + turn as u32 * 9;
                let mut values = [5 + turn as u64, 0, 0, 0];
                match run(&mut last, &mut values, &nowhere, from) {
                    RerunEnd::Native(at) if (at as usize) <= turns * 9 => {
                        assert!(at - from < 2 * Outline::RUN, "{at} is far from {from}");
                        turn = (at as usize - 1) / 9 + 1;
                    }
                    RerunEnd::Native(_) => break,
                    end => panic!("{end:?}"),
                }
                assert!(state(engine).1 <= bound, "{:?} of {bound}", state(engine));
            }
            // A branch far ahead.
            let mut values = [u64::from(u32::MAX), 0, 0, 0];
            let mut stops = nowhere.clone();
            stops[count - 3] = 1;
            assert_eq!(run(&mut last, &mut values, &stops, 1), RerunEnd::Stopped(count as u32 - 3));
            assert_eq!(values[0] as u32, 0);
        };
        let bound = 1 << 20;
        one_run(&engine(bound), bound);
        let counting = Config { debug: true, fuel: true, rerun_cache: bound, ..Config::default() };
        let engine = Engine::new(counting).unwrap();
        let module = Module::new(&engine, &binary).unwrap();
        let code = module.rerun(func(0)).unwrap();
        let stops = code.all_stops();
        // Fuel, in one go and step by step, until an instruction is the guest's. A turn, seven without its block and
        // end, is paid where it begins; the first one with the block around all.
        for turn in [0, 1, turns / 2 + 5, turns - 200] {
            let from = 1 + turn as u32 * 9;
            let mut taken = None;
            for step in [false, true] {
                let mut values = [1_000_000, 5, 0, 0, 0];
                let (mut last, mut at) = (None, from);
                let nowhere = vec![0; stops.len()];
                let end = loop {
                    let stops = if step { stops } else { &nowhere[..] };
                    // SAFETY: as above, with the fuel in front.
                    let end = unsafe { code.run(&mut last, null_mut(), values[1..].as_mut_ptr(), stops.as_ptr(), at) };
                    match end.unwrap() {
                        RerunEnd::Stopped(next) => at = next,
                        RerunEnd::Native(at) => break at,
                        end => panic!("{end:?}"),
                    }
                };
                assert!(end > from + 9);
                let turns = (from..end).filter(|at| *at > 1 && (at - 1) % 9 == 0).count() as u64;
                assert_eq!(1_000_000 - values[0], 7 * turns, "from {from} to {end}, step by step: {step}");
                assert_eq!(*taken.get_or_insert(end), end);
            }
        }
    }

    #[test]
    fn a_failure_is_told_and_tried_again() {
        let engine = engine(1 << 20);
        let module = module(&engine, 1);
        let failed = module.rerun_by(func(0), |_, _| Err(Error::new(ErrorKind::Limit, "too large")));
        assert_eq!(failed.unwrap_err().kind(), ErrorKind::Limit);
        assert_eq!(state(&engine), (0, 0));
        // A panic of the one that makes it leaves the cache as it was, and usable.
        let panics = || module.rerun_by(func(0), |_, _| panic!("on purpose"));
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).unwrap_err();
        assert!(made(&module, 0));

        let error = module.rerun_by(func(1), |_, _| Ok(ends(0))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Argument);
        assert!(error.to_string().contains("defines 1 functions"), "{error}");
        let plain = Engine::new(Config::default()).unwrap();
        let error = self::module(&plain, 1).rerun_by(func(0), |_, _| Ok(ends(0))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::State);
    }

    #[test]
    fn threads_that_ask_at_once_share_what_one_of_them_made() {
        let engine = engine(1 << 20);
        let module = module(&engine, 1);
        let barrier = Barrier::new(4);
        let codes: Vec<_> = std::thread::scope(|scope| {
            let one = || {
                module.rerun_by(func(0), |_, _| {
                    // All four found nothing before one is done.
                    barrier.wait();
                    Ok(ends(0))
                })
            };
            let threads = [(); 4].map(|()| scope.spawn(one));
            threads.into_iter().map(|thread| thread.join().unwrap().unwrap()).collect()
        });
        assert!(codes.iter().all(|code| Arc::ptr_eq(code, &codes[0])));
        assert_eq!(state(&engine), (1, one()));
    }

    #[test]
    fn many_threads_under_a_small_bound() {
        let engine = engine(4 * one());
        let modules: Vec<Module> = (0..3).map(|_| module(&engine, 5)).collect();
        let done = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for thread in 0..4_usize {
                let (engine, modules, done) = (&engine, &modules, &done);
                scope.spawn(move || {
                    let mut random = thread as u32 + 1;
                    for round in 0..1000 {
                        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                        let pick = (random >> 16) as usize;
                        let (which, index) = (pick % 3, pick / 3 % 5);
                        // Each function's code says which it is.
                        let mark = (which * 5 + index) as u32;
                        let code = modules[which].rerun_by(func(index), |_, _| Ok(image(&samples::returns(mark))));
                        // SAFETY: the code takes nothing.
                        let end = unsafe { code.unwrap().run(&mut None, null_mut(), null_mut(), null(), 0).unwrap() };
                        assert_eq!(end, RerunEnd::Stopped(mark));
                        if round % 50 == 0 {
                            // One that comes and goes, with its own codes, which must not stay.
                            let module = module(engine, 1);
                            ask(&module, 0);
                        }
                        assert!(state(engine).1 <= 4 * one());
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(done.into_inner(), 4000);
        drop(modules);
        assert_eq!(state(&engine), (0, 0));
    }
}
