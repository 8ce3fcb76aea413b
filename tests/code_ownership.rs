//! Who owns machine code: what is shared, what is private, and what patching may touch. The code is written by hand.

#[path = "common/machine.rs"]
mod machine;

use machine::{SITES, Stop, bytes, call, image, no_cell};
use std::cell::RefCell;
use std::sync::Arc;
use stepwell::code::{CodeRegistry, CodeSlot, EngineCode, Ownership, StepScope};
use stepwell::image::SiteId;

fn private(registry: &mut CodeRegistry, code: &Arc<EngineCode>) -> CodeSlot {
    let cell = no_cell();
    registry
        .register(code, Ownership::Private { cell })
        .unwrap()
}

#[test]
fn shared_code_runs_and_cannot_be_patched() {
    let code = EngineCode::new(image(100, false));
    let mut a = CodeRegistry::new();
    let mut b = CodeRegistry::new();
    let slot = a.register(&code, Ownership::Shared).unwrap();
    assert_eq!(a.register(&code, Ownership::Shared).unwrap(), slot);
    let other = b.register(&code, Ownership::Shared).unwrap();
    assert_eq!(a.entry(slot).store.base(), b.entry(other).store.base());
    for i in [0, 1, 57, 99] {
        assert_eq!(call(&a, slot, i), u64::from(i));
    }
    let mut edit = a.edit();
    edit.add_site(slot, SiteId(0)).unwrap_err();
    edit.set_step(StepScope::All).unwrap();
    edit.commit().unwrap();
    assert_eq!(call(&a, slot, 7), 7);
    let cell = no_cell();
    a.register(&code, Ownership::Private { cell }).unwrap_err();
}

#[test]
fn a_breakpoint_stops_and_stepping_stops_everywhere() {
    let code = EngineCode::new(image(100, true));
    let stops = RefCell::new(Vec::new());
    let mut stop = Box::pin(Stop(Box::new(|pc| stops.borrow_mut().push(pc))));
    let mut registry = CodeRegistry::new();
    let cell = stop.cell();
    let slot = registry
        .register(&code, Ownership::Private { cell })
        .unwrap();
    let original = bytes(&registry, slot);
    let at = |site: u32| registry_pc(&registry, slot, site);
    let (first, second) = (at(3 * SITES), at(3 * SITES + 2));

    let mut edit = registry.edit();
    edit.add_site(slot, SiteId(3 * SITES)).unwrap();
    edit.add_site(slot, SiteId(3 * SITES + 2)).unwrap();
    edit.commit().unwrap();
    assert_eq!(call(&registry, slot, 2), 2);
    assert_eq!(stops.take(), [first, second]);

    let mut edit = registry.edit();
    edit.remove_site(slot, SiteId(3 * SITES)).unwrap();
    edit.set_step(StepScope::All).unwrap();
    edit.commit().unwrap();
    assert_eq!(call(&registry, slot, 96), 96);
    assert_eq!(stops.take().len(), 4 * SITES as usize);

    drop({
        let mut edit = registry.edit();
        edit.set_step(StepScope::Off).unwrap();
        edit
    });
    assert!(registry.last_error().is_none());
    assert_eq!(call(&registry, slot, 2), 2);
    assert_eq!(stops.take(), [second]);

    let mut edit = registry.edit();
    edit.remove_site(slot, SiteId(3 * SITES + 2)).unwrap();
    edit.remove_site(slot, SiteId(3 * SITES + 2)).unwrap_err();
    edit.commit().unwrap();
    assert_eq!(call(&registry, slot, 2), 2);
    assert!(stops.take().is_empty());
    assert_eq!(bytes(&registry, slot), original);
    registry.unregister(slot).unwrap();
    assert!(registry.get(slot).is_none());
    let _ = private(&mut registry, &code);
}

fn registry_pc(registry: &CodeRegistry, slot: CodeSlot, site: u32) -> usize {
    let entry = registry.entry(slot);
    entry
        .store
        .pc(entry.engine.tables().site(SiteId(site)).after)
        .get()
}
