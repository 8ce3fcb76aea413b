//! The heap by itself, with a guest that makes objects as compiled code does.

use super::Heap;
use super::blocks::Full;
use super::marking::Beyond;
use crate::abi::{
    ARRAY_ELEMENTS, ARRAY_LENGTH, DESCRIPTOR_BYTES, DESCRIPTOR_CHAIN, DESCRIPTOR_DEPTH, DESCRIPTOR_LEAST,
    EXTERN_OF_GUEST, HEAP_OBJECTS, HOST_SHIFT, HOST_TAG, I31_TAG, OBJECT_MARK, VMException, VMFuncRef, VMHeap,
    array_size,
};
use crate::wasm::{DefinedType, Features, parse};
use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;

const CELL: usize = 0;
const WIDE: usize = 1;
const CELLS: usize = 2;
const BYTES: usize = 3;

/// The types of a module.
fn types(text: &str) -> Vec<DefinedType> {
    let features = Features { gc: true, ..Features::default() };
    parse(&wat::parse_str(text).unwrap(), features, false).unwrap().types
}

/// Cells have a number at 4 and a reference at 8; wide ones a vector at 16, and at 32, 40 and 48 references of each
/// family.
fn usual_types() -> Vec<DefinedType> {
    types(
        "(module
            (rec (type $cell (sub (struct (field (mut i32)) (field (mut (ref null $cell)))))))
            (type $wide (sub final $cell (struct (field (mut i32)) (field (mut (ref null $cell))) (field v128)
                (field (mut anyref)) (field (mut externref)) (field (mut funcref)))))
            (type $cells (array (mut (ref null $cell))))
            (type $bytes (array (mut i8))))",
    )
}

/// What is seen of references that lead out.
#[derive(Default)]
struct Seen {
    funcs: Vec<usize>,
    externals: Vec<u32>,
}

impl Beyond for Seen {
    fn func(&mut self, func: NonNull<VMFuncRef>) {
        self.funcs.push(func.as_ptr() as usize);
    }
    fn external(&mut self, index: u32) {
        self.externals.push(index);
    }
    fn exception(&mut self, _: NonNull<VMException>) {
        unreachable!("the usual types have no exceptions");
    }
}

/// A guest, with references that it holds.
struct Guest {
    heap: Heap,
    vm: VMHeap,
    types: Vec<DefinedType>,
    roots: Vec<u32>,
    collections: usize,
}

impl Guest {
    fn new(limit: u64) -> Guest {
        let heap = Heap::new(limit).unwrap();
        let vm = heap.vm();
        Guest { heap, vm, types: usual_types(), roots: Vec::new(), collections: 0 }
    }

    fn get(&self, at: u32) -> u32 {
        self.heap.word(at)
    }

    fn set(&mut self, at: u32, word: u32) {
        // SAFETY: tests write inside of objects that they have made.
        unsafe { self.vm.base.add(at as usize).cast::<u32>().write(word) };
    }

    fn set_wide(&mut self, at: u32, word: u64) {
        self.set(at, word as u32);
        self.set(at + 4, (word >> 32) as u32);
    }

    fn collect(&mut self) -> Seen {
        let mut seen = Seen::default();
        let mut marking = self.heap.begin(&mut self.vm);
        for root in &self.roots {
            marking.any(*root, &mut seen);
        }
        marking.follow(&mut seen);
        marking.end();
        self.collections += 1;
        seen
    }

    /// An object with nothing in it. `None` if there is no room, not even after a collection.
    fn make(&mut self, ty: usize, length: u32) -> Option<u32> {
        let bytes = match ty {
            CELL => 16,
            WIDE => 56,
            CELLS => array_size(4, length),
            _ => array_size(1, length),
        };
        let at = if self.vm.next + bytes <= self.vm.end {
            self.vm.next += bytes;
            (self.vm.next - bytes) as u32
        } else {
            match self.heap.allocate(&mut self.vm, bytes) {
                Ok(at) => at,
                Err(_) => {
                    self.collect();
                    self.heap.allocate(&mut self.vm, bytes).ok()?
                }
            }
        };
        assert!(at.is_multiple_of(8) && at >= HEAP_OBJECTS);
        // SAFETY: the room is the object's.
        unsafe { self.vm.base.add(at as usize).write_bytes(0, bytes as usize) };
        let header = self.heap.define(&self.types[ty]).unwrap();
        self.set(at, header);
        if ty == CELLS || ty == BYTES {
            self.set(at + ARRAY_LENGTH as u32, length);
        }
        assert_eq!(self.heap.type_of(at).id(), self.types[ty].id());
        Some(at)
    }
}

fn random(mut seed: u64) -> impl FnMut(u64) -> u64 {
    move |below| {
        seed = seed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        (seed >> 33) % below
    }
}

/// What a guest knows of its objects: of each its number, and what it refers to.
#[derive(Default)]
struct Model {
    number: HashMap<u32, u32>,
    refers: HashMap<u32, Vec<(u32, u32)>>,
}

impl Model {
    fn made(&mut self, at: u32, number: u32) {
        self.number.insert(at, number);
        self.refers.insert(at, Vec::new());
    }

    fn refer(&mut self, guest: &mut Guest, (object, field): (u32, u32), to: u32) {
        guest.set(object + field, to);
        let refers = self.refers.get_mut(&object).unwrap();
        refers.retain(|(at, _)| *at != field);
        refers.push((field, to));
    }

    /// Looks at all that can be reached, and forgets the rest.
    fn check(&mut self, guest: &Guest) {
        let (mut due, mut live) = (guest.roots.clone(), HashSet::new());
        while let Some(object) = due.pop() {
            if object == 0 || !live.insert(object) {
                continue;
            }
            if guest.heap.type_of(object).as_array().is_none() {
                assert_eq!(guest.get(object + 4), self.number[&object]);
            }
            for (field, to) in &self.refers[&object] {
                assert_eq!(guest.get(object + field), *to);
                due.push(*to);
            }
        }
        self.number.retain(|object, _| live.contains(object));
        self.refers.retain(|object, _| live.contains(object));
    }
}

#[test]
fn what_can_be_reached_stays_as_it_is_and_the_rest_is_used_again() {
    let (mut guest, mut model, mut next) = (Guest::new(u64::MAX), Model::default(), random(7));
    guest.roots = vec![0; 200];
    let mut made = 0u64;
    for number in 0..400_000u32 {
        let root = next(200) as usize;
        let ty = [CELL, CELL, CELL, WIDE, CELLS][next(5) as usize];
        let length = if next(1000) == 0 { next(20_000) } else { next(40) } as u32;
        let before = guest.collections;
        let object = guest.make(ty, length).unwrap();
        if guest.collections != before {
            model.check(&guest);
        }
        model.made(object, number);
        made += 16;
        let other = guest.roots[next(200) as usize];
        match ty {
            CELLS if length > 0 => {
                made += u64::from(length) * 4;
                let at = ARRAY_ELEMENTS + 4 * next(u64::from(length)) as u32;
                let is_cell = other != 0 && guest.heap.type_of(other).as_struct().is_some();
                model.refer(&mut guest, (object, at), if is_cell { other } else { 0 });
            }
            CELLS => {}
            _ => {
                guest.set(object + 4, number);
                let is_cell = other != 0 && guest.heap.type_of(other).as_struct().is_some();
                model.refer(&mut guest, (object, 8), if is_cell && next(3) > 0 { other } else { 0 });
                if ty == WIDE {
                    model.refer(&mut guest, (object, 32), other);
                }
            }
        }
        guest.roots[root] = object;
        // Now and then all is let go, so that lists do not grow for ever.
        if next(2_000) == 0 {
            guest.roots.iter_mut().for_each(|root| *root = 0);
        }
    }
    guest.collect();
    model.check(&guest);
    assert!(guest.collections > 3, "{} collections of {made} bytes", guest.collections);
    assert!(guest.heap.bytes() < made / 4, "{} of {made} bytes", guest.heap.bytes());
    guest.roots.clear();
    guest.collect();
    assert_eq!(guest.heap.bytes(), 0);
}

#[test]
fn cycles_and_long_lists_are_followed_and_go() {
    let mut guest = Guest::new(u64::MAX);
    guest.roots = vec![0];
    let first = guest.make(CELL, 0).unwrap();
    guest.roots[0] = first;
    for _ in 0..1_000_000 {
        let cell = guest.make(CELL, 0).unwrap();
        guest.set(cell + 8, guest.roots[0]);
        guest.roots[0] = cell;
    }
    guest.set(first + 8, guest.roots[0]);
    guest.collect();
    assert_eq!(guest.heap.bytes(), 16 * 1_000_001);
    guest.roots[0] = 0;
    guest.collect();
    assert_eq!(guest.heap.bytes(), 0);
}

#[test]
fn large_objects_have_blocks_that_are_used_again() {
    let (mut guest, mut next) = (Guest::new(64 << 20), random(3));
    guest.roots = vec![0; 16];
    for round in 0..3_000u32 {
        let length = 8_000 + next(1 << 20) as u32;
        let array = guest.make(BYTES, length).unwrap();
        guest.set(array + ARRAY_ELEMENTS + ((length - 4) & !3), round);
        guest.roots[round as usize % 16] = array;
        let oldest = guest.roots[(round as usize + 1) % 16];
        if oldest != 0 {
            let length = guest.get(oldest + ARRAY_LENGTH as u32);
            assert_eq!(guest.get(oldest + ARRAY_ELEMENTS + ((length - 4) & !3)), round - 15);
        }
    }
    assert!(guest.collections > 10);
}

#[test]
fn a_limit_is_kept() {
    let mut guest = Guest::new(1 << 20);
    for _ in 0..3 {
        guest.roots = vec![0];
        let mut count = 0;
        while let Some(cell) = guest.make(CELL, 0) {
            guest.set(cell + 8, guest.roots[0]);
            guest.roots[0] = cell;
            count += 1;
        }
        assert_eq!(count, (1 << 20) / 16);
        assert_eq!(guest.heap.allocate(&mut guest.vm, 16), Err(Full::Limit));
        guest.roots.clear();
        guest.collect();
        assert!(guest.make(BYTES, (1 << 20) - 8).is_some());
        assert!(guest.make(BYTES, 1 << 20).is_none());
        assert!(guest.make(BYTES, u32::MAX).is_none());
    }
}

#[test]
fn what_leads_out_is_told_and_what_leads_back_is_followed() {
    let mut guest = Guest::new(u64::MAX);
    let wide = guest.make(WIDE, 0).unwrap();
    let behind = guest.make(WIDE, 0).unwrap();
    guest.roots = vec![wide, 17 << 1 | I31_TAG, 0, 5 << HOST_SHIFT | HOST_TAG];
    guest.set(wide + 32, 9 << HOST_SHIFT | HOST_TAG);
    guest.set_wide(wide + 40, EXTERN_OF_GUEST | u64::from(behind));
    guest.set_wide(wide + 48, 0x1234_5678_9ab8);
    guest.set(behind + 32, 3 << 1 | I31_TAG);
    guest.set_wide(behind + 40, 8);
    let mut seen = guest.collect();
    seen.externals.sort_unstable();
    assert_eq!((seen.externals, seen.funcs), (vec![5, 7, 9], vec![0x1234_5678_9ab8]));
    assert_eq!(guest.heap.bytes(), 2 * 56);
}

#[test]
fn a_damaged_heap_is_a_panic() {
    type Damage = fn(&mut Guest, u32);
    let damage: [(&str, Damage); 5] = [
        ("no type is at", |guest, cell| guest.set(cell, guest.get(cell) + 64 * 1000)),
        ("no type is at", |guest, cell| guest.set(cell, guest.get(cell) + 8)),
        ("no object is at", |guest, cell| guest.set(cell + 8, 0xffff_fff8)),
        ("no object is at", |guest, cell| guest.set(cell + 8, HEAP_OBJECTS - 8)),
        ("no object is at", |guest, cell| guest.set(cell + 8, cell + 4)),
    ];
    for (said, damage) in damage {
        let mut guest = Guest::new(u64::MAX);
        let cell = guest.make(CELL, 0).unwrap();
        guest.roots = vec![cell];
        damage(&mut guest, cell);
        let panic = catch_unwind(AssertUnwindSafe(|| guest.collect())).map(|_| ()).unwrap_err();
        assert!(panic.downcast_ref::<String>().is_some_and(|text| text.contains(said)), "{said}");
    }
    let mut guest = Guest::new(u64::MAX);
    let array = guest.make(CELLS, 10).unwrap();
    guest.roots = vec![array];
    guest.set(array + ARRAY_LENGTH as u32, u32::MAX);
    assert!(catch_unwind(AssertUnwindSafe(|| guest.collect())).is_err());
}

#[test]
fn descriptors_list_the_types_above() {
    let mut text = String::from("(module (type $t0 (sub (struct)))");
    for depth in 1..60 {
        text += &format!("(type $t{depth} (sub $t{} (struct)))", depth - 1);
    }
    let deep = types(&(text + ")"));
    let mut heap = Heap::new(u64::MAX).unwrap();
    let last = heap.define(deep.last().unwrap()).unwrap() & !OBJECT_MARK;
    for (depth, ty) in deep.iter().enumerate() {
        let at = heap.define(ty).unwrap() & !OBJECT_MARK;
        assert!(at.is_multiple_of(DESCRIPTOR_BYTES));
        assert_eq!(heap.word(at + DESCRIPTOR_DEPTH as u32), depth as u32 + 1);
        let list = |of: u32, depth: usize| heap.word(of + DESCRIPTOR_CHAIN as u32 + 4 * depth as u32);
        assert_eq!((list(at, depth), list(last, depth)), (at, at));
        for beyond in depth + 1..DESCRIPTOR_LEAST as usize {
            assert_eq!(list(at, beyond), 0);
        }
    }
}
