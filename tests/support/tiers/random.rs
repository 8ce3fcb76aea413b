//! Random choices that are the same everywhere and for ever.

use stepwell::base::FuncIndex;
use stepwell::runtime::{AnyRef, AsStoreMut, ExternRef, Instance, Val};
use stepwell::{DefinedType, HeapType, RefType, StorageType, ValType};

/// SplitMix64.
#[derive(Clone)]
pub struct Random(u64);

/// Spreads the bits of a number.
pub fn mix(number: u64) -> u64 {
    let z = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Random {
    /// What follows from these numbers.
    pub fn of(seed: u64, number: u64) -> Random {
        Random(mix(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ mix(number.wrapping_add(0x1234_5678_9abc_def1))))
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number below `limit`, which is not zero.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 33) as usize % limit.max(1)
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    pub fn i32(&mut self) -> i32 {
        match self.below(8) {
            0..=3 => self.below(16) as i32,
            4 => self.below(300) as i32,
            5 => self.pick(&[-1, -2, i32::MIN, i32::MAX, 65_532, 65_535, 65_536, 1 << 17, i32::MIN + 1]),
            6 => -(self.below(16) as i32),
            _ => self.next() as i32,
        }
    }

    pub fn i64(&mut self) -> i64 {
        match self.below(4) {
            0..=1 => i64::from(self.i32()),
            2 => self.pick(&[i64::MIN, i64::MAX, 1 << 32, -(1 << 32), i64::MIN + 1, 0xffff_ffff]),
            _ => self.next() as i64,
        }
    }

    pub fn f64(&mut self) -> u64 {
        match self.below(4) {
            0..=1 => (self.below(40) as f64 / 4.0 - 3.0).to_bits(),
            2 => self.pick(&[
                f64::NAN.to_bits(),
                0x7ff0_0000_0000_0001,
                0xfff8_0000_1234_5678,
                f64::INFINITY.to_bits(),
                f64::NEG_INFINITY.to_bits(),
                (-0.0f64).to_bits(),
                1,
                2147483648.0f64.to_bits(),
                (-2147483649.0f64).to_bits(),
                9.3e18f64.to_bits(),
            ]),
            _ => self.next(),
        }
    }

    pub fn f32(&mut self) -> u32 {
        match self.below(4) {
            0..=1 => (self.below(40) as f32 / 4.0 - 3.0).to_bits(),
            2 => self.pick(&[
                f32::NAN.to_bits(),
                0x7f80_0001,
                0xffc1_2345,
                f32::INFINITY.to_bits(),
                f32::NEG_INFINITY.to_bits(),
                (-0.0f32).to_bits(),
                1,
                2147483648.0f32.to_bits(),
                (-2147483904.0f32).to_bits(),
                9.3e18f32.to_bits(),
            ]),
            _ => self.next() as u32,
        }
    }

    /// Lanes of any width, most of them alike.
    fn vector(&mut self) -> [u8; 16] {
        let mut bytes = [0; 16];
        match self.below(5) {
            0 => bytes.chunks_mut(8).for_each(|lane| lane.copy_from_slice(&self.i64().to_le_bytes())),
            1 => bytes.chunks_mut(8).for_each(|lane| lane.copy_from_slice(&self.f64().to_le_bytes())),
            2 => bytes.chunks_mut(4).for_each(|lane| lane.copy_from_slice(&self.f32().to_le_bytes())),
            3 => bytes.chunks_mut(4).for_each(|lane| lane.copy_from_slice(&self.i32().to_le_bytes())),
            _ => bytes.iter_mut().for_each(|lane| *lane = self.pick(&[0, 1, 2, 15, 16, 127, 128, 129, 255])),
        }
        bytes
    }

    /// An object of a type, unless it asks for one that is never null.
    fn object(&mut self, store: &mut impl AsStoreMut, instance: Option<Instance>, ty: &DefinedType) -> Option<AnyRef> {
        let mut value = |store: &mut _, storage: StorageType| match storage.unpacked() {
            ValType::Ref(ty) if ty.nullable => Some(Val::null(ty.heap)),
            ValType::Ref(RefType { heap: HeapType::Any | HeapType::Eq | HeapType::I31, .. }) => {
                Some(Val::AnyRef(Some(AnyRef::i31(self.i32()))))
            }
            ValType::Ref(_) => None,
            ty => Some(self.value(store, instance, ty)),
        };
        if let Some(known) = ty.as_struct() {
            let fields: Option<Vec<Val>> = known.fields.iter().map(|field| value(store, field.storage)).collect();
            return AnyRef::new_struct(store.as_store_mut(), ty, &fields?).ok();
        }
        let element = value(store, ty.as_array()?.element.storage)?;
        AnyRef::new_array_of(store.as_store_mut(), ty, element, self.below(40) as u32).ok()
    }

    /// A value of a type; functions are those of `instance`.
    pub fn value(&mut self, store: &mut impl AsStoreMut, instance: Option<Instance>, ty: ValType) -> Val {
        match ty {
            ValType::I32 => Val::I32(self.i32()),
            ValType::I64 => Val::I64(self.i64()),
            ValType::F32 => Val::F32(self.f32()),
            ValType::F64 => Val::F64(self.f64()),
            ValType::V128 => Val::V128(self.vector()),
            ValType::Ref(RefType { heap: HeapType::Func, .. }) => {
                let instance = instance.filter(|_| !self.one_in(4));
                Val::FuncRef(instance.and_then(|instance| {
                    let count = instance.module(&*store).unwrap().info().funcs.len();
                    instance.func(store, FuncIndex::from_usize(self.below(count)))
                }))
            }
            ValType::Ref(RefType { heap: HeapType::Exn, .. }) => Val::ExnRef(None),
            ValType::Ref(RefType { heap: HeapType::Any | HeapType::Eq | HeapType::I31, .. }) => {
                Val::AnyRef(Some(AnyRef::i31(self.i32())))
            }
            ValType::Ref(ty @ RefType { heap: HeapType::Defined(defined), .. })
                if matches!(Val::null(ty.heap), Val::AnyRef(_)) =>
            {
                let made = DefinedType::of(defined.id).and_then(|ty| self.object(store, instance, &ty));
                // Where none can be made, null is refused by both alike.
                Val::AnyRef(made.filter(|_| !ty.nullable || !self.one_in(3)))
            }
            ValType::Ref(ty) if matches!(Val::null(ty.heap), Val::AnyRef(_) | Val::FuncRef(_)) => Val::null(ty.heap),
            ValType::Ref(RefType { heap, .. }) if heap != HeapType::Extern => Val::null(heap),
            ValType::Ref(_) if self.one_in(3) => Val::ExternRef(None),
            ValType::Ref(_) => Val::ExternRef(Some(ExternRef::new(store, Box::new(())).unwrap())),
        }
    }
}
