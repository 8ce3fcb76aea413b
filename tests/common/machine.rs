//! Hand-written x86-64 images for the tests of code ownership: functions with stop sites, a stop stub, and a handler
//! that preserves every register. No compiler involved.

use std::ffi::c_void;
use stepwell::base::{DefinedFuncIndex, SlotLayout, TextOffset, WasmOffset};
use stepwell::internals::abi::StopCell;
use stepwell::internals::code::{CodeRegistry, CodeSlot};
use stepwell::internals::image::{
    CodeImage, FunctionEntry, ImageTables, Packed, PackedRow, Point, PointId, ShapeId, Shapes, Site, SiteId, Tier,
};
use stepwell::internals::isa::{SITE_NOP, SavedRegisters};

/// Sites of each function.
pub const SITES: u32 = 4;
/// Bytes of each function, padding included.
pub const FUNCTION_BYTES: u32 = 64;

/// An image of `functions` functions `extern "C" fn() -> u64`. Function `i` returns `i`, adding it up in `SITES` steps
/// with a stop site before each. Between sites 1 and 2 it calls the next function (the last one calls none) and drops
/// the result, so that a stop in one has the others on the stack; `chained` says whether it does.
pub fn image(functions: u32, chained: bool) -> CodeImage {
    let mut text = Vec::new();
    let mut tables = ImageTables {
        tier: Tier::Debug,
        regions: false,
        first: DefinedFuncIndex::new(0),
        functions: Vec::new(),
        traps: Packed::new(),
        addresses: Packed::new(),
        calls: Packed::new(),
        handlers: Packed::new(),
        safepoints: Packed::new(),
        locals: SlotLayout::new(),
        shapes: Shapes::new(),
        sites: Packed::new(),
        points: Packed::new(),
        stop_stub: None,
    };
    for i in 0..functions {
        let start = text.len() as u32;
        assert_eq!(start, i * FUNCTION_BYTES);
        text.extend([0x55, 0x48, 0x89, 0xe5]); // push rbp; mov rbp, rsp
        text.extend([0x53, 0x50]); // push rbx; push rax
        text.extend([0x31, 0xdb]); // xor ebx, ebx
        for step in 0..SITES {
            text.extend(SITE_NOP);
            let point = PointId(tables.points.len() as u32);
            tables.points.push(Point {
                wasm: WasmOffset::new(8 + i * SITES + step),
                site: Some(SiteId(tables.sites.len() as u32)),
                shape: ShapeId::EMPTY,
            });
            tables.sites.push(Site { after: TextOffset::new(text.len() as u32), point });
            // add ebx, part: the parts add up to i
            let part = if step == 0 { i - i / SITES * (SITES - 1) } else { i / SITES };
            text.extend([0x81, 0xc3]);
            text.extend(part.to_le_bytes());
            if step == 1 && chained && i + 1 < functions {
                let next = (i + 1) * FUNCTION_BYTES;
                text.push(0xe8); // call next
                text.extend(next.wrapping_sub(text.len() as u32 + 4).to_le_bytes());
            }
        }
        text.extend([0x89, 0xd8, 0x5b, 0x5b, 0x5d, 0xc3]); // mov eax, ebx; pop rbx; pop rbx; pop rbp; ret
        let len = text.len() as u32 - start;
        assert!(len <= FUNCTION_BYTES);
        tables.functions.push(FunctionEntry {
            vmctx: None,
            saved: SavedRegisters::NONE,
            arguments: 0,
            references_at: 0,
            start: TextOffset::new(start),
            len,
            frame_size: 32,
            locals: (0, 0),
            kept: 0,
            locals_at: 0,
            points: (i * SITES, (i + 1) * SITES),
        });
        text.resize((start + FUNCTION_BYTES) as usize, 0xcc);
    }
    push_stub(&mut text, &mut tables);
    CodeImage { text, tables }
}

/// Changes the rows of a packed table.
pub fn edit<R: PackedRow>(table: &mut Packed<R>, change: impl FnOnce(&mut Vec<R>)) {
    let mut rows: Vec<R> = table.iter().collect();
    change(&mut rows);
    *table = rows.into_iter().collect();
}

/// The stop stub: `push [cell.context]; jmp [cell.handler]`.
fn push_stub(text: &mut Vec<u8>, tables: &mut ImageTables) {
    let stub = text.len() as u32;
    tables.stop_stub = Some(TextOffset::new(stub));
    let cell = (stub + 12).next_multiple_of(4096);
    text.extend([0xff, 0x35]);
    text.extend((cell + 8 - (stub + 6)).to_le_bytes());
    text.extend([0xff, 0x25]);
    text.extend((cell - (stub + 12)).to_le_bytes());
}

// The first `pop rbx` of a function undoes its `push rax`; the second one its `push rbx`.

/// What a stop calls: with the address behind the site.
pub type OnStop<'a> = Box<dyn FnMut(usize) + 'a>;

/// The context of a cell.
pub struct Stop<'a>(pub OnStop<'a>);

impl Stop<'_> {
    /// The cell that reports to this. It must not move while the cell is in use.
    pub fn cell(self: &mut std::pin::Pin<Box<Self>>) -> StopCell {
        StopCell { handler: stop_entry as *const c_void, context: (&raw const **self).cast_mut().cast() }
    }
}

/// A cell that nothing must call.
pub fn no_cell() -> StopCell {
    StopCell { handler: std::ptr::null(), context: std::ptr::null_mut() }
}

/// What the stub jumps to: `[rsp]` is the context, `[rsp + 8]` the return address into the guest.
#[unsafe(naked)]
unsafe extern "C" fn stop_entry() {
    std::arch::naked_asm!(
        "push rbp", "mov rbp, rsp",
        "push rax", "push rcx", "push rdx", "push rsi", "push rdi",
        "push r8", "push r9", "push r10", "push r11", "pushfq",
        "mov rdi, [rbp + 8]", "mov rsi, [rbp + 16]",
        "and rsp, -16",
        "call {on_stop}",
        "lea rsp, [rbp - 80]",
        "popfq", "pop r11", "pop r10", "pop r9", "pop r8",
        "pop rdi", "pop rsi", "pop rdx", "pop rcx", "pop rax",
        "pop rbp", "lea rsp, [rsp + 8]", "ret",
        on_stop = sym on_stop,
    )
}

extern "C" fn on_stop(context: *mut Stop<'_>, pc: usize) {
    // SAFETY: the context is the pinned `Stop` the cell was made with; a test stops in one frame at a time per `Stop`.
    unsafe { ((*context).0)(pc) }
}

/// Calls a function of registered code.
pub fn call(registry: &CodeRegistry, slot: CodeSlot, function: u32) -> u64 {
    call_at(registry.entry(slot).store.pc(TextOffset::new(function * FUNCTION_BYTES)).get())
}

/// Calls a function by its address.
pub fn call_at(address: usize) -> u64 {
    // SAFETY: the images here consist of functions of this type, at multiples of `FUNCTION_BYTES`.
    let function: extern "C" fn() -> u64 = unsafe { std::mem::transmute(address) };
    function()
}

/// The bytes of registered code in this store.
pub fn bytes(registry: &CodeRegistry, slot: CodeSlot) -> Vec<u8> {
    let code = &registry.entry(slot).store;
    // SAFETY: the text is mapped and readable as long as the registry is borrowed.
    unsafe { std::slice::from_raw_parts(code.base().get() as *const u8, code.text_len() as usize) }.to_vec()
}
