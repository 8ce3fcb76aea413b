//! Instances: the structure compiled code works on, and what the runtime knows beside it.

use crate::abi::{VMContext, VMFuncRef, VMGlobal, ValRaw, VmLayout};
use crate::base::{ElemIndex, FuncIndex, GlobalIndex, Result, no_room};
use crate::code::{LoadedCode, TextBase};
use crate::image::FunctionEntry;
use crate::runtime::compiled::initial::InitialData;
use crate::runtime::compiled::module::Module;
use crate::runtime::objects::exceptions::TagData;
use crate::runtime::objects::func_refs::FuncRefs;
use crate::runtime::objects::memory::MemoryData;
use crate::runtime::objects::table::TableData;
use smallvec::SmallVec;
use std::alloc::Layout;
use std::cell::RefCell;
use std::ptr::NonNull;

/// An instance's structure for compiled code, of the size its module's layout says.
struct VmBlock {
    at: NonNull<u8>,
    layout: Layout,
}

impl VmBlock {
    /// A zeroed block.
    fn new(layout: &VmLayout) -> Result<VmBlock> {
        let layout =
            Layout::from_size_align(layout.size() as usize, align_of::<VMContext>()).expect("layouts are below 2 GiB");
        // SAFETY: the size is at least that of `VMContext`.
        let at = unsafe { std::alloc::alloc_zeroed(layout) };
        let at = NonNull::new(at).ok_or_else(|| no_room(layout.size(), "an instance"))?;
        Ok(VmBlock { at, layout })
    }
}

impl Drop for VmBlock {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this layout.
        unsafe { std::alloc::dealloc(self.at.as_ptr(), self.layout) };
    }
}

/// An instance, and a place in its structure.
pub(in crate::runtime) type Place<T> = (NonNull<InstanceData>, NonNull<T>);

/// The inside of an instance. It stays at one address until it is collected or its store dropped.
pub(in crate::runtime) struct InstanceData {
    /// How many instances its store had made before.
    pub(in crate::runtime) number: u64,
    block: VmBlock,
    pub(in crate::runtime) module: Module,
    /// Its module's position in the store.
    pub(in crate::runtime) entry: u32,
    /// The address of the text it runs.
    text_base: TextBase,
    /// Where the functions are in that text. Borrowed from the code registered in the store, which outlives its use:
    /// changing the text changes this too.
    functions: NonNull<[FunctionEntry]>,
    /// The references of its own functions that were asked for: all that a change of code has to touch.
    func_refs: RefCell<FuncRefs>,
    /// Its memories, imports first.
    pub(in crate::runtime) memories: SmallVec<[NonNull<MemoryData>; 1]>,
    /// Its tables, imports first.
    pub(in crate::runtime) tables: SmallVec<[NonNull<TableData>; 1]>,
    /// Its tags, imports first.
    pub(in crate::runtime) tags: Vec<NonNull<TagData>>,
    /// Which element segments are dropped.
    pub(in crate::runtime) dropped_elements: Box<[bool]>,
    /// The references of element segments that make something: of each segment or of none.
    pub(in crate::runtime) items: Box<[Option<Box<[ValRaw]>>]>,
    /// Which data segments are dropped. Those that are in an image have been from the start.
    pub(in crate::runtime) dropped_data: Box<[bool]>,
    /// Set during a collection, if it can be reached.
    pub(in crate::runtime) marked: bool,
}

impl InstanceData {
    /// An instance with nothing in it: the `number`-th of its store, of the store's module at `entry`, whose memories
    /// will begin with these images.
    pub(in crate::runtime) fn new(
        number: u64,
        entry: usize,
        module: Module,
        images: Option<&InitialData>,
    ) -> Result<InstanceData> {
        let block = VmBlock::new(module.layout())?;
        let info = module.info();
        Ok(InstanceData {
            number,
            block,
            entry: entry as u32,
            text_base: TextBase::default(),
            functions: NonNull::from(&[] as &[FunctionEntry]),
            func_refs: RefCell::default(),
            memories: SmallVec::new(),
            tables: SmallVec::new(),
            tags: Vec::new(),
            dropped_elements: info.table_images.dropped().into(),
            items: Box::default(),
            dropped_data: match images.map(InitialData::inside).unwrap_or_default() {
                [] => vec![false; info.data.len()].into(),
                inside => inside.into(),
            },
            marked: false,
            module,
        })
    }

    /// A place in its structure.
    ///
    /// # Safety
    /// `offset` is one that its module's layout gave out for a `T`.
    pub(in crate::runtime) unsafe fn place<T>(&self, offset: u32) -> NonNull<T> {
        debug_assert!(offset as usize + size_of::<T>() <= self.block.layout.size());
        // SAFETY: inside the block.
        unsafe { self.block.at.add(offset as usize).cast() }
    }

    /// How many bytes its structure has.
    pub(in crate::runtime) fn block_size(&self) -> usize {
        self.block.layout.size()
    }

    /// Its structure.
    pub(in crate::runtime) fn vmctx(&self) -> NonNull<VMContext> {
        self.block.at.cast()
    }

    /// Makes it run this code of its module: every initialised function reference is pointed there.
    pub(in crate::runtime) fn use_code(&mut self, loaded: &LoadedCode) {
        self.text_base = loaded.store.text_base();
        self.functions = NonNull::from(loaded.engine.tables().functions.as_slice());
        for (func, func_ref) in self.func_refs.borrow().iter() {
            // SAFETY: the functions are borrowed from code that is registered; nobody uses the reference meanwhile.
            unsafe {
                let start = self.functions.as_ref()[func.index()].start;
                (*func_ref.as_ptr()).code = self.text_base.pc(start).get() as *const _;
            }
        }
    }

    /// How many of its functions have a reference.
    #[cfg(test)]
    pub(in crate::runtime) fn func_refs(&self) -> usize {
        self.func_refs.borrow().len()
    }

    /// The reference of a function, made now if it was not.
    pub(in crate::runtime) fn func_ref(&self, func: FuncIndex) -> NonNull<VMFuncRef> {
        let (info, layout) = (self.module.info(), self.module.layout());
        let Some(defined) = info.defined(func) else {
            // SAFETY: the layout's place for it; imports are in place before anything asks.
            return unsafe { *self.place::<NonNull<VMFuncRef>>(layout.imported_func(func)).as_ref() };
        };
        self.func_refs.borrow_mut().get_or_make(defined, info.bodies.len(), || {
            // SAFETY: the functions are borrowed from code that is registered.
            let start = unsafe { self.functions.as_ref() }[defined.index()].start;
            VMFuncRef {
                code: self.text_base.pc(start).get() as *const _,
                vmctx: self.vmctx().as_ptr().cast(),
                sig: self.module.func_sig(func),
                func: func.get(),
                above: info.types[info.funcs[func.index()].index()].list().as_ptr(),
            }
        })
    }

    /// The references of an element segment that makes something.
    pub(in crate::runtime) fn made_items(&self, segment: ElemIndex) -> Option<&[ValRaw]> {
        self.items.get(segment.index())?.as_deref()
    }

    /// The place of a global.
    pub(in crate::runtime) fn global(&self, global: GlobalIndex) -> NonNull<VMGlobal> {
        let (offset, imported) = self.module.layout().global(global);
        // SAFETY: the layout's place for it or for the pointer to it, which is set before anything asks.
        unsafe { if imported { *self.place::<NonNull<VMGlobal>>(offset).as_ref() } else { self.place(offset) } }
    }
}
