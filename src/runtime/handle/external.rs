//! What an object of a store is.

use crate::base::Result;
use crate::runtime::objects::handles::Extern;
use crate::runtime::store::views::AsStore;
use crate::wasm::ExternType;

impl Extern {
    /// Its type; memories and tables with their current size.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`](crate::base::ErrorKind::Argument) with another store.
    pub fn ty(&self, store: impl AsStore) -> Result<ExternType> {
        store.as_store().inner().extern_type(*self)
    }
}
