//! What the project's own tests, benchmarks and fuzzers look at inside. This is no interface: it changes as the inside
//! does, and is not documented. That it is a list lets the compiler find what nothing else uses.

pub mod abi {
    pub use crate::abi::{StopCell, TableElement, VMGlobal, VMMemory, VMTable, ValRaw};
}

pub mod capi {
    pub mod type_object {
        pub use crate::capi::type_object::wasm_limits_t;
    }

    pub mod val {
        pub use crate::capi::val::{wasm_val_t, wasm_val_union_t};
    }

    pub mod vecs {
        pub use crate::capi::vecs::{
            wasm_byte_vec_t, wasm_extern_vec_t, wasm_frame_vec_t, wasm_val_vec_t, wasm_valtype_vec_t,
        };
    }
}

pub mod code {
    pub use crate::code::{CodeRegistry, CodeSlot, EngineCode, Ownership, PatchEdit, StepScope};
}

pub mod compile {
    pub use crate::compile::{Compiler, DebugTier, Options, vm_layout};
}

pub mod image {
    pub use crate::image::{
        AddressEntry, Call, CodeImage, ElfImages, FunctionEntry, Handler, ImageRef, ImageTables, Packed, PackedRow,
        Place, Point, PointId, RegionGraph, RerunEnd, RerunImage, Safepoint, Shape, ShapeId, Shapes, Site, SiteId,
        Slot, Tier, Trap, seal_elf, write_elf,
    };
}

pub mod isa {
    pub use crate::isa::{PreservedRegister, SITE_NOP, SavedRegisters, armed_site};
}

pub mod sys {
    pub use crate::sys::faults;
    pub use crate::sys::mapping;

    pub mod pages {
        pub use crate::sys::pages::Reservation;
    }

    pub mod text {
        pub use crate::sys::text::TextBacking;
    }
}

pub mod wasm {
    pub use crate::wasm::{EntityIndex, Instructions, Walk, parse};
}
