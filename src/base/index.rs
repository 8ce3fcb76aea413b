//! Indices, offsets and addresses, one type each: a Wasm offset can never be taken for a text offset,
//! nor a function index that counts imports for one that does not.

/// Declares a `u32` newtype with the few conversions the rooms need.
macro_rules! index {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        #[repr(transparent)]
        pub struct $name(u32);

        impl $name {
            /// Wraps a raw number.
            #[inline]
            pub const fn new(raw: u32) -> Self {
                Self(raw)
            }
            /// Wraps a position in a vector.
            ///
            /// # Panics
            /// When `index` is beyond `u32`, which validated modules and images never reach.
            #[inline]
            pub fn from_usize(index: usize) -> Self {
                Self(u32::try_from(index).expect("index beyond u32"))
            }
            /// The raw number.
            #[inline]
            pub const fn get(self) -> u32 {
                self.0
            }
            /// The number as a position in a vector.
            #[inline]
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

index!(
    /// A function of a module, imports counted first (the specification's `funcidx`).
    FuncIndex
);
index!(
    /// A function defined in a module, counted without the imports: a position in its code section.
    DefinedFuncIndex
);
index!(
    /// A type of a module's type section (`typeidx`).
    TypeIndex
);
index!(
    /// A table of a module, imports counted first (`tableidx`).
    TableIndex
);
index!(
    /// A memory of a module, imports counted first (`memidx`).
    MemoryIndex
);
index!(
    /// A global of a module, imports counted first (`globalidx`).
    GlobalIndex
);
index!(
    /// A tag of a module, imports counted first (`tagidx`).
    TagIndex
);
index!(
    /// An element segment of a module (`elemidx`).
    ElemIndex
);
index!(
    /// A data segment of a module (`dataidx`).
    DataIndex
);
index!(
    /// A local of a function, parameters counted first (`localidx`).
    LocalIndex
);
index!(
    /// A type that a module defines, or the host: equal types of all modules share one. No number is ever used twice
    /// in a process, and none means anything outside it.
    TypeId
);
index!(
    /// A byte offset from the start of a Wasm binary (its magic number is at 0).
    WasmOffset
);
index!(
    /// A byte offset in the text of a code image. It becomes an address only through the code of a store.
    TextOffset
);

impl TextOffset {
    /// The offset `bytes` further on.
    #[inline]
    pub const fn add(self, bytes: u32) -> Self {
        Self(self.0 + bytes)
    }
}

/// An address in executable memory: a program counter or a return address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Pc(usize);

impl Pc {
    /// Wraps an address.
    #[inline]
    pub const fn new(address: usize) -> Self {
        Self(address)
    }
    /// The address.
    #[inline]
    pub const fn get(self) -> usize {
        self.0
    }
}

impl std::fmt::Display for Pc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}
