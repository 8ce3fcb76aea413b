//! The state of a stopped store as a core dump. What that is, and how it is written, is the runtime's: see
//! [`StoreRef::core_dump`](crate::runtime::StoreRef::core_dump). Here are the frames that the stop shows.

use super::stop::Stop;
use crate::base::Result;
use crate::runtime::{AsStore, DumpedFrame};

impl Stop<'_> {
    /// The state of the store as a core dump: a WebAssembly module in the "Coredump" format. It has all instances of
    /// the store with their memories and globals, and all frames with their locals and operands, the innermost first.
    /// Stretches of zeros in memories are left out.
    ///
    /// # Errors
    /// [`ErrorKind::Limit`](crate::base::ErrorKind::Limit) where memories have more than 1 GiB that is not zero.
    pub fn core_dump(&self) -> Result<Vec<u8>> {
        let frames = (0..self.frame_count()).filter_map(|index| self.frame(index));
        let dumped = frames.map(|frame| DumpedFrame {
            slot: frame.slot(),
            func: frame.func(),
            offset: frame.offset(),
            instance: frame.instance(),
            values: (!frame.is_production()).then(|| (frame.locals(), frame.operands())),
        });
        self.as_store().core_dump(dumped.collect())
    }
}
