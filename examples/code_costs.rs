//! Prints what owning code costs: registering private and shared texts, the first patch, further patches, stepping.
//! `cargo run --release --example code_costs`

#[allow(dead_code, reason = "shared with the tests, which use all of it")]
#[path = "../tests/common/machine.rs"]
mod machine;

use machine::{FUNCTION_BYTES, SITES, call, image, no_cell};
use std::time::Instant;
use stepwell::base::Shared;
use stepwell::internals::code::{CodeRegistry, CodeSlot, EngineCode, Ownership, StepScope};
use stepwell::internals::image::SiteId;

fn private(registry: &mut CodeRegistry, code: &Shared<EngineCode>) -> CodeSlot {
    let cell = no_cell();
    registry.register(code, Ownership::Private { cell }).unwrap()
}

fn patch(registry: &mut CodeRegistry, slot: CodeSlot, site: u32, add: bool) {
    let mut edit = registry.edit();
    match add {
        true => edit.add_site(slot, SiteId(site)),
        false => edit.remove_site(slot, SiteId(site)),
    }
    .unwrap();
    edit.commit().unwrap();
}

fn step(registry: &mut CodeRegistry, scope: StepScope) {
    let mut edit = registry.edit();
    edit.set_step(scope).unwrap();
    edit.commit().unwrap();
}

/// The median of what `n` calls take, each on what `setup` makes, in microseconds.
fn median<T>(n: usize, mut setup: impl FnMut() -> T, mut work: impl FnMut(&mut T)) -> f64 {
    let mut times: Vec<_> = (0..n)
        .map(|_| {
            let mut state = setup();
            let start = Instant::now();
            work(&mut state);
            start.elapsed().as_nanos()
        })
        .collect();
    times.sort_unstable();
    times[n / 2] as f64 / 1000.0
}

fn main() {
    println!("microseconds, medians");
    for bytes in [50 << 10, 1 << 20, 16 << 20] {
        let functions = bytes / FUNCTION_BYTES;
        let sites = functions * SITES;
        let code = EngineCode::new(image(functions, false));
        let mut keep = CodeRegistry::new();
        let kept = private(&mut keep, &code);
        let mut sharing = CodeRegistry::new();
        sharing.register(&code, Ownership::Shared).unwrap();
        let new = || {
            let mut registry = CodeRegistry::new();
            let slot = private(&mut registry, &code);
            (registry, slot)
        };
        let resident = || {
            let (registry, slot) = new();
            (0..functions).step_by(16).for_each(|f| assert_eq!(call(&registry, slot, f), u64::from(f)));
            (registry, slot)
        };
        println!("{} KB of text, {sites} sites", bytes >> 10);
        let shared = median(2001, CodeRegistry::new, |r| drop(r.register(&code, Ownership::Shared)));
        println!("  register shared            {shared:8.2}");
        let register = median(2001, CodeRegistry::new, |r| {
            private(r, &code);
        });
        println!("  register private           {register:8.2}");
        let unregister = median(2001, new, |(r, slot)| r.unregister(*slot).unwrap());
        println!("  unregister                 {unregister:8.2}");
        let first = median(1001, new, |(r, slot)| patch(r, *slot, sites / 2, true));
        println!("  first breakpoint           {first:8.2}");
        let first = median(101, resident, |(r, slot)| patch(r, *slot, sites / 2, true));
        println!("  first, text resident       {first:8.2}");
        let mut site = 0;
        let mut next = || {
            site = (site + 7919) % sites;
            site
        };
        for r in 0..functions {
            assert_eq!(call(&keep, kept, r), u64::from(r));
        }
        let mut set = Vec::new();
        let add = median(
            501,
            || (),
            |()| {
                let site = next();
                patch(&mut keep, kept, site, true);
                set.push(site);
            },
        );
        println!("  further breakpoint         {add:8.2}");
        let mut others = set.clone();
        let same = median(501, || (), |()| patch(&mut keep, kept, others.pop().unwrap(), true));
        println!("  one more on a site         {same:8.2}");
        let remove = median(501, || (), |()| patch(&mut keep, kept, set.pop().unwrap(), false));
        println!("  remove that one            {remove:8.2}");
        let sites: Vec<u32> = keep.plan().sites().map(|(_, site)| site.0).collect();
        let remove = median(
            sites.len(),
            {
                let mut i = sites.iter();
                move || *i.next().unwrap()
            },
            |site| patch(&mut keep, kept, *site, false),
        );
        println!("  remove a breakpoint        {remove:8.2}");
        let first = median(1, new, |(r, _)| step(r, StepScope::All));
        println!("  stepping on, engine's first{first:8.2}");
        let first = median(101, new, |(r, _)| step(r, StepScope::All));
        println!("  stepping on, store's first {first:8.2}");
        step(&mut keep, StepScope::All);
        step(&mut keep, StepScope::Off);
        let on = median(
            301,
            || (),
            |()| {
                step(&mut keep, StepScope::All);
                step(&mut keep, StepScope::Off);
            },
        );
        println!("  stepping on and off        {on:8.2}");
        let pc = keep.entry(kept).store.base();
        let lookup = median(
            1001,
            || (),
            |()| {
                for _ in 0..1000 {
                    std::hint::black_box(keep.lookup(std::hint::black_box(pc)));
                }
            },
        );
        println!("  look-up                    {:8.4}", lookup / 1000.0);
    }
}
