//! What is to be known of Cranelift's `tail` convention where a frame is replaced. Nothing is compiled with it; it
//! stands here because it tells what the code generator does. A test of `runtime/` compares it with what compiled
//! callers do.

use super::env::abi_type;
use crate::isa::{ARGUMENT_REGISTERS, RESULT_REGISTERS, STACK_ALIGN};
use crate::wasm::{FuncType, ValType};

/// Integer arguments in front of those of Wasm: the vmctx and the caller's.
const VMCTXS: u32 = 2;

/// Bytes of the arguments of a function of this type that no register takes. Callers have them on top of the stack when
/// they call; the function takes them away. One with tail calls that need more makes its frame lower by as much, so
/// that there is room for these between the frame and what its caller has: see
/// [`FunctionEntry::arguments`](crate::image::FunctionEntry::arguments).
pub fn stack_arguments(ty: &FuncType) -> u32 {
    let hidden = u32::from(has_result_area(ty));
    bytes_on_stack(&ty.params, VMCTXS + hidden, ARGUMENT_REGISTERS)
}

/// Whether there are results of a function of this type that no register takes. Then the address of an area for them is
/// a hidden argument in front of all others. Callers have it right behind the arguments; who makes a tail call hands
/// its own on.
pub fn has_result_area(ty: &FuncType) -> bool {
    bytes_on_stack(&ty.results, 0, RESULT_REGISTERS) > 0
}

/// Bytes of stack for values, of which so many integers more go before.
fn bytes_on_stack(types: &[ValType], integers_before: u32, registers: (u32, u32)) -> u32 {
    let (mut integers, mut floats) = (integers_before, 0);
    let mut bytes = 0u32;
    for ty in types {
        let ty = abi_type(*ty);
        let (taken, registers) = match ty.is_int() {
            true => (&mut integers, registers.0),
            false => (&mut floats, registers.1),
        };
        if *taken < registers {
            *taken += 1;
        } else {
            let size = ty.bytes().max(8);
            bytes = bytes.next_multiple_of(size) + size;
        }
    }
    bytes.next_multiple_of(STACK_ALIGN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::FRAME_HEAD;
    use ValType::{F32, F64, I32, I64};

    /// Where the area is, from the frame pointer of a function without tail calls.
    fn area(params: &[ValType], results: &[ValType]) -> Option<u32> {
        let ty = FuncType::new(params.iter().copied(), results.iter().copied());
        has_result_area(&ty).then(|| FRAME_HEAD + stack_arguments(&ty))
    }

    #[test]
    fn only_results_beyond_the_registers_have_an_area() {
        assert_eq!(area(&[I64; 20], &[I64; 8]), None);
        assert_eq!(area(&[], &[[I32; 8], [F64; 8]].concat()), None);
        assert_eq!(area(&[], &[ValType::FUNCREF; 9]), Some(16));
        assert_eq!(area(&[], &[F32; 9]), Some(16));
    }

    #[test]
    fn it_is_behind_the_arguments() {
        assert_eq!(area(&[I64; 3], &[I64; 9]), Some(16));
        assert_eq!(area(&[I32; 4], &[I64; 9]), Some(32));
        assert_eq!(area(&[I32; 6], &[I64; 9]), Some(48));
        assert_eq!(area(&[[F32; 9], [I32; 9]].concat(), &[I64; 9]), Some(16 + 64));
    }
}
