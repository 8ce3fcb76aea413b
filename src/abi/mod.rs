//! The contract between compiled code and the runtime: layouts, calling conventions, trap codes, builtin
//! functions. Compiled code has these offsets burnt in; the runtime has them as `repr(C)` types. No code,
//! no allocation, no system call here.
//!
//! # Calling conventions
//!
//! * **Wasm functions** use Cranelift's `tail` convention with the signature
//!   `(callee vmctx, caller vmctx, params...) -> results`, in both tiers. Frame pointers are always kept.
//! * **Host to Wasm** trampolines use the C convention: `fn(callee: *const VMFuncRef, caller vmctx, values: *mut
//!   ValRaw)`. They load the parameters from `values`, call *indirectly* through the `VMFuncRef`, and store the results
//!   over them from `values[0]` on. They are entered by `isa::enter` alone.
//! * **Wasm to host** trampolines are the `code` of a host function's [`VMFuncRef`] and use the Wasm
//!   convention. They store the exit frame in the caller's [`VMStoreContext`], write the parameters to an
//!   array on their stack and call [`HostCall`] with it. On `false` they call [`Builtin::Raise`].
//! * **Builtins** use the C convention and take the caller's vmctx first. Their entries (in [`VMContext::builtins`])
//!   are shims which store the exit frame before the Rust function runs, so compiled code does not.
//! * **Stop points** (debug code only) are calls without arguments that preserve every register
//!   (Cranelift's `PreserveAll`), and do nothing until armed. Armed, they call the image's *stop stub*, which pushes
//!   [`StopCell::context`] and jumps to [`StopCell::handler`]; see [`StopCell`] for where the cell is.
//! * **Rerun code** uses the C convention and is called by the runtime alone, outside any frame of a guest; `image/`
//!   has its contract.
//! * **Resume code** is a function in the Wasm convention that is entered by a jump, in the place of a frame of the
//!   function it was compiled from: the return address and the arguments on the stack are that frame's. Of its
//!   arguments in registers only its vmctx and, where results need one, the address of their area mean anything; its
//!   state is where [`VMStoreContext::resume`] says.
//! * **Split code** is a function of debug code once more, in a text of its own. It is called by a jump from the first
//!   bytes of the other, or entered as resume code is.
//!
//! # References
//!
//! A `funcref` is a `*mut VMFuncRef`, null for `ref.null`. An `externref` is 0 for `ref.null`, else one more than the
//! index of the host's value in its store. Both are 64 bits wide in locals, globals and tables. An `anyref`, and
//! whatever is below it, has 32 bits: 0 for `ref.null`, and an `i31` has its integer in the upper 31, and the lowest
//! set. In a table stands a [`TableElement`], which for a function is not the same: see there.

mod builtins;
mod heap;
mod layout;
mod trap;

pub use builtins::{Builtin, BuiltinArg};
pub use heap::{
    ARRAY_ELEMENTS, ARRAY_LENGTH, DESCRIBES_ARRAY, DESCRIBES_STRUCT, DESCRIPTOR_BYTES, DESCRIPTOR_CHAIN,
    DESCRIPTOR_DEPTH, DESCRIPTOR_KIND, DESCRIPTOR_LEAST, EXTERN_OF_GUEST, HEAP_OBJECTS, HEAP_RANGE, HEAP_TYPES,
    HOST_SHIFT, HOST_TAG, I31_TAG, OBJECT_ALIGN, OBJECT_MARK, VMHeap, array_size,
};
pub use layout::{
    Activation, FuncElement, HOST_FUNC, HostCall, ResumeState, StopCell, TABLE_ELEMENT_SIZE, TableElement, VMContext,
    VMException, VMFuncRef, VMGlobal, VMMemory, VMSharedMemory, VMStoreContext, VMTable, ValRaw, VmCounts, VmLayout,
};
pub use trap::TrapCode;
