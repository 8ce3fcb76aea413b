//! Instances: the structure compiled code works on, and what the runtime knows beside it.

use crate::abi::{VMContext, VMFuncRef, VMGlobal};
use crate::base::{DefinedFuncIndex, FuncIndex, GlobalIndex, Result};
use crate::code::{LoadedCode, TextBase};
use crate::image::FunctionEntry;
use crate::runtime::compiled::blocks::Block;
use crate::runtime::compiled::module::Module;
use crate::runtime::objects::memory::MemoryData;
use crate::runtime::objects::table::TableData;
use smallvec::SmallVec;
use std::cell::RefCell;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

/// An instance, and a place in its structure.
pub(in crate::runtime) type Place<T> = (NonNull<InstanceData>, NonNull<T>);

/// The inside of an instance. It stays at one address until it is collected or its store dropped.
pub(in crate::runtime) struct InstanceData {
    /// How many instances its store had made before.
    pub(in crate::runtime) number: u64,
    /// Its structure for compiled code, of the size its module's layout says. It goes back to the module.
    block: ManuallyDrop<Block>,
    pub(in crate::runtime) module: Module,
    /// Its module's position in the store.
    pub(in crate::runtime) entry: u32,
    /// The address of the text it runs.
    text_base: TextBase,
    /// Where the functions are in that text. Borrowed from the code registered in the store, which outlives its use:
    /// changing the text changes this too.
    functions: NonNull<[FunctionEntry]>,
    /// The functions whose `VMFuncRef` is initialised: all that a change of code has to touch.
    initialised: RefCell<Vec<DefinedFuncIndex>>,
    /// Its memories, imports first.
    pub(in crate::runtime) memories: SmallVec<[NonNull<MemoryData>; 1]>,
    /// Its tables, imports first.
    pub(in crate::runtime) tables: SmallVec<[NonNull<TableData>; 1]>,
    /// Which element segments are dropped.
    pub(in crate::runtime) dropped_elements: Box<[bool]>,
    /// Which data segments are dropped.
    pub(in crate::runtime) dropped_data: Box<[bool]>,
    /// Set during a collection, if it can be reached.
    pub(in crate::runtime) marked: bool,
}

impl InstanceData {
    /// An instance with nothing in it: the `number`-th of its store, of the store's module at `entry`.
    pub(in crate::runtime) fn new(number: u64, entry: usize, module: Module) -> Result<InstanceData> {
        let block = ManuallyDrop::new(module.blocks().take()?);
        let info = module.info();
        Ok(InstanceData {
            number,
            block,
            entry: entry as u32,
            text_base: TextBase::default(),
            functions: NonNull::from(&[] as &[FunctionEntry]),
            initialised: RefCell::default(),
            memories: SmallVec::new(),
            tables: SmallVec::new(),
            dropped_elements: info.table_images.dropped().into(),
            dropped_data: vec![false; info.data.len()].into(),
            marked: false,
            module,
        })
    }

    /// A place in its structure.
    ///
    /// # Safety
    /// `offset` is one that its module's layout gave out for a `T`.
    pub(in crate::runtime) unsafe fn place<T>(&self, offset: u32) -> NonNull<T> {
        debug_assert!(offset as usize + size_of::<T>() <= self.block.len());
        // SAFETY: inside the block.
        unsafe { self.block.at().add(offset as usize).cast() }
    }

    /// How many bytes its structure has.
    pub(in crate::runtime) fn block_size(&self) -> usize {
        self.block.len()
    }

    /// Its structure.
    pub(in crate::runtime) fn vmctx(&self) -> NonNull<VMContext> {
        self.block.at().cast()
    }

    /// Makes it run this code of its module: every initialised function reference is pointed there.
    pub(in crate::runtime) fn use_code(&mut self, loaded: &LoadedCode) {
        self.text_base = loaded.store.text_base();
        self.functions = NonNull::from(loaded.engine.tables().functions.as_slice());
        let layout = self.module.layout();
        for func in &*self.initialised.borrow() {
            // SAFETY: the layout's place for it; the functions are borrowed from code that is registered.
            unsafe {
                let start = self.functions.as_ref()[func.index()].start;
                let func_ref = self.place::<VMFuncRef>(layout.func_ref(*func)).as_ptr();
                (*func_ref).code = self.text_base.pc(start).get() as *const _;
            }
        }
    }

    /// How many of its functions have an initialised reference.
    #[cfg(test)]
    pub(in crate::runtime) fn initialised(&self) -> usize {
        self.initialised.borrow().len()
    }

    /// The reference of a function, initialised now if it was not.
    pub(in crate::runtime) fn func_ref(&self, func: FuncIndex) -> NonNull<VMFuncRef> {
        let layout = self.module.layout();
        let Some(defined) = self.module.info().defined(func) else {
            // SAFETY: the layout's place for it; imports are in place before anything asks.
            return unsafe { *self.place::<NonNull<VMFuncRef>>(layout.imported_func(func)).as_ref() };
        };
        // SAFETY: the layout's place for it; the functions are borrowed from code that is registered.
        unsafe {
            let func_ref = self.place::<VMFuncRef>(layout.func_ref(defined));
            if func_ref.as_ref().code.is_null() {
                let start = self.functions.as_ref()[defined.index()].start;
                func_ref.as_ptr().write(VMFuncRef {
                    code: self.text_base.pc(start).get() as *const _,
                    vmctx: self.vmctx().as_ptr().cast(),
                    sig: self.module.func_sig(func),
                    func: func.get(),
                });
                self.initialised.borrow_mut().push(defined);
            }
            func_ref
        }
    }

    /// The place of a global.
    pub(in crate::runtime) fn global(&self, global: GlobalIndex) -> NonNull<VMGlobal> {
        let (offset, imported) = self.module.layout().global(global);
        // SAFETY: the layout's place for it or for the pointer to it, which is set before anything asks.
        unsafe { if imported { *self.place::<NonNull<VMGlobal>>(offset).as_ref() } else { self.place(offset) } }
    }
}

impl Drop for InstanceData {
    fn drop(&mut self) {
        // SAFETY: it is not used again.
        let block = unsafe { ManuallyDrop::take(&mut self.block) };
        let layout = self.module.layout();
        let clean = |block: &Block| {
            // SAFETY: inside the block. Its head has all that anybody writes to but for the references that were
            // initialised; a reference is valid as zeros.
            unsafe {
                block.at().write_bytes(0, layout.head() as usize);
                for func in self.initialised.get_mut() {
                    block.at().add(layout.func_ref(*func) as usize).cast::<VMFuncRef>().write_bytes(0, 1);
                }
            }
        };
        // SAFETY: it was taken from there; nothing points to an instance that is gone.
        unsafe { self.module.blocks().give(block, clean) };
    }
}
