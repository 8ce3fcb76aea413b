//! Which types fit where others are asked for (specification section 3.3).

use super::defined::DefinedType;
use super::types::{GlobalType, MemoryType, RefType, TableType, ValType};
use crate::base::{Defined, DefinedKind, HeapType, TypeId};

/// Types that are ordered.
pub trait Subtype {
    /// Whether what is of this type fits where `wanted` is asked for.
    fn fits(&self, wanted: &Self) -> bool;
}

/// Whether a defined type is another, or below it. One that is gone is below nothing.
pub fn is_below(id: TypeId, wanted: TypeId) -> bool {
    id == wanted || DefinedType::of(id).is_some_and(|ty| ty.chain().contains(&wanted))
}

impl Subtype for HeapType {
    fn fits(&self, wanted: &HeapType) -> bool {
        match (*self, *wanted) {
            (HeapType::Defined(Defined { id, .. }), HeapType::Defined(Defined { id: wanted, .. })) => {
                is_below(id, wanted)
            }
            (found, wanted) if found == wanted => true,
            (HeapType::NoFunc | HeapType::NoExtern | HeapType::NoExn | HeapType::None, wanted) => {
                self.family() == wanted.family()
            }
            (_, HeapType::Func | HeapType::Extern | HeapType::Exn | HeapType::Any) => self.family() == wanted.family(),
            (HeapType::I31 | HeapType::Struct | HeapType::Array, HeapType::Eq) => true,
            (HeapType::Defined(Defined { kind, .. }), wanted) => match kind {
                DefinedKind::Func => false,
                DefinedKind::Struct => matches!(wanted, HeapType::Eq | HeapType::Struct),
                DefinedKind::Array => matches!(wanted, HeapType::Eq | HeapType::Array),
            },
            _ => false,
        }
    }
}

impl Subtype for RefType {
    fn fits(&self, wanted: &RefType) -> bool {
        (!self.nullable || wanted.nullable) && self.heap.fits(&wanted.heap)
    }
}

impl Subtype for ValType {
    fn fits(&self, wanted: &ValType) -> bool {
        match (self, wanted) {
            (ValType::Ref(found), ValType::Ref(wanted)) => found.fits(wanted),
            _ => self == wanted,
        }
    }
}

impl Subtype for GlobalType {
    fn fits(&self, wanted: &GlobalType) -> bool {
        // What is written to one that is mutable has to fit both.
        let back = !self.mutable || wanted.content.fits(&self.content);
        self.mutable == wanted.mutable && self.content.fits(&wanted.content) && back
    }
}

impl Subtype for TableType {
    fn fits(&self, wanted: &TableType) -> bool {
        // What is written to it has to fit both.
        let element = self.element.fits(&wanted.element) && wanted.element.fits(&self.element);
        element && self.index == wanted.index && self.limits.fit(&wanted.limits)
    }
}

impl Subtype for MemoryType {
    fn fits(&self, wanted: &MemoryType) -> bool {
        let kind = |ty: &MemoryType| (ty.index, ty.page_size, ty.shared);
        kind(self) == kind(wanted) && self.limits.fit(&wanted.limits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All pairs of types that no module defines: what is below what, by the specification's picture of each family.
    #[test]
    fn abstract_types_are_ordered() {
        use HeapType::{Any, Array, Eq, Exn, Extern, Func, I31, NoExn, NoExtern, NoFunc, None, Struct};
        let above = |ty: HeapType| -> &[HeapType] {
            match ty {
                NoFunc => &[Func],
                NoExtern => &[Extern],
                NoExn => &[Exn],
                None => &[I31, Struct, Array, Eq, Any],
                I31 | Struct | Array => &[Eq, Any],
                Eq => &[Any],
                _ => &[],
            }
        };
        for found in HeapType::ABSTRACT {
            for wanted in HeapType::ABSTRACT {
                let fits = found == wanted || above(found).contains(&wanted);
                assert_eq!(found.fits(&wanted), fits, "{found} {wanted}");
            }
        }
    }
}
