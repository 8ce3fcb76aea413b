//! Programs that read, write and grow their memories and tables in every order, in Stepwell and in another engine
//! (wasmtime), compared step by step: results and traps, sizes and globals, and what is in memories and tables.
//!
//! `memories [--seed FIRST] [--threads N] COUNT` makes COUNT cases of the seeds FIRST, FIRST + 1, ... (0 if not given).
//! A case is a few modules with segments of every shape (`memories/guests.rs`), and a few stores one after another, in
//! which they are instantiated, called, written to, grown, forgotten and collected. Some of that fails, and what it
//! left behind is compared as well. All cases run in the same few engines, on two threads if nothing else is said: what
//! one instance leaves to the next, in a pool or an image, shows up as a difference.
//!
//! Whole memories and tables are looked at now and then, and at the end of a store: a look touches every page, and what
//! happens to a page that nobody has touched is what this is about.

#[path = "../memories/guests.rs"]
mod guests;
#[path = "../random.rs"]
mod random;
#[path = "../memories/sides.rs"]
mod sides;
#[path = "../words.rs"]
mod words;

use guests::{GLOBALS, Guest, Import, argument};
use random::Random;
use sides::{LISTED, Ours, Result, Side, Theirs, Word};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use stepwell::debug::{Action, Debugger};
use stepwell::{Config, Module, Root};

/// How many differences are printed at most.
const MOST: usize = 20;

fn main() -> ExitCode {
    match run() {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("memories: {error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<usize> {
    let (mut first, mut threads, mut count) = (0, 2, None);
    let mut words = std::env::args().skip(1);
    let number = |word: Option<String>| -> Result<u64> { Ok(word.ok_or("a number is missing")?.parse()?) };
    while let Some(word) = words.next() {
        match word.as_str() {
            "--seed" => first = number(words.next())?,
            "--threads" => threads = number(words.next())?,
            _ => count = Some(number(Some(word))?),
        }
    }
    let count = count.ok_or("usage: memories [--seed FIRST] [--threads N] COUNT")?;
    let engines = Engines::new()?;
    let next = AtomicU64::new(first);
    let [cases, steps, made, failed, different] = [(); 5].map(|()| AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                while different.load(Ordering::Relaxed) < MOST {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed - first >= count {
                        return;
                    }
                    cases.fetch_add(1, Ordering::Relaxed);
                    let mut case = Case::new(seed, &engines);
                    match case.run(&engines) {
                        Ok(()) => {}
                        Err(error) => {
                            different.fetch_add(1, Ordering::Relaxed);
                            println!("{}", case.told(&*error));
                        }
                    }
                    steps.fetch_add(case.steps, Ordering::Relaxed);
                    made.fetch_add(case.made, Ordering::Relaxed);
                    failed.fetch_add(case.failed, Ordering::Relaxed);
                }
            });
        }
    });
    let different = different.into_inner();
    println!(
        "{} equal, {different} different; {} steps, {} instances, {} steps failed as they should",
        cases.into_inner() - different,
        steps.into_inner(),
        made.into_inner(),
        failed.into_inner()
    );
    Ok(different)
}

/// The engines in which all cases run.
struct Engines {
    ours: Vec<(&'static str, stepwell::Engine)>,
    theirs: wasmtime::Engine,
}

impl Engines {
    fn new() -> Result<Engines> {
        let usual = Config::default;
        let configs = [
            ("usual", usual()),
            ("debug", Config { debug: true, ..usual() }),
            ("copied code", Config { copied_code: true, ..usual() }),
            ("no signals", Config { signals: false, ..usual() }),
            ("small reservation", Config { memory_reservation: 1 << 20, memory_guard: 64 << 10, ..usual() }),
            ("no reservation", Config { memory_reservation: 0, memory_guard: 0, ..usual() }),
            (
                "no signals, no reservation",
                Config { signals: false, memory_reservation: 0, memory_guard: 0, ..usual() },
            ),
        ];
        let ours = configs.into_iter().map(|(name, config)| Ok((name, stepwell::Engine::new(config)?)));
        let mut config = wasmtime::Config::new();
        config.collector(wasmtime::Collector::Null);
        // Else what a module's data make of a memory is there before its element segments have trapped: functions that
        // they have put into the table of another module see it, which the specification does not allow.
        config.memory_init_cow(false).table_lazy_init(false);
        Ok(Engines { ours: ours.collect::<Result<_>>()?, theirs: wasmtime::Engine::new(&config)? })
    }
}

/// What stands in the lists of a store's two sides.
#[derive(Clone, Copy)]
struct Item {
    kind: Kind,
    /// The number of its instance; none for the host's.
    owner: Option<usize>,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Memory,
    Table,
    /// A global that can be changed.
    Changing,
    /// One that cannot; the host's have their number.
    Fixed(Option<usize>),
}

/// A store on both sides.
struct Pair {
    ours: Ours,
    theirs: Theirs,
    items: Vec<Item>,
    /// The number and the module of each instance.
    instances: Vec<(usize, usize)>,
    /// How many instances there were.
    made: usize,
    debugger: Option<Debugger>,
}

/// Does the same on both sides, and compares what is said.
macro_rules! both {
    ($pair:expr, $side:ident => $do:expr) => {{
        let ours = {
            let $side = &mut $pair.ours;
            $do
        };
        let theirs = {
            let $side = &mut $pair.theirs;
            $do
        };
        let (ours, theirs) = (ours?, theirs?);
        if ours != theirs {
            return Err(format!("  stepwell {ours:?}\n  other    {theirs:?}").into());
        }
        ours
    }};
}

impl Pair {
    fn new(engine: &stepwell::Engine, engines: &Engines) -> Pair {
        Pair {
            ours: Ours::new(engine),
            theirs: Theirs::new(&engines.theirs),
            items: Vec::new(),
            instances: Vec::new(),
            made: 0,
            debugger: None,
        }
    }

    /// Holds everything against each other.
    fn look(&mut self) -> Result<()> {
        both!(self, side => side.sizes());
        for item in 0..self.items.len() {
            both!(self, side => side.elements(item));
            let (ours, theirs) = (self.ours.bytes(item)?, self.theirs.bytes(item)?);
            if let (Some(ours), Some(theirs)) = (ours, theirs)
                && ours != theirs
            {
                let at = ours.iter().zip(theirs).position(|(our, their)| our != their).unwrap_or(ours.len());
                let count = ours.iter().zip(theirs).filter(|(our, their)| our != their).count();
                let (our, their) = (ours.get(at), theirs.get(at));
                return Err(format!(
                    "  item {item}, a memory, differs in {count} bytes, first at {at:#x}: stepwell {our:x?}, other {their:x?}"
                )
                .into());
            }
        }
        Ok(())
    }
}

/// The modules of a seed, and what is done with them.
struct Case<'a> {
    seed: u64,
    random: Random,
    name: &'static str,
    engine: &'a stepwell::Engine,
    globals: [i32; GLOBALS],
    guests: Vec<Guest>,
    modules: Vec<(Module, wasmtime::Module)>,
    steps: usize,
    /// Instances that were made.
    made: usize,
    /// Steps that ended in a trap or a refusal.
    failed: usize,
    log: Vec<String>,
}

impl<'a> Case<'a> {
    fn new(seed: u64, engines: &'a Engines) -> Case<'a> {
        let mut random = Random(seed);
        // Half of them as most hosts have it.
        let (name, engine) =
            &engines.ours[if random.one_in(2) { 0 } else { random.below(engines.ours.len() as u64) as usize }];
        let globals = [(); GLOBALS].map(|()| match random.below(3) {
            0 => random.below(16) as i32 * 4096,
            1 => random.below(3) as i32 * 65_536,
            _ => random.below(70_000) as i32,
        });
        let guests = (0..1 + random.below(3)).map(|_| guests::make(&mut random, &globals)).collect();
        Case {
            seed,
            random,
            name,
            engine,
            globals,
            guests,
            modules: Vec::new(),
            steps: 0,
            made: 0,
            failed: 0,
            log: Vec::new(),
        }
    }

    /// What differs, what came before, and where the modules are.
    fn told(&self, error: &dyn std::error::Error) -> String {
        let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/target/memories"));
        let mut text = format!(
            "seed {} ({}), step {}; modules in {}\n{error}\n",
            self.seed,
            self.name,
            self.steps,
            folder.display()
        );
        for (index, guest) in self.guests.iter().enumerate() {
            let path = folder.join(format!("{}-{index}.wasm", self.seed));
            if let Err(error) = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(path, &guest.binary)) {
                text += &format!("  (not written: {error})\n");
            }
        }
        for line in self.log.iter().rev().take(15).rev() {
            text += &format!("    {line}\n");
        }
        text
    }

    fn run(&mut self, engines: &Engines) -> Result<()> {
        for guest in &self.guests {
            let mut ours = Module::new(self.engine, &guest.binary)?;
            if self.random.one_in(4) {
                ours = Module::deserialize(self.engine, &ours.serialize()?)?;
            }
            self.modules.push((ours, wasmtime::Module::new(&engines.theirs, &guest.binary)?));
        }
        let mut pairs: Vec<Pair> = Vec::new();
        for _ in 0..2 + self.random.below(4) {
            if pairs.len() > 1 || self.random.one_in(2) {
                self.drop_first(&mut pairs)?;
            }
            let pair = self.furnished(engines)?;
            pairs.push(pair);
            for _ in 0..10 + self.random.below(40) {
                let count = pairs.len() as u64;
                let pair = if self.random.one_in(4) { self.random.below(count) } else { count - 1 };
                self.step(&mut pairs[pair as usize])?;
            }
        }
        while !pairs.is_empty() {
            self.drop_first(&mut pairs)?;
        }
        Ok(())
    }

    /// Looks at a store for the last time.
    fn drop_first(&mut self, pairs: &mut Vec<Pair>) -> Result<()> {
        if !pairs.is_empty() {
            self.note("look and drop the store");
            pairs[0].look()?;
            drop(pairs.remove(0));
        }
        Ok(())
    }

    fn note(&mut self, step: impl Into<String>) {
        self.steps += 1;
        self.log.push(step.into());
    }

    /// A new store with what a host has.
    fn furnished(&mut self, engines: &Engines) -> Result<Pair> {
        self.note("a new store");
        let mut pair = Pair::new(self.engine, engines);
        let (pages, more) = (self.random.below(5), *self.random.pick(&[0, 1, 20]));
        let max = self.random.one_in(2).then_some(pages + more);
        both!(pair, side => side.memory(pages, max));
        let (elements, more) = (self.random.below(100), *self.random.pick(&[0, 5, 5000]));
        let max = self.random.one_in(2).then_some(elements + more);
        both!(pair, side => side.table(elements, max));
        for value in self.globals {
            both!(pair, side => side.global(value));
        }
        let kinds = [Kind::Memory, Kind::Table].into_iter().chain((0..GLOBALS).map(|number| Kind::Fixed(Some(number))));
        pair.items.extend(kinds.map(|kind| Item { kind, owner: None }));
        self.instantiate(&mut pair)?;
        Ok(pair)
    }

    fn step(&mut self, pair: &mut Pair) -> Result<()> {
        match self.random.below(100) {
            0..12 => self.instantiate(pair)?,
            12..17 => {
                let item = self.random.below(pair.items.len() as u64) as usize;
                let at = self.random.below(20) * 4096 + self.random.below(3);
                let bytes = vec![self.random.next() as u8; self.random.below(9000) as usize];
                self.note(format!("write {} bytes to item {item} at {at:#x}", bytes.len()));
                both!(pair, side => side.write(item, at as usize, &bytes));
            }
            17..21 => {
                let item = self.random.below(pair.items.len() as u64) as usize;
                let delta = *self.random.pick(&[0, 1, 1, 2, 7, 65_537]);
                self.note(format!("grow item {item} by {delta}"));
                both!(pair, side => side.grow(item, delta));
            }
            21..24 => self.forget(pair),
            24..28 => {
                self.note("collect");
                let roots = pair.ours.items.iter().map(|item| (*item).into());
                let roots: Vec<Root> =
                    roots.chain(pair.ours.instances.iter().map(|instance| (*instance).into())).collect();
                // SAFETY: nothing but what is listed is used on.
                drop(unsafe { pair.ours.store.collect(roots) }?);
            }
            28..31 if self.engine.config().debug => match pair.debugger.take() {
                Some(debugger) => {
                    self.note("detach");
                    debugger.detach(&mut pair.ours.store)?;
                }
                None => {
                    self.note("attach");
                    pair.debugger = Some(Debugger::attach(&mut pair.ours.store, |_| Action::Continue)?);
                }
            },
            31..35 => {
                self.note("look");
                pair.look()?;
            }
            _ => self.call(pair)?,
        }
        both!(pair, side => side.sizes());
        Ok(())
    }

    fn instantiate(&mut self, pair: &mut Pair) -> Result<()> {
        let index = self.random.below(self.guests.len() as u64) as usize;
        let mut imports = Vec::new();
        for import in &self.guests[index].imports {
            // Any one of the kind may do, most often a new one of an instance; of globals mostly the one that the
            // module expects.
            let fits = |item: &Item, any: bool| match (import, item.kind) {
                (Import::Memory, Kind::Memory) | (Import::Table, Kind::Table) => true,
                (Import::Global(wanted), Kind::Fixed(number)) => any || number == Some(*wanted),
                _ => false,
            };
            let any = self.random.one_in(50);
            let candidates: Vec<usize> = (0..pair.items.len()).filter(|item| fits(&pair.items[*item], any)).collect();
            imports.push(*self.random.pick(&candidates));
        }
        self.note(format!("instantiate module {index} with items {imports:?}"));
        let (ours, theirs) = &self.modules[index];
        let (ours, theirs) = (pair.ours.instantiate(ours, &imports)?, pair.theirs.instantiate(theirs, &imports)?);
        if ours != theirs {
            return Err(format!("  stepwell {ours}\n  other    {theirs}").into());
        }
        if ours != "made" {
            self.failed += 1;
            self.note(format!("look at what it left: {ours}"));
            return pair.look();
        }
        self.made += 1;
        let owner = Some(pair.made);
        pair.instances.push((pair.made, index));
        pair.made += 1;
        let kinds = [Kind::Memory, Kind::Table, Kind::Changing, Kind::Fixed(None)];
        debug_assert_eq!(kinds.len(), LISTED.len());
        pair.items.extend(kinds.map(|kind| Item { kind, owner }));
        Ok(())
    }

    /// Forgets an instance and what it exported.
    fn forget(&mut self, pair: &mut Pair) {
        if pair.instances.is_empty() {
            return;
        }
        let (number, _) = pair.instances[self.random.below(pair.instances.len() as u64) as usize];
        self.note(format!("forget instance {number}"));
        let items: Vec<bool> = pair.items.iter().map(|item| item.owner != Some(number)).collect();
        let instances: Vec<bool> = pair.instances.iter().map(|(of, _)| *of != number).collect();
        pair.ours.keep(&items, &instances);
        pair.theirs.keep(&items, &instances);
        pair.items.retain(|item| item.owner != Some(number));
        pair.instances.retain(|(of, _)| *of != number);
    }

    fn call(&mut self, pair: &mut Pair) -> Result<()> {
        if pair.instances.is_empty() {
            return Ok(());
        }
        let at = self.random.below(pair.instances.len() as u64) as usize;
        let (number, index) = pair.instances[at];
        let guest = &self.guests[index];
        let (name, params) = self.random.pick(&guest.calls);
        let words: Vec<Word> = params
            .iter()
            .map(|param| {
                let value = argument(&mut self.random, *param, &guest.places);
                match param {
                    guests::Param::I64 => Word::I64(value),
                    _ => Word::I32(value as i32),
                }
            })
            .collect();
        let step = format!("call {name} of instance {number} (module {index}) with {words:x?}");
        let name = name.clone();
        self.note(step);
        let outcome = both!(pair, side => side.call(at, &name, &words));
        self.failed += usize::from(!outcome.starts_with("returned"));
        Ok(())
    }
}
