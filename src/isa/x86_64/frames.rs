//! Frames of compiled code: what stands where, and which registers calls preserve. The facts are those of Cranelift's
//! `isa/x64/abi.rs` and of its `tail` convention; a test of `runtime/` compares them with what compiled callers do.

/// Bytes of the return address and the saved frame pointer, between which and the arguments on the stack nothing is.
pub const FRAME_HEAD: u32 = 16;
/// Arguments on the stack take a multiple of it.
pub const STACK_ALIGN: u32 = 16;
/// Registers for integer arguments, and for those of floats and vectors.
pub const ARGUMENT_REGISTERS: (u32, u32) = (6, 8);
/// Registers for integer results, and for those of floats and vectors.
pub const RESULT_REGISTERS: (u32, u32) = (8, 8);

/// Where a frame returns to, and its caller's frame pointer.
///
/// # Safety
/// `fp` is the frame pointer of a frame that is live on this thread, and has been set up.
#[inline]
pub unsafe fn caller_of(fp: usize) -> (usize, usize) {
    let head = fp as *const usize;
    // SAFETY: `push rbp` behind the call has put both there.
    unsafe { (*head.add(1), *head) }
}

/// Where a frame has the address to which it returns.
#[inline]
pub fn return_place(fp: usize) -> *mut usize {
    (fp + size_of::<usize>()) as *mut usize
}

/// A register that calls preserve, other than the frame pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum PreservedRegister {
    /// `rbx`
    Rbx = 0,
    /// `r12`
    R12 = 1,
    /// `r13`
    R13 = 2,
    /// `r14`
    R14 = 3,
    /// `r15`
    R15 = 4,
}

impl PreservedRegister {
    /// All of them, in the order in which they stand in frames, upwards.
    pub const ALL: [PreservedRegister; 5] = [
        PreservedRegister::Rbx,
        PreservedRegister::R12,
        PreservedRegister::R13,
        PreservedRegister::R14,
        PreservedRegister::R15,
    ];

    /// The one that instructions and the code generator have by this number.
    pub fn numbered(number: u8) -> Option<PreservedRegister> {
        match number {
            3 => Some(PreservedRegister::Rbx),
            12 => Some(PreservedRegister::R12),
            13 => Some(PreservedRegister::R13),
            14 => Some(PreservedRegister::R14),
            15 => Some(PreservedRegister::R15),
            _ => None,
        }
    }
}
